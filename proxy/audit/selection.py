"""Which records somebody asks for, and which of them may be shown. Pure: looks at one line at a time.

Most lines are passed over without being parsed: what a record must have to be meant stands in it as certain bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

#: members of a record by which can be asked, as they are called in a question, and the ones that are compared
BY_MEMBER = {"type": "types", "outcome": "outcomes", "project": "projects", "reason": "reasons"}
#: where a record states its moment: ``ts`` and ``type`` of an object would stand before
_STAMP = re.compile(rb'"ts":"([0-9T:.-]{26}Z)","type":"')
BY_VALUE = {"peer": ("peer", "behalf"), "object": ("object",)}
#: as many values may be asked for at once, and each be so long
MOST_VALUES, LONGEST = 50, 300


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for; an empty set asks for nothing in particular. Within a set one is enough, all sets count.

    ``visible``: the projects whose records may be shown at all; None for the whole log, site-wide records included.
    """

    types: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()  # an address, AE title or name of who did it, or on whose behalf
    objects: frozenset[str] = frozenset()  # a UID, id, digest, destination of what it was done to
    since: str = ""  # moments as records state them: from this one on,
    until: str = ""  # and before this one
    visible: frozenset[str] | None = None

    def test(self) -> Callable[[bytes], bool]:
        """Whether a line is meant, and may be shown."""
        needles = self.needles()

        def meant(line: bytes) -> bool:
            return all(any(needle in line for needle in any_of) for any_of in needles) and self.means(line)

        return meant

    def needles(self) -> list[tuple[bytes, ...]]:
        """What stands in every line that is meant, as it is written there: one of each."""
        found = [tuple(_text(value) for value in wanted) for wanted in (self.objects, self.peers) if wanted]
        members = {"reason": self.reasons, "type": self.types, "outcome": self.outcomes, "project": self.projects}
        found += [tuple(_member(name, value) for value in wanted) for name, wanted in members.items() if wanted]
        if self.visible is not None:
            found.append(tuple(_member("project", value) for value in self.visible))
        return found  # what is rarest mostly first: the search of a block ends with what it has none of

    def may_see(self, projects: frozenset[str] | None) -> Selection:
        """The same question by somebody who may see ``projects``; None: everything."""
        return replace(self, visible=projects)

    def asked(self) -> list[str]:
        """By what was asked, for a record of the question: never the values, which anybody can type."""
        return [field.name for field in fields(self) if field.name != "visible" and getattr(self, field.name)]

    def means(self, line: bytes) -> bool:
        """Whether a line that has the `needles` is meant, and may be shown."""
        if not self._near(line):
            return False
        record = parsed(line)
        if record is None or (self.visible is not None and record.get("project") not in self.visible):
            return False
        members = all(
            not wanted or record.get(name) in wanted
            for name, wanted in zip(BY_MEMBER, (self.types, self.outcomes, self.projects, self.reasons), strict=True)
        )
        values = all(
            not wanted or any(not wanted.isdisjoint(_texts(record.get(member))) for member in BY_VALUE[name])
            for name, wanted in zip(BY_VALUE, (self.peers, self.objects), strict=True)
        )
        moment = str(record.get("ts", ""))
        return members and values and self.since <= moment and (not self.until or moment < self.until)

    def _near(self, line: bytes) -> bool:
        """False for a line that says of itself that its time is another; most need not be parsed for that."""
        stated = _STAMP.search(line, max(0, line.rfind(b'"ts":"'))) if self.since or self.until else None
        moment = stated[1].decode("ascii") if stated is not None else ""
        return not moment or (self.since <= moment and (not self.until or moment < self.until))


EVERYTHING = Selection()


def parsed(line: bytes) -> dict[str, Any] | None:
    """The record of ``line``; None for what is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("seq"), int) else None


def _text(value: str) -> bytes:
    """As canonical JSON has it."""
    return json.dumps(value).encode("ascii")


def _member(name: str, value: str) -> bytes:
    return _text(name) + b":" + _text(value)


def _texts(value: object, names: bool = False) -> Iterator[str]:
    """Every text in ``value``, and ``names`` of members within: they are what some records list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from (name,) if names else ()
            yield from _texts(each, True)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, True)
