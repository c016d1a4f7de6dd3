"""One instance from its arrival to its delivery and retrieval, put together out of the audit log. Blocking; no records.

Records of one instance name it in different ways: its pseudonymous UID, the quarantine entry, the arrival, and the
keyed digest of the UID that its sender gave it, by which a held original and the copy that left later are known to be
the same. Retrievals of its series or study count, too. Nobody but the key's owner can tell what a digest stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.audit.lookup import Page, Question
from proxy.audit.selection import Selection, parsed

#: records that are shown of one instance
MOST = 200
#: searches that follow one another: by what was asked, by what that names, ...
_ROUNDS = 4
_UIDS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
#: what is recorded of a whole study or series, too
_READ = frozenset({"retrieved"})
Look = Callable[[Question], Page]


@dataclass(frozen=True, slots=True)
class Life:
    """``lines``: records in the order of their numbers, as they stand in the log.

    ``back_to``: the number of the record at which the search ended, 0 where it saw the whole log.
    """

    lines: tuple[bytes, ...]
    back_to: int = 0


def life_of(look: Look, of: str, visible: frozenset[str] | None) -> Life:
    """``of``: a pseudonymous SOP Instance UID, the id of a quarantine entry or arrival, or a digest."""
    search = _Search(look, visible)
    known, asked = {of}, set[str]()
    for _ in range(_ROUNDS):
        new = known - asked
        if not new:
            break
        asked |= new
        search.add(Selection(objects=frozenset(new)), lambda record: not known.isdisjoint(_names(record)))
        known.update(name for record in search.records() for name in _names(record))
    _arrivals(search)
    _readings(search)
    return Life(tuple(search.found[seq] for seq in sorted(search.found)), search.back_to)


class _Search:
    """Collects records, the newest first."""

    def __init__(self, look: Look, visible: frozenset[str] | None) -> None:
        self._look, self._visible = look, visible
        self.found: dict[int, bytes] = {}
        self.back_to = 0

    def add(self, selection: Selection, meant: Callable[[Mapping[str, Any]], bool], after: int = 0) -> None:
        """One page of what is selected, and meant; `back_to` where that was not all."""
        page = self._look(Question(selection.may_see(self._visible), after=after, limit=5 * MOST))
        for line in page.lines:
            record = parsed(line)
            if record is None or not meant(record):
                continue
            if len(self.found) >= MOST:
                self.back_to = max(self.back_to, record["seq"])
                break
            self.found[record["seq"]] = line
        if page.next is not None:
            self.back_to = max(self.back_to, page.next.before or 0)

    def records(self) -> Iterator[Mapping[str, Any]]:
        """What was found."""
        return (record for line in self.found.values() if (record := parsed(line)) is not None)

    def before(self, seq: int) -> bytes:
        """The record before number ``seq``; b"" where it may not be seen."""
        selection = Selection(types=frozenset({"received"})).may_see(self._visible)
        return next(iter(self._look(Question(selection, after=seq - 2, before=seq, limit=1)).lines), b"")


def _names(record: Mapping[str, Any]) -> Iterator[str]:
    """By what ``record`` names its one instance."""
    about = record.get("object", {})
    original = about.get("original")
    found = [about.get("sop_instance_uid"), about.get("arrival"), about.get("id") if _held(about) else ""]
    if isinstance(original, Mapping):
        found.append(original.get("sop_instance_uid"))
    yield from (name for name in found if isinstance(name, str) and name not in ("", "hidden"))


def _held(about: Mapping[str, Any]) -> bool:
    return about.get("kind") == "quarantine"


def _arrivals(search: _Search) -> None:
    """The arrival is the record before, where it does not name the instance itself."""
    for record in list(search.records()):
        if record.get("type") in ("released", "held") and "arrival" not in record["object"]:
            line = search.before(record["seq"])
            before = parsed(line) or {}
            if all(before.get(name) == record.get(name) for name in ("project", "peer")):
                search.found.setdefault(record["seq"] - 1, line)


def _readings(search: _Search) -> None:
    """Retrievals of the study or series since it was released."""
    released = [record for record in search.records() if record.get("type") == "released"]
    if not released:
        return
    ours = {(record["project"], *(record["object"].get(uid) for uid in _UIDS)) for record in released}
    above = frozenset(uid for _, study, series, _ in ours for uid in (study, series) if isinstance(uid, str))

    def holds(record: Mapping[str, Any]) -> bool:
        """Whether what was read is the instance, its series or its study."""
        stated = (record.get("project"), *(record.get("object", {}).get(uid) for uid in _UIDS))
        return any(all(said in (None, own) for said, own in zip(stated, each, strict=True)) for each in ours)

    search.add(Selection(types=_READ, objects=above), holds, min(record["seq"] for record in released))
