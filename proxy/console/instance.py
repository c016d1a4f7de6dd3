"""One instance's life: arrival, decision, quarantine, delivery, retrieval, in order, out of the audit log.

Where it stands now comes from the queue. Pseudonyms, digests, counts and codes; whoever asks sees his projects only,
and that he asked is a record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.console.audit_words import Told, told
from proxy.console.frame import Entry, Route, Visit, may
from proxy.errors import Reason
from proxy.service.audit_reading import Life, Visible, entry_of
from proxy.service.callers import EVERY, Verb
from proxy.service.held_words import advice_on
from proxy.service.ports import Peer

#: UIDs, ids and digests
_NAME = re.compile(r"[0-9A-Za-z.:_-]{1,100}")
#: type of record → the part of a life that it is of
STAGES = {
    "received": "Arrival", "released": "Decision", "held": "Decision", "refused": "Decision",
    "replayed": "Quarantine", "purged": "Quarantine", "quarantine-viewed": "Quarantine",
    "delivered": "Delivery", "rejected": "Delivery", "retrieved": "Retrieval", "withheld": "Retrieval",
}  # fmt: skip
#: members of ``object`` that say something of an instance, in words
_FACTS = {
    "size": "Bytes", "sop_class_uid": "SOP class", "transfer_syntax_uid": "Transfer syntax", "id": "Quarantine entry",
    "destination": "Destination", "code": "Its answer", "attempts": "Tries before", "what": "What was read",
    "instances": "Instances read with it", "why": "Why", "ticket": "Ticket",
}  # fmt: skip
_READ_OF = {"study": "the study", "series": "the series", "instance": "the instance", "patient": "the patient"}


class Reading(Protocol):
    """`AuditReading`."""

    async def life(self, of: str, visible: Visible, peer: Peer) -> Life:
        """Recorded first. Raises `AuditUnavailable`."""
        ...


#: `QueueLook.of`
Queued = Callable[[str, str], Awaitable[Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Step:
    """One record of a life."""

    stage: str
    told: Told
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A released instance at its destinations, now. ``committed``: what a sender would be told."""

    project: str
    uid: str
    rows: tuple[dict[str, str], ...]
    committed: str


class InstancePage:
    """`Part`: a form, and the life of what was asked for."""

    def __init__(self, reading: Reading, queued: Queued, projects: Sequence[str]) -> None:
        self._reading, self._queued = reading, queued
        self._may = may(Verb.AUDIT, [*projects, EVERY])

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/instance", "One instance", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/instance", self._shown, self._may),)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        of = visit.request.query.get("of", "").strip()
        if of and not _NAME.fullmatch(of):
            return self._page(visit, of[:100], Life(()), (), HTTPStatus.BAD_REQUEST)
        if not of:
            return self._page(visit, of, Life(()), ())
        life = await self._reading.life(of, visit.caller.where(Verb.AUDIT), visit.peer)
        released = dict.fromkeys(_released(life.lines))
        standings = [standing(project, uid, await self._queued(project, uid)) for project, uid in released]
        return self._page(visit, of, life, standings)

    def _page(
        self, visit: Visit, of: str, life: Life, standings: Sequence[Standing], status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        steps = [step(line) for line in life.lines]
        bad = status is HTTPStatus.BAD_REQUEST
        return visit.page("instance", status, of=of, steps=steps, standings=standings, back_to=life.back_to, bad=bad)


def step(line: bytes) -> Step:
    """The record of ``line``, which is one, as a part of a life."""
    record = json.loads(line)
    entry = entry_of(record)
    facts = [(words, entry.object[name]) for name, words in _FACTS.items() if name in entry.object]
    if entry.type == "retrieved":
        facts.append(("Read was", _READ_OF.get(entry.object.get("kind", ""), entry.object.get("kind", ""))))
    if entry.type == "delivered":
        facts.append(("Its answer", "accepted"))
    if entry.type == "held":
        facts += _advice(entry.reason)
    details = dict(entry.details)
    if digest := details.get("policy_digest"):
        facts += [("Policy digest", digest), ("Key epoch", details.get("key_epoch", "0"))]
    if done := [(name.partition(".")[2], count) for name, count in entry.details if name.startswith("counts.")]:
        facts.append(("What was done", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done)))
    return Step(STAGES.get(entry.type, "Besides"), told(line), tuple(facts))


def standing(project: str, uid: str, rows: Sequence[Mapping[str, Any]]) -> Standing:
    """Out of the rows of the queue; the last of a destination counts."""
    latest = {row["destination"]: row for row in rows}
    states = {row["state"] for row in latest.values()}
    committed = "pending"
    if not states:
        committed = "unknown"
    elif states == {"delivered"}:
        committed = "committed"
    elif "failed" in states:
        committed = "failed"
    shown = (
        {name: str(row[name]) for name in ("destination", "state", "attempts", "last_code")}
        | {name: _time(row[name]) for name in ("queued_at", "due_at")}
        for row in latest.values()
    )
    return Standing(project, uid, tuple(shown), committed)


def _released(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    """Project and pseudonymous UID of what was let out."""
    records = [entry_of(json.loads(line)) for line in lines]
    return [(each.project, each.object.get("sop_instance_uid", "")) for each in records if each.type == "released"]


def _advice(reason: str) -> list[tuple[str, str]]:
    try:
        advice = advice_on(Reason(reason))
    except (ValueError, KeyError):  # of another version
        return [("Reason", reason)]
    return [("Reason", reason), ("That means", advice.means), ("What to do", advice.todo)]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
