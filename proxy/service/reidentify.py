"""The use case *reidentify*: one officer asks for one patient, another approves, the first opens what only both could.

Veil never has the value. It keeps the entry sealed, checks who signed what and in which order, and hands out the second
share once: after the request was marked as spent and the record of it is on disk. Every refusal is recorded too.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

from proxy.service import reidentify_events as events
from proxy.service.identifying import Drawer
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates
from proxy.service.reidentify_events import CLI, Whence
from proxy.service.reidentify_statements import OFTEN, Attempt, Statements
from proxy.service.reidentify_words import APPROVE, REQUEST, REVEAL, Message, Refused, read, request_id
from proxy.store.identities import Entry, Identities, plain_of
from proxy.store.officers import Officer
from proxy.store.reidentifications import APPROVED, ASKED, Asked, Reidentifications

_DAY = 86_400
#: Of so many requests, the newest, it is told how they stand.
_MOST = 500


class Reidentify:
    """Works on the drawers of projects that have one."""

    def __init__(
        self,
        identities: Identities,
        requests: Reidentifications,
        audit: AuditTrail,
        drawers: Mapping[str, Drawer],
        clock: Callable[[], float] = time.time,
        often: Rates | None = None,
    ) -> None:
        """``clock``: seconds since the epoch; ``often``: how often who comes over a network may."""
        self._identities, self._requests, self._audit = identities, requests, audit
        self._statements = Statements(audit, drawers, clock, often or Rates(*OFTEN))
        self._clock = clock
        self._deciding = asyncio.Lock()

    @property
    def drawers(self) -> Mapping[str, Drawer]:
        """By project, for those that have one."""
        return self._statements.drawers

    async def take(self, step: str, message: Message, whence: Whence = CLI) -> Any:
        """A statement for one of `reidentify_words.STEPS`; `Refused`."""
        steps = {REQUEST: self.request, APPROVE: self.approve, REVEAL: self.reveal}
        return await steps[step](message, whence)

    async def request(self, message: Message, whence: Whence = CLI) -> str:
        """Take a request; the id by which it goes on. `Refused`."""
        return await self._statements.recorded(REQUEST, message, whence, self._request)

    async def approve(self, message: Message, whence: Whence = CLI) -> str:
        """Take a second officer's approval, with his share sealed to the requester; the request's id. `Refused`."""
        return await self._statements.recorded(APPROVE, message, whence, self._approve)

    async def reveal(self, message: Message, whence: Whence = CLI) -> dict[str, Any]:
        """The entry and the approver's share, once, after the record of it is durable. `Refused`."""
        return await self._statements.recorded(REVEAL, message, whence, self._reveal)

    async def requests(self, projects: frozenset[str] | None = None) -> list[dict[str, Any]]:
        """The newest requests and how they stand; of those that wait, the sealed entry for who may approve. No PHI.

        ``projects``: only those of these; None: of all.
        """
        now = self._clock()
        return [await self._told(asked, now) for asked in await self._requests.newest(projects, _MOST)]

    async def find(self, request: str, projects: frozenset[str] | None = None) -> dict[str, Any] | None:
        """One of `requests`, however old; None for one that there is not in these projects."""
        asked = await self._requests.get(request)
        if asked is None or (projects is not None and asked.project not in projects):
            return None
        return await self._told(asked, self._clock())

    async def _told(self, asked: Asked, now: float) -> dict[str, Any]:
        told = {name: getattr(asked, name) for name in ("request", "project", "requester", "state", "approver")}
        told |= {"statement": asked.statement, "signature": asked.signature, "expires_at": int(asked.expires_at)}
        told["asked_at"] = int(asked.asked_at)
        if asked.state in (ASKED, APPROVED) and now >= asked.expires_at:
            return told | {"state": "expired"}
        entry = await self._entry(asked) if asked.state == ASKED else None
        return told if entry is None else told | {"entry": _handed(entry)}

    async def _request(self, attempt: Attempt) -> str:
        said, known = attempt.said, attempt.known
        known.patients = len(said["pseudonyms"])
        if known.patients != 1:
            raise Refused("bulk")
        if not 1 <= said["hours"] <= attempt.drawer.most_hours:
            raise Refused("too-long")
        statement, now = attempt.message.statement, self._clock()
        who, until = attempt.officer.name, now + said["hours"] * 3600
        asked = Asked(request_id(statement), said["project"], who, statement, attempt.message.signature, now, until)
        async with self._deciding:
            if await self._requests.get(asked.request) is not None:
                raise Refused("replayed")
            if await self._requests.since(asked.project, who, now - _DAY) >= attempt.drawer.per_day:
                raise Refused("too-many")
            if await self._entry(asked) is None:
                raise Refused("no-such-patient")
            known.about(asked, said)
            await self._audit.record(events.asked(asked, said, known, tuple(attempt.drawer.officers)))
            await self._requests.add(asked)
        return asked.request

    async def _approve(self, attempt: Attempt) -> str:
        officer = attempt.officer
        async with self._deciding:
            asked = await self._found(attempt)
            if officer.name == asked.requester or officer.key_id == attempt.drawer.officers[asked.requester].key_id:
                raise Refused("self-approval")
            if asked.state != ASKED:
                raise Refused("not-waiting")
            self._timely(asked)
            await self._unchanged(asked, attempt.said["entry"], officer)
            await self._audit.record(events.approved(attempt.known))
            if not await self._requests.approve(asked.request, officer.name, attempt.message.statement):
                raise Refused("not-waiting")
        return asked.request

    async def _reveal(self, attempt: Attempt) -> dict[str, Any]:
        asked = await self._found(attempt)
        if attempt.officer.name != asked.requester:
            raise Refused("not-the-requester")
        if asked.state != APPROVED:
            raise Refused("not-approved" if asked.state == ASKED else "spent")
        self._timely(asked)
        if asked.approver not in attempt.drawer.officers:
            raise Refused("unknown-officer")
        approval = read(APPROVE, asked.approval)
        entry = await self._unchanged(asked, approval["entry"], attempt.officer)
        if not await self._requests.spend(asked.request):
            raise Refused("spent")
        await self._audit.record(events.revealed(attempt.known))
        return {"entry": _handed(entry), "share": approval["share"]}

    async def _found(self, attempt: Attempt) -> Asked:
        asked = await self._requests.get(attempt.said["request"])
        if asked is None or asked.project != attempt.said["project"]:
            raise Refused("no-such-request")
        attempt.known.about(asked, read(REQUEST, asked.statement))
        # an officer who has left, or who has another key, has asked for nothing
        requester = attempt.drawer.officers.get(asked.requester)
        if requester is None or not requester.signed(asked.statement, asked.signature):
            raise Refused("unknown-officer")
        return asked

    def _timely(self, asked: Asked) -> None:
        if self._clock() >= asked.expires_at:
            raise Refused("expired")

    async def _unchanged(self, asked: Asked, digest: str, officer: Officer) -> Entry:
        """The entry that the approval is of, in which ``officer`` has a share."""
        entry = await self._entry(asked)
        if entry is None or not hmac.compare_digest(entry.digest, digest):
            raise Refused("entry-changed")
        if officer.key_id not in entry.shares:
            raise Refused("no-share")
        return entry

    async def _entry(self, asked: Asked) -> Entry | None:
        return await self._identities.get(asked.project, read(REQUEST, asked.statement)["pseudonyms"][0])


def _handed(entry: Entry) -> dict[str, Any]:
    return {"key_epoch": entry.key.epoch, **plain_of(entry)}
