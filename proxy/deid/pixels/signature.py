"""Whether an instance is of a device and kind that a rule is about: comparisons joined by all, any and not.

`device_words` reads them from a file, importers make them; here they are only asked. A value is compared whole, with
the backslashes between its parts; an attribute that is missing compares as an empty text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from proxy.deid.pixels.attributes import Attributes, Path

BURNED_IN_ANNOTATION = 0x00280301


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute, one operator (of `OPERATORS`, `PATTERNS` or `STATES`); true when it holds for one of ``texts``."""

    path: Path
    operator: str
    texts: tuple[str, ...] = ()
    #: letters count as they are written
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; without parts it always does."""

    parts: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts holds."""

    parts: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Signature


Signature = Comparison | Every | Either | Not


@lru_cache(maxsize=1024)
def _pattern(text: str, exact: bool) -> re.Pattern[str]:
    return re.compile(text, 0 if exact else re.IGNORECASE)


def number_of(text: str) -> float | None:
    """The number in ``text``, None where it holds none; units and the like are passed over."""
    digits = re.sub(r"[^0-9.]", "", text)
    try:
        return float(digits)
    except ValueError:
        return None


def _below(value: str, text: str) -> bool:
    first, second = number_of(value), number_of(text)
    return first is not None and second is not None and first < second


#: comparisons of texts whose case has been dealt with
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda value, text: value == text,
    "has": lambda value, text: text in value.split("\\"),
    "contains": lambda value, text: text in value,
    "starts": lambda value, text: value.startswith(text),
    "ends": lambda value, text: value.endswith(text),
    "below": _below,
    "above": lambda value, text: _below(text, value),
}
#: regular expressions: on the whole value, or anywhere in it
PATTERNS: dict[str, Callable[[re.Pattern[str], str], bool]] = {
    "matches": lambda pattern, value: pattern.fullmatch(value) is not None,
    "search": lambda pattern, value: pattern.search(value) is not None,
}
STATES: dict[str, Callable[[str | None], bool]] = {
    "present": lambda value: value is not None,
    "empty": lambda value: value == "",
    "missing": lambda value: value is None,
}


def holds(signature: Signature, attributes: Attributes) -> bool:
    """Whether ``attributes`` are what ``signature`` says."""
    if isinstance(signature, Every):
        return all(holds(part, attributes) for part in signature.parts)
    if isinstance(signature, Either):
        return any(holds(part, attributes) for part in signature.parts)
    if isinstance(signature, Not):
        return not holds(signature.part, attributes)
    return _tested(signature, attributes.text(signature.path))


def _tested(test: Comparison, found: str | None) -> bool:
    if test.operator in STATES:
        return STATES[test.operator](found)
    value = found or ""
    if test.operator in PATTERNS:
        ask = PATTERNS[test.operator]
        return any(ask(_pattern(text, test.exact), value) for text in test.texts)
    compare = OPERATORS[test.operator]
    if test.exact:
        return any(compare(value, text) for text in test.texts)
    folded = value.casefold()
    return any(compare(folded, text.casefold()) for text in test.texts)


def comparisons(signature: Signature) -> Iterator[Comparison]:
    """Every comparison that speaks for a match; those under a `Not` are left out."""
    if isinstance(signature, Comparison):
        yield signature
    elif not isinstance(signature, Not):
        for part in signature.parts:
            yield from comparisons(part)
