"""What C-FIND, C-MOVE and C-GET share: who asks, whether he may, what is asked, and what trouble is told as.

A caller without the verb is refused and recorded. What a project's readers see is decided in `proxy.service`, for
DICOMweb and here alike.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from proxy.dimse.asker import acceptor_of, may, peer_of
from proxy.dimse.message import Message
from proxy.dimse.query_identifier import SYNTAXES, read
from proxy.dimse.query_models import Model, answered
from proxy.dimse.query_status import CANCEL, NOT_AUTHORISED, OUT_OF_RESOURCES, Refused, refusal
from proxy.dimse.services import UNRECOGNIZED_OPERATION, Service
from proxy.errors import VeilError
from proxy.service.callers import Verb
from proxy.service.ports import AuditTrail, Peer
from proxy.wire.dicom_json import Json

_T = TypeVar("_T")
Report = Callable[[], Awaitable[None]]
#: seconds after which a peer hears that we are still at work
BEAT = 5.0


class Cancelled(Exception):
    """The peer does not want the rest (C-CANCEL), or has gone."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as far as it is the same for all three."""

    message: Message
    model: Model
    identifier: Json
    relational: bool
    project: str
    peer: Peer


class QueryRetrieve(Service, ABC):
    """One operation, in all information models that it is of."""

    def __init__(self, models: Mapping[str, Model], field: int, verb: Verb, audit: AuditTrail) -> None:
        """``field``: (0000,0100) of its request; ``verb``: what a caller must have been granted."""
        self._models, self._field, self._verb, self._audit = models, field, verb, audit

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """Those in which identifiers are written."""
        return SYNTAXES if abstract in self._models else None

    def extended(self, abstract: str, proposed: bytes) -> bytes | None:
        """Relational queries, and nothing else."""
        return answered(proposed)

    async def serve(self, message: Message) -> None:
        """Answer one request."""
        if message.command.field != self._field:
            return await message.respond(UNRECOGNIZED_OPERATION)
        try:
            await self._answer(await self._question(message))
        except Cancelled:
            await message.respond(CANCEL)
        except Refused as refused:
            await message.respond(refused.status, None, **refused.elements)
        except VeilError as error:
            told = refusal(error, self._trouble)
            await message.respond(told.status, None, **told.elements)

    #: the status of what cannot be had just now
    _trouble = OUT_OF_RESOURCES

    @abstractmethod
    async def _answer(self, question: Question) -> None:
        """Send every response to ``question``; `Refused`, `Cancelled` or a `VeilError` becomes the last one."""

    async def _question(self, message: Message) -> Question:
        association, abstract = acceptor_of(message), message.context.abstract
        if not await may(message, self._verb, self._audit):
            raise Refused(NOT_AUTHORISED, f"not granted: {self._verb}")
        agreed = association.acceptance.extended.get(abstract, b"") if association.acceptance is not None else b""
        peer = peer_of(message)
        identifier = read(message.data, message.context.syntax)
        return Question(message, self._models[abstract], identifier, agreed[:1] == b"\1", association.project, peer)


async def unless_cancelled(message: Message, work: Coroutine[Any, Any, _T], report: Report | None = None) -> _T:
    """``work``, ended and `Cancelled` as soon as nobody wants it any more."""
    cancelled = asyncio.ensure_future(message.cancelled.wait())
    try:
        return await reporting(work, report, cancelled)
    finally:
        cancelled.cancel()


async def reporting(work: Coroutine[Any, Any, _T], report: Report | None, end: asyncio.Future[Any] | None = None) -> _T:
    """``work``, with a ``report`` every `BEAT` seconds; ended and `Cancelled` when ``end`` is done."""
    task = asyncio.ensure_future(work)
    waited = {task} if end is None else {task, end}
    beat = BEAT if report is not None else None
    try:
        while True:
            await asyncio.wait(waited, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if end is not None and end.done():
                raise Cancelled
            if report is not None:
                await report()
    finally:
        if task.cancel():
            await asyncio.wait({task})
