"""Worklists and performed procedure steps, relayed to the clinical system and back as they are (PS3.4 F.7, K).

Identified data of the clinical side: nothing of it is decoded, stored, logged or shown. A modality hears what the
clinical system itself said, or a failure where it said nothing; nothing is acknowledged on its behalf.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from proxy.dimse import status
from proxy.dimse.asker import acceptor_of, may, peer_of
from proxy.dimse.association import Association, AssociationLost
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed
from proxy.dimse.errand import TROUBLE, associated, word_of
from proxy.dimse.exchange import PENDING
from proxy.dimse.message import Message
from proxy.dimse.requestor import Destination
from proxy.dimse.services import UNRECOGNIZED_OPERATION, Service
from proxy.errors import Unavailable
from proxy.service import clinical
from proxy.service.callers import Verb
from proxy.service.ports import AuditEvent, AuditTrail
from proxy.wire.command import C_CANCEL_RQ, C_FIND_RQ, N_CREATE_RQ, N_SET_RQ, Command
from proxy.wire.negotiation import Context, ProposedContext
from proxy.wire.vr import IMPLICIT_LE

MPPS, WORKLIST = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.31"
#: Both sides must know this one (PS3.5 10.1), so what comes in it can always go on as it is.
_SYNTAXES = (IMPLICIT_LE,)
#: of a command set: what belongs to one association, and what every response says by itself
_OWN = frozenset({"MessageID", "MessageIDBeingRespondedTo", "CommandDataSetType", "Status"})


@dataclass(frozen=True, slots=True)
class _Operation:
    """``failure``: what a modality hears while the clinical system is not to be had (PS3.7 C, PS3.4 K.4.1.1.4)."""

    name: str
    of: str
    kind: str
    failure: int


_OPERATIONS = {
    C_FIND_RQ: _Operation("C-FIND", WORKLIST, "worklist", 0xA700),
    N_CREATE_RQ: _Operation("N-CREATE", MPPS, "performed-procedure-step", 0x0110),
    N_SET_RQ: _Operation("N-SET", MPPS, "performed-procedure-step", 0x0110),
}


@dataclass(frozen=True, slots=True)
class System:
    """A clinical system: where it is, as whom we speak (``to.calling_ae`` "": as who asks), and what is relayed."""

    to: Destination
    sop_classes: frozenset[str]


class _Silent(Exception):
    """The clinical system did not answer; in a word why."""


class Relay(Service):
    """MPPS and Modality Worklist of one clinical system."""

    def __init__(self, system: System, audit: AuditTrail) -> None:
        self._system, self._audit = system, audit

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """Implicit VR little endian, for what is configured."""
        return _SYNTAXES if abstract in self._system.sop_classes else None

    async def serve(self, message: Message) -> None:
        """Relay one request, recorded before and after."""
        operation = _OPERATIONS.get(message.command.field)
        if operation is None or operation.of != message.context.abstract:
            return await message.respond(UNRECOGNIZED_OPERATION)
        about = clinical.Relayed(acceptor_of(message).project, peer_of(message), operation.kind, operation.name)
        try:
            if not await may(message, Verb.STORE, self._audit):
                return await message.respond(status.NOT_AUTHORISED.status)
            await self._audit.record(about.begins())
            async with self._reached(message) as (system, context):
                relay = self._worklist if operation.of == WORKLIST else self._step
                await relay(message, about, system, context)
        except AssociationLost:
            await self._note(about.failed("requester-gone"))
            raise
        except Unavailable:
            return await message.respond(operation.failure)
        except (AssociationRejected, ConnectionFailed, _Silent) as error:
            await self._note(about.failed(str(error) if isinstance(error, _Silent) else word_of(error)))
            return await message.respond(operation.failure)

    async def _step(self, message: Message, about: clinical.Relayed, system: Association, context: Context) -> None:
        """N-CREATE or N-SET: the answer is that of the clinical system, whatever it is."""
        try:
            answer = await system.ask(context, _onward(message, system), _data(message))
        except TROUBLE as error:
            raise _Silent(word_of(error)) from None
        await self._note(about.ended(answer.command.status))
        await _pass_on(message, answer)

    async def _worklist(self, message: Message, about: clinical.Relayed, system: Association, context: Context) -> None:
        """C-FIND: matches as they come, until the final answer; a C-CANCEL goes the other way."""
        question, count = _onward(message, system), 0
        async with (
            _cancelling(message, system, context, question.message_id),
            contextlib.aclosing(system.asks(context, question, _data(message))) as answers,
        ):
            while (answer := await _next(answers)).command.status in PENDING:
                count += 1
                await _pass_on(message, answer)
        await self._note(about.ended(answer.command.status, count))
        await _pass_on(message, answer)

    async def _note(self, event: AuditEvent) -> None:
        """That it was asked is on record; what it answered is so whether or not this can be recorded, too."""
        with contextlib.suppress(Unavailable):
            await self._audit.record(event)

    @asynccontextmanager
    async def _reached(self, message: Message) -> AsyncIterator[tuple[Association, Context]]:
        """An association with the clinical system, for one request."""
        abstract, to = message.context.abstract, self._system.to
        if not to.calling_ae and message.association.request is not None:
            to = dataclasses.replace(to, calling_ae=message.association.request.calling)
        async with associated(to, [ProposedContext(1, abstract, _SYNTAXES)]) as system:
            if (context := system.context_for(abstract)) is None:
                raise _Silent("no-context")
            yield system, context


@asynccontextmanager
async def _cancelling(message: Message, system: Association, context: Context, message_id: int) -> AsyncIterator[None]:
    """Pass on the C-CANCEL of a question, should there be one; it is also ours when who asked has gone."""

    async def cancel() -> None:
        await message.cancelled.wait()
        with contextlib.suppress(AssociationLost):
            await system.transmit(context, Command(C_CANCEL_RQ, MessageIDBeingRespondedTo=message_id))

    task = asyncio.create_task(cancel())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _next(answers: AsyncIterator[Message]) -> Message:
    try:
        return await anext(answers)
    except TROUBLE as error:
        raise _Silent(word_of(error)) from None


def _onward(message: Message, system: Association) -> Command:
    command = message.command
    kept = {keyword: value for keyword, value in command.items() if keyword not in _OWN}
    return Command(command.field, MessageID=system.next_id(), **kept)


def _data(message: Message) -> bytes | None:
    return message.data if message.command.has_data else None


async def _pass_on(message: Message, answer: Message) -> None:
    """The clinical system's answer, as it is; `AssociationLost` when who asked has gone."""
    kept: dict[str, Any] = {keyword: value for keyword, value in answer.command.items() if keyword not in _OWN}
    await message.respond(answer.command.status, _data(answer), **kept)
