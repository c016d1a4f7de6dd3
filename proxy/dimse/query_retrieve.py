"""What C-MOVE and C-GET share (PS3.4 C.4.2, C.4.3): what is wanted is listed, and each instance goes as a C-STORE.

A file is made when its turn is near. Pending responses count what is left, also while a PACS is slow. An instance that
may not leave is one that does not exist for readers: it is no sub-operation, and no failure.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from proxy.archive.attributes import LEVELS
from proxy.dimse.message import Message
from proxy.dimse.query_answer import encoded, failures
from proxy.dimse.query_file import CannotGive, Stored, stored
from proxy.dimse.query_identifier import Wanted, wanted
from proxy.dimse.query_models import UNIQUE, Model
from proxy.dimse.query_service import Cancelled, QueryRetrieve, Question, reporting, unless_cancelled
from proxy.dimse.query_status import CANCEL, CANNOT_COUNT, CANNOT_SEND, PENDING, SOME_FAILED, SUCCESS, Refused, refusal
from proxy.errors import VeilError
from proxy.service.callers import Verb
from proxy.service.in_turn import Listed, Lists, in_turn
from proxy.service.ports import AuditTrail
from proxy.service.readers import Searches
from proxy.service.search import MOST
from proxy.wire.dicom_json import first_value
from proxy.wire.uri import Target

#: seconds between two pending responses while something happens
_OFTEN = 0.25
_UIDS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
#: UIDs of a list of failures: with more, the list would not fit into what some peers read
_MOST_FAILURES = 1000


class Carrier(Protocol):
    """Takes instances to where they are wanted."""

    async def carry(self, instance: Stored) -> int:
        """The status of its C-STORE-RSP. `CannotGive`, and `Refused` where nothing can be taken there any more."""
        ...

    async def close(self) -> None:
        """Nothing more will be carried."""
        ...


@dataclass(slots=True)
class Counts:
    """Sub-operations (PS3.7 9.1.4.1): those to come, by UID, and what became of the others."""

    waiting: deque[str]
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, uid: str, status: int) -> None:
        """The C-STORE of ``uid`` was answered."""
        if status == SUCCESS:
            self.completed += 1
        elif status >> 12 == 0xB:
            self.warning += 1
        else:
            self.failed.append(uid)

    @property
    def status(self) -> int:
        """The final one, when everything was tried."""
        if self.failed and not self.completed and not self.warning:
            return CANNOT_SEND
        return SOME_FAILED if self.failed or self.warning else SUCCESS

    def elements(self, status: int) -> dict[str, int]:
        """Those of a response; what remains is told only where there may be any (PS3.7 9.1.4.1.7)."""
        counts = {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": len(self.failed),
            "NumberOfWarningSuboperations": self.warning,
        }
        counts |= {"NumberOfRemainingSuboperations": len(self.waiting)} if status in (PENDING, CANCEL) else {}
        return {keyword: min(count, 0xFFFF) for keyword, count in counts.items()}


class Retrieving(QueryRetrieve):
    """C-MOVE or C-GET."""

    _trouble = CANNOT_COUNT

    def __init__(
        self, models: Mapping[str, Model], field: int, search: Searches, retrieve: Lists, audit: AuditTrail
    ) -> None:
        super().__init__(models, field, Verb.RETRIEVE, audit)
        self._search, self._retrieve = search, retrieve

    async def _send(self, question: Question, what: str, carrier: Carrier, to: str = "") -> None:
        """List, carry, answer; ``what`` and ``to`` are recorded."""
        message = question.message
        listed = await unless_cancelled(message, self._listed(question, what, to))
        counts = Counts(deque(one.uid for one in listed))
        refused: Refused | None = None
        try:
            await _carry(message, listed, carrier, counts)
            status = counts.status
        except Cancelled:
            status = CANCEL
        except Refused as error:
            refused, status = error, error.status
        except VeilError as error:
            refused, status = refusal(error, CANNOT_SEND), CANNOT_SEND
        finally:
            await carrier.close()
        if refused is not None:  # nobody will try the others
            counts.failed += counts.waiting
        uids = counts.failed[:_MOST_FAILURES]
        data = encoded(failures(uids), message.context.syntax) if uids and status != SUCCESS else None
        told = refused.elements if refused is not None else {}
        await message.respond(status, data, **(told | counts.elements(status)))

    async def _listed(self, question: Question, what: str, to: str) -> list[Listed]:
        asked = wanted(question.model, question.identifier, question.relational)
        targets = asked.targets or [target async for target in self._found(question, asked)]
        return await self._retrieve.listed(question.project, targets, what, question.peer, to) if targets else []

    async def _found(self, question: Question, asked: Wanted) -> AsyncIterator[Target]:
        """The targets that a patient, or a relational query, has."""
        level, offset, more = "study" if asked.level == "patient" else asked.level, 0, True
        while more:
            query = replace(asked.query, fields=(UNIQUE[level],), limit=MOST, offset=offset)
            page = await self._search.search(question.project, level, asked.within, query, question.peer)
            for match in page.matches:
                uids = {name: first_value(match, tag) for name, tag in _UIDS.items()}
                yield Target(**{name: uids[name] for name in LEVELS[: LEVELS.index(level) + 1]})
            offset += len(page.matches)
            more = page.more and bool(page.matches)


async def _carry(message: Message, listed: list[Listed], carrier: Carrier, counts: Counts) -> None:
    """Each in its turn."""
    last = -_OFTEN

    async def report() -> None:
        nonlocal last
        last = time.monotonic()
        await message.respond(PENDING, None, **counts.elements(PENDING))

    async with aclosing(in_turn(listed)) as files:
        while (found := await unless_cancelled(message, _next(files), report)) is not None:
            one, path = found
            status = await reporting(_carried(carrier, path), report)
            counts.waiting.popleft()
            if path is not None or one.required:
                counts.add(one.uid, status)
            if not counts.waiting:
                continue
            if message.cancelled.is_set():
                raise Cancelled
            if time.monotonic() - last >= _OFTEN:
                await report()


async def _next(files: AsyncIterator[tuple[Listed, Path | None]]) -> tuple[Listed, Path | None] | None:
    return await anext(files, None)


async def _carried(carrier: Carrier, path: Path | None) -> int:
    if path is None:
        return CANNOT_SEND
    try:
        return await carrier.carry(await asyncio.to_thread(stored, path))
    except CannotGive:
        return CANNOT_SEND
