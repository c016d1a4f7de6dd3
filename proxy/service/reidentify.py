"""The use case *reidentify*: one officer asks for a patient, another approves, the first opens what only both could.

Veil never has the value. It keeps the entry sealed, checks who signed what and in which order, and hands out the second
share once: after the request was marked as spent and the record of it is on disk. Every refusal is recorded too.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proxy.service import reidentify_events as events
from proxy.service.identifying import Drawer
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates
from proxy.service.reidentify_events import CLI, Whence
from proxy.service.reidentify_statements import OFTEN, Attempt, Statements
from proxy.service.reidentify_subjects import BY_ACTION, MANY, ONE, Subject, told
from proxy.service.reidentify_words import Message, Refused, asked_in, read, request_id
from proxy.store.identities import Entry, Identities
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
        keep_days: int | None = None,
    ) -> None:
        """``clock``: seconds since the epoch; ``often``: how often who comes over a network may.

        ``keep_days``: requests whose time has been over for so long are forgotten; None: never.
        """
        self._identities, self._requests, self._audit = identities, requests, audit
        self._statements = Statements(audit, drawers, clock, often or Rates(*OFTEN))
        self._clock, self._keep_days = clock, keep_days
        self._deciding = asyncio.Lock()

    @property
    def drawers(self) -> Mapping[str, Drawer]:
        """By project, for those that have one."""
        return self._statements.drawers

    async def take(self, step: str, message: Message, whence: Whence = CLI) -> Any:
        """A statement for one of `reidentify_words.STEPS` and `EXPORTS`; `Refused`, KeyError for another step."""
        subject = BY_ACTION[step]
        acts = {subject.asks: self._request, subject.approves: self._approve, subject.reads: self._reveal}
        act: Callable[[Attempt], Awaitable[Any]] = acts[step]
        return await self._statements.recorded(step, message, whence, act)

    async def requests(self, projects: frozenset[str] | None = None) -> list[dict[str, Any]]:
        """The newest requests and how they stand; of those that wait, the sealed entry for who may approve. No PHI.

        ``projects``: only those of these; None: of all. What an export is of is told by `find` alone.
        """
        return [await self._told(asked, False) for asked in await self._requests.newest(projects, _MOST)]

    async def find(self, request: str, projects: frozenset[str] | None = None) -> dict[str, Any] | None:
        """One of `requests`, however old; None for one that there is not in these projects."""
        asked = await self._requests.get(request)
        if asked is None or (projects is not None and asked.project not in projects):
            return None
        return await self._told(asked, True)

    async def _told(self, asked: Asked, whole: bool) -> dict[str, Any]:
        found = {name: getattr(asked, name) for name in ("request", "project", "requester", "state", "approver")}
        found |= {"statement": asked.statement, "signature": asked.signature, "expires_at": int(asked.expires_at)}
        found["asked_at"] = int(asked.asked_at)
        if asked.state in (ASKED, APPROVED) and self._clock() >= asked.expires_at:
            return found | {"state": "expired"}
        many = bool(asked.attached)
        entries = await self._entries(asked) if asked.state == ASKED and (whole or not many) else None
        if entries is None:
            return found
        if many:
            return found | {"list": asked.attached, "entries": [told(entry) for entry in entries]}
        return found | {"entry": told(entries[0])}

    async def _request(self, attempt: Attempt) -> str:
        said, known, message, drawer = attempt.said, attempt.known, attempt.message, attempt.drawer
        subject = BY_ACTION[said["action"]]
        known.patients = subject.count(said)
        subject.check(said, message.attached, drawer)
        if not 1 <= said["hours"] <= drawer.most_hours:
            raise Refused("too-long")
        now, who = self._clock(), attempt.officer.name
        attached = message.attached if subject is MANY else ""
        asked = Asked(
            *(request_id(message.statement), said["project"], who, message.statement, message.signature),
            *(now, now + said["hours"] * 3600),
            attached=attached,
        )
        async with self._deciding:
            if await self._requests.get(asked.request) is not None:
                raise Refused("replayed")
            if await self._requests.since(asked.project, who, now - _DAY, subject.asks) >= subject.per_day(drawer):
                raise Refused("too-many")
            if await self._entries(asked) is None:
                raise Refused("no-such-patient")
            known.about(asked, said)
            await self._audit.record(events.asked(asked, said, known, tuple(drawer.officers)))
            await self._requests.add(asked)
            if self._keep_days is not None:
                await self._requests.forget(now - self._keep_days * _DAY)
        return asked.request

    async def _approve(self, attempt: Attempt) -> str:
        officer, message = attempt.officer, attempt.message
        async with self._deciding:
            asked, subject = await self._found(attempt)
            requester = attempt.drawer.officers[asked.requester]
            if officer.name == asked.requester or officer.key_id == requester.key_id:
                raise Refused("self-approval")
            if asked.state != ASKED:
                raise Refused("not-waiting")
            self._timely(asked)
            agreed = subject.agreed(attempt.said, message.attached)
            await self._unchanged(asked, subject, agreed, requester, officer)
            await self._audit.record(events.approved(attempt.known, message))
            attached = (message.attached,) if subject is MANY else ()
            approval = message.statement, message.signature, *attached
            if not await self._requests.approve(asked.request, officer.name, *approval):
                raise Refused("not-waiting")
        return asked.request

    async def _reveal(self, attempt: Attempt) -> dict[str, Any]:
        asked, subject = await self._found(attempt)
        officer = attempt.officer
        if officer.name != asked.requester:
            raise Refused("not-the-requester")
        if asked.state != APPROVED:
            raise Refused("not-approved" if asked.state == ASKED else "spent")
        self._timely(asked)
        if asked.approver not in attempt.drawer.officers:
            raise Refused("unknown-officer")
        agreed = subject.agreed(read(subject.approves, asked.approval), asked.shares)
        entries = await self._unchanged(asked, subject, agreed, officer, officer)
        if not await self._requests.spend(asked.request):
            raise Refused("spent")
        handed = subject.handed(asked, entries, officer.key_id)
        await self._audit.record(events.revealed(attempt.known, attempt.message, handed))
        return handed

    async def _found(self, attempt: Attempt) -> tuple[Asked, Subject]:
        asked = await self._requests.get(attempt.said["request"])
        if asked is None or asked.project != attempt.said["project"]:
            raise Refused("no-such-request")
        attempt.known.about(asked, asked_in(asked.statement))
        subject = attempt.known.subject
        if BY_ACTION[attempt.said["action"]] is not subject:
            raise Refused("no-such-request" if subject is ONE else "bulk")
        # an officer who has left, or who has another key, has asked for nothing
        requester = attempt.drawer.officers.get(asked.requester)
        if requester is None or not requester.signed(asked.statement, asked.signature):
            raise Refused("unknown-officer")
        return asked, subject

    def _timely(self, asked: Asked) -> None:
        if self._clock() >= asked.expires_at:
            raise Refused("expired")

    async def _unchanged(
        self, asked: Asked, subject: Subject, agreed: str, requester: Officer, officer: Officer
    ) -> list[Entry]:
        """The entries that the approval is of, in which ``officer`` has a share of each."""
        entries = await self._entries(asked)
        if entries is None or not hmac.compare_digest(subject.digest(entries, requester.key_id), agreed):
            raise Refused("entry-changed")
        if not all(officer.key_id in entry.shares and requester.key_id in entry.shares for entry in entries):
            raise Refused("no-share")
        return entries

    async def _entries(self, asked: Asked) -> list[Entry] | None:
        """Of everybody who is asked for; None where one is missing."""
        said = asked_in(asked.statement)
        names = BY_ACTION[said["action"]].names(said, asked.attached)
        found = [await self._identities.get(asked.project, name) for name in names]
        entries = [entry for entry in found if entry is not None]
        return entries if len(entries) == len(names) else None
