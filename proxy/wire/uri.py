"""DICOMweb URIs (PS3.18 8.3 and 10.1): UIDs of a path, query parameters of a search, bulk data paths.

Reads and checks; knows no archive and no server. Messages of `UriError` never repeat what was asked for. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

#: PS3.5 9.1, but for leading zeros, which real equipment sends.
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_RANGE_VRS = frozenset({"DA", "TM", "DT"})
#: PS3.18 8.3.4-1 and 8.3.3: names that are no attributes; those of the second set are read and not supported.
RESERVED = frozenset({"limit", "offset", "includefield", "accept", "charset"})
UNSUPPORTED = frozenset({"fuzzymatching", "emptyvaluematching", "multiplevaluematching"})
_MAX_PARAMETERS = 100
_MAX_FIELDS = 500
#: Each more multiplies the work of matching; nobody needs so many.
_MAX_STARS = 5


class UriError(ValueError):
    """The request cannot be read: 400."""


@dataclass(frozen=True, slots=True)
class Target:
    """A study, one of its series, or one of its instances; "" below the level that is meant."""

    study: str
    series: str = ""
    instance: str = ""

    @property
    def level(self) -> str:
        """``study``, ``series`` or ``instance``."""
        return "instance" if self.instance else "series" if self.series else "study"

    @property
    def path(self) -> str:
        """Below the project's base, without a leading slash."""
        pairs = zip(("studies", "series", "instances"), (self.study, self.series, self.instance), strict=True)
        return "/".join(f"{name}/{uid}" for name, uid in pairs if uid)


@dataclass(frozen=True, slots=True)
class Query:
    """A search: matching keys by keyword (dotted inside sequences), and what to answer."""

    matches: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    #: names of parameters that were read and will not be obeyed
    ignored: tuple[str, ...] = ()


def is_uid(text: str) -> bool:
    """PS3.5 9.1: digits and full stops, 64 at most."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def parse_target(segments: Mapping[str, str]) -> Target:
    """The UIDs of a path, by ``study``, ``series``, ``instance``; `UriError` for one that is no UID."""
    target = Target(segments.get("study", ""), segments.get("series", ""), segments.get("instance", ""))
    for name in ("study", "series", "instance"):
        if name in segments and not is_uid(segments[name]):
            raise UriError(f"the {name} in the path is not a UID")
    return target


def parse_query(parameters: Iterable[tuple[str, str]]) -> Query:
    """Read the (decoded) query parameters of a search transaction (PS3.18 8.3.4)."""
    matches: dict[str, str] = {}
    fields: list[str] = []
    numbers: dict[str, int] = {}
    ignored: list[str] = []
    for count, (name, value) in enumerate(parameters):
        if count >= _MAX_PARAMETERS:
            raise UriError("too many query parameters")
        if name in UNSUPPORTED:
            if value.lower() != "false" and name not in ignored:
                ignored.append(name)
        elif name == "includefield":
            fields += [_attribute(part) or "" for part in value.split(",") if part]
        elif name in ("limit", "offset"):
            numbers[name] = _number(name, value)
        elif name not in RESERVED:
            keyword = _attribute(name)
            if keyword is None or keyword == "all":
                raise UriError("a query parameter is neither an attribute nor a known name")
            if keyword in matches:
                raise UriError("an attribute is given twice")
            matches[keyword] = _match_value(keyword, value)
    if len(fields) > _MAX_FIELDS:
        raise UriError("too many included fields")
    kept = tuple(dict.fromkeys(f for f in fields if f))
    return Query(matches, kept, numbers.get("limit"), numbers.get("offset", 0), tuple(ignored))


def _attribute(text: str) -> str | None:
    """Keyword of a tag, keyword or dotted path; an unknown tag stays eight hex digits; None for anything else."""
    if text.lower() == "all":
        return "all"
    names: list[str] = []
    for part in text.split("."):
        if _TAG.fullmatch(part):
            names.append(keyword_for_tag(int(part, 16)) or part.upper())
        elif part.isascii() and tag_for_keyword(part) is not None:
            names.append(part)
        else:
            return None
    return ".".join(names)


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise UriError(f"{name} is not a number")
    return int(value)


def _match_value(keyword: str, value: str) -> str:
    value = value.strip()
    if value.count("*") > _MAX_STARS:
        raise UriError("too many wildcards in a value to match")
    tag = tag_for_keyword(keyword.rsplit(".", maxsplit=1)[-1])
    vr = dictionary_VR(tag) if tag is not None else ""
    if vr == "UI":  # a UID list is joined with commas (PS3.18 8.3.4.1) or, by OHIF, with backslashes
        value = value.replace(",", "\\")
        if any(part and not is_uid(part) for part in value.split("\\")):
            raise UriError("a UID to match is not a UID")
    elif vr in _RANGE_VRS and not re.fullmatch(r"[0-9.:+\-]*", value):
        raise UriError("a date or time to match is neither a value nor a range")
    return value


def parse_bulk_path(text: str) -> tuple[int, ...]:
    """``7FE00010`` or ``54000100/0/54001010``: tags and item numbers, alternating; `UriError` otherwise."""
    parts = text.split("/")
    if len(parts) % 2 == 0 or len(parts) > 65:
        raise UriError("the bulk data path is not tag/item/.../tag")
    numbers: list[int] = []
    for index, part in enumerate(parts):
        if not (_TAG.fullmatch(part) if index % 2 == 0 else re.fullmatch(r"[0-9]{1,6}", part)):
            raise UriError("the bulk data path is not tag/item/.../tag")
        numbers.append(int(part, 16 if index % 2 == 0 else 10))
    return tuple(numbers)


def parse_frames(text: str) -> tuple[int, ...]:
    """``1,3,4``: frame numbers from one (PS3.18 10.4.1.1.6)."""
    parts = text.split(",")
    if len(parts) > 100_000 or not all(re.fullmatch(r"[1-9][0-9]{0,8}", part) for part in parts):
        raise UriError("the frame list is not numbers from one, separated by commas")
    return tuple(int(part) for part in parts)
