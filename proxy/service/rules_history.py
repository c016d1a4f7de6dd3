"""The use case *who changed the rules*: starts, reloads and refused reloads, out of the audit log's own files.

What was read is kept: the log is read once from its end, and then what has come since. Digests, moments and names of
people only; nothing here is about an instance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from proxy.audit.lookup import Lookup, Question
from proxy.audit.selection import Selection, parsed

STARTED, TAKEN, REFUSED = "started", "rules-reloaded", "rules-refused"
_TYPES = Selection(types=frozenset({STARTED, TAKEN, REFUSED}))
#: as many changes are kept, and as many pages of the log looked through for them at once
MOST, _PAGES = 200, 5


@dataclass(frozen=True, slots=True)
class Change:
    """One record. ``before`` and ``after``: project → policy digest; ``why`` is set where it was refused."""

    seq: int
    moment: str
    type: str
    who: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    why: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Newest first. ``whole``: nothing older is in the log."""

    changes: Sequence[Change] = ()
    whole: bool = False

    def of(self, project: str) -> list[Change]:
        """Those that are about ``project``."""
        return [change for change in self.changes if project in change.after]

    def since(self, project: str, digest: str) -> Change | None:
        """What put ``digest`` into force: the oldest of the records since which it has been there without a break."""
        found = None
        for change in self.of(project):
            if change.type == REFUSED:
                continue
            if change.after[project] != digest:
                break
            found = change
        return found


class RulesHistory:
    """Reads the log of one site."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._turn = asyncio.Lock()
        self._known, self._seq = History(), 0

    async def read(self) -> History:
        """All that is known by now."""
        async with self._turn:
            last = self._lookup.last
            newer, whole = await asyncio.to_thread(self._newer, last)
            older = self._known if self._seq else History((), True)
            kept = (*newer, *(older.changes if whole else ()))
            self._known = History(_joined(kept[:MOST]), whole and older.whole and len(kept) <= MOST)
            self._seq = last
            return self._known

    def _newer(self, last: int) -> tuple[list[Change], bool]:
        question: Question | None = Question(_TYPES, after=self._seq, before=last + 1, limit=MOST)
        found: list[Change] = []
        for _ in range(_PAGES):
            if question is None or len(found) >= MOST:
                break
            page = self._lookup.page(question)
            found += [change for line in page.lines if (change := _change(line)) is not None]
            question = page.next
        return found, question is None


def _joined(changes: Sequence[Change]) -> tuple[Change, ...]:
    """A start does not say what was in force before it: that says the record before."""
    return tuple(
        _after(change, changes[at + 1 :]) if change.type == STARTED else change for at, change in enumerate(changes)
    )


def _after(change: Change, older: Sequence[Change]) -> Change:
    before: dict[str, str] = {}
    for each in older:
        for project, digest in each.after.items():
            before.setdefault(project, digest)
        if before.keys() >= change.after.keys():
            break
    return replace(change, before={name: before.get(name, "") for name in change.after})


def _change(line: bytes) -> Change | None:
    record = parsed(line)
    about = record.get("object") if record is not None else None
    policies = about.get("policies") if isinstance(about, Mapping) else None
    if record is None or not isinstance(policies, Mapping):
        return None
    pairs = {
        str(name): (str(each.get("before", "")), str(each.get("after", "")))
        if isinstance(each, Mapping)
        else ("", str(each))
        for name, each in policies.items()
    }
    peer = record.get("peer")
    return Change(
        record["seq"],
        str(record.get("ts", "")),
        str(record.get("type", "")),
        _who(peer if isinstance(peer, Mapping) else {}),
        {name: before for name, (before, _) in pairs.items()},
        {name: after for name, (_, after) in pairs.items()},
        str(record.get("reason", "")),
    )


def _who(peer: Mapping[str, object]) -> str:
    if peer.get("caller"):
        return str(peer["caller"]).removeprefix("user:")
    return "on the machine (veil reload)" if peer.get("transport") == "cli" else "Veil itself"
