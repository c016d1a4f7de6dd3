"""A query string as a question to the audit log, for programs and for people. What it does not know it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from multidict import MultiMapping

from proxy.audit.chain import stamp
from proxy.audit.lookup import Question
from proxy.audit.selection import LONGEST, MOST_VALUES, Selection

MOST = 1000
#: parameters that may come several times, in the order of `Selection`
SETS = ("type", "outcome", "project", "reason", "peer", "object")
#: parameters that come once
PAGING = frozenset({"after", "before", "since", "until", "order", "limit"})
#: both routes take `accept`, as every route of DICOMweb does
_EVERYWHERE = frozenset({"accept"})
_NEVER = datetime.min
_NUMBER = re.compile(r"[0-9]{1,15}")


class BadQuestion(ValueError):
    """The text says what is wrong, and nothing of what was asked."""


def question_of(query: MultiMapping[str]) -> Question:
    """What ``query`` asks for."""
    _known(query, PAGING.union(SETS))
    order = _once(query, "order", "newest")
    if order not in ("newest", "oldest"):
        raise BadQuestion("order is newest or oldest")
    before = number(query, "before")
    limit = number(query, "limit")
    since, until = (_moment(_once(query, name, ""), name) for name in ("since", "until"))
    return Question(
        replace(_sets(query), since=since, until=until),
        number(query, "after") or 0,
        before,
        order == "oldest",
        100 if limit is None else min(max(limit, 1), MOST),
    )


def selection_of(query: MultiMapping[str]) -> Selection:
    """What a stream is asked for; `after` is read with `number`."""
    _known(query, {"after", *SETS})
    return _sets(query)


def number(query: MultiMapping[str], name: str) -> int | None:
    """A number of a record, or of records; None where it is not there."""
    text = _once(query, name, "")
    return number_in(text, name) if text else None


def number_in(text: str, name: str) -> int:
    """The number that ``text`` is."""
    if not _NUMBER.fullmatch(text):
        raise BadQuestion(f"{name} is a number")
    return int(text)


def going_on(query: MultiMapping[str], following: Question) -> list[tuple[str, str]]:
    """The parameters that ask for the next page."""
    moved = {"after": str(following.after)} if following.oldest else {"before": str(following.before)}
    return [(name, value) for name, value in query.items() if name not in moved] + list(moved.items())


def _sets(query: MultiMapping[str]) -> Selection:
    found = [frozenset(query.getall(name, [])) for name in SETS]
    if any(len(values) > MOST_VALUES or any(len(value) > LONGEST for value in values) for values in found):
        raise BadQuestion("that is too much to ask for at once")
    types, outcomes, projects, reasons, peers, objects = found
    return Selection(types, outcomes, projects, reasons, peers, objects)


def _known(query: MultiMapping[str], names: Iterable[str]) -> None:
    if query.keys() - set(names) - _EVERYWHERE:
        raise BadQuestion("there is a parameter that is not known here")


def _once(query: MultiMapping[str], name: str, default: str) -> str:
    values = query.getall(name, [default])
    if len(values) > 1:
        raise BadQuestion(f"there is more than one {name}")
    return values[0]


def _moment(text: str, name: str) -> str:
    """As records state it; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        moment = _NEVER
    if moment is None:
        return ""
    if not 1970 <= moment.year < 3000:
        raise BadQuestion(f"{name} is a moment like 2026-11-21T09:30:00Z")
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
