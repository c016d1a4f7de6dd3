"""Identifiers of Query/Retrieve requests (PS3.4 C.2.2, C.4): what is asked, in the words of `proxy.service.search`.

A key is read by `proxy.wire.uri` as a QIDO-RS parameter is, so both ways in match the same. What an identifier may not
say is `Refused`, with the element that is to blame and never its value. Pure.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.filereader import read_dataset

from proxy.archive.attributes import ATTRIBUTES, COMPUTED, LEVELS
from proxy.dimse.query_models import LEVEL_OF, UNIQUE, Model
from proxy.dimse.query_status import NOT_OF_SOP_CLASS, UNABLE, Refused
from proxy.wire.dicom_json import Json, Source, first_value, to_json
from proxy.wire.uri import Query, Target, UriError, is_uid, parse_query
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE

#: in which identifiers are read and answers written
SYNTAXES = (EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE)
MOST_BYTES = 1 << 20
_MOST_KEYS = 500
#: of the message and not of what is asked: character set, level, retrieve AE title
_LEVEL_TAG, _ABOUT = "00080052", frozenset({"00080005", "00080052", "00080054"})
#: says how the keys are meant, and matches nothing
_TIME_ZONE = "00080201"
_TEXT_ONLY = Source(bulk_uri=lambda path: "", read=lambda element: b"")
_PATIENT = frozenset({"PatientName", "PatientID", "PatientBirthDate", "PatientSex"})
#: At the level of patients, each added up over their studies: keyword → tag → tag of a study, "" for the study itself
PATIENT_COUNTS: Mapping[str, tuple[str, str]] = {
    "NumberOfPatientRelatedStudies": ("00201200", ""),
    "NumberOfPatientRelatedSeries": ("00201202", "00201206"),
    "NumberOfPatientRelatedInstances": ("00201204", "00201208"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A C-FIND: matches of ``level`` inside ``within`` (level → UID), and ``keys``, the tags to answer.

    ``unsupported``: one of the keys is none that is known at this level (PS3.4 C.4.1.1.4, FF01).
    """

    level: str
    within: Mapping[str, str]
    query: Query
    keys: tuple[str, ...]
    unsupported: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A C-MOVE or C-GET: what is wanted of ``level``, by unique keys.

    ``targets`` where the keys name them outright; else they are found by ``query`` inside ``within``.
    """

    level: str
    within: Mapping[str, str]
    query: Query
    targets: tuple[Target, ...]


def read(data: bytes, syntax: str) -> Json:
    """The identifier as a DICOM JSON object; `Refused`."""
    try:
        if syntax == DEFLATED_LE:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise Refused(UNABLE, "the identifier is too long")
        identifier = to_json(read_dataset(io.BytesIO(data), syntax == IMPLICIT_LE, True), _TEXT_ONLY)
    except (
        ValueError, LookupError, AttributeError, TypeError, NotImplementedError, RecursionError, EOFError, OSError,
        OverflowError, struct.error, zlib.error,
    ):  # fmt: skip  # what pydicom raises for bytes that are no data set
        raise Refused(UNABLE, "the identifier cannot be read") from None
    if len(identifier) > _MOST_KEYS:
        raise Refused(UNABLE, "the identifier has too many keys")
    return identifier


def asked(model: Model, identifier: Json, relational: bool) -> Asked:
    """What a C-FIND with ``identifier`` asks for; ``relational``: negotiated (PS3.4 C.4.1.2.2.1)."""
    level = _level(model, identifier)
    within, matches = _above(model, level, identifier, relational)
    known = supported(level, relational)
    keys, fields = list[str](), list[str]()
    found = {tag: keyword_for_tag(int(tag, 16)) for tag in identifier.keys() - _ABOUT}
    for tag, keyword in sorted(found.items()):
        if keyword in known:
            keys.append(tag)
            fields.append(keyword)
            if keyword not in {*matches, *(UNIQUE[name] for name in within)} and tag != _TIME_ZONE:
                matches |= _matches(tag, identifier[tag])
    return Asked(level, within, Query(matches, tuple(fields)), tuple(keys), len(keys) < len(found))


def wanted(model: Model, identifier: Json, relational: bool) -> Wanted:
    """What a C-MOVE or C-GET with ``identifier`` wants; other keys than unique ones say nothing (PS3.4 C.4.2.1.4.1)."""
    level = _level(model, identifier)
    within, matches = _above(model, level, identifier, relational)
    tag = tag_of(UNIQUE[level])
    values = _values(identifier, tag)
    if not values or not all(map(_plain, values)):
        raise Refused(NOT_OF_SOP_CLASS, "the unique key of the level is missing or a wildcard", int(tag, 16))
    query = Query(matches | _matches(tag, identifier[tag]))
    named = not matches and level != "patient" and within.keys() == set(LEVELS[: LEVELS.index(level)])
    targets = (Target(**(within | {level: value})) for value in dict.fromkeys(values)) if named else ()
    return Wanted(level, within, query, tuple(targets))


def _level(model: Model, identifier: Json) -> str:
    level = LEVEL_OF.get(first_value(identifier, _LEVEL_TAG), "")
    if level not in model.levels:
        raise Refused(NOT_OF_SOP_CLASS, "no such query/retrieve level in this SOP class", int(_LEVEL_TAG, 16))
    return level


def _above(model: Model, level: str, identifier: Json, relational: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The unique keys above ``level``: UIDs by level, and the patient's as a key to match.

    Each must be there with one value; a relational query may leave one out, or match it as any other key.
    """
    within, matches = dict[str, str](), dict[str, str]()
    for name in model.above(level):
        tag = tag_of(UNIQUE[name])
        values = _values(identifier, tag)
        if len(values) != 1 or not _plain(values[0]):
            if not relational:
                raise Refused(NOT_OF_SOP_CLASS, "a unique key above the level is missing", int(tag, 16))
        elif name == "patient":
            matches[UNIQUE[name]] = values[0]
        elif is_uid(values[0]):
            within[name] = values[0]
        else:
            raise Refused(UNABLE, "a UID that is none", int(tag, 16))
    return within, matches


def supported(level: str, relational: bool) -> frozenset[str]:
    """Keywords of what a match at ``level`` can be asked for."""
    if level == "patient":
        return _PATIENT | PATIENT_COUNTS.keys() | (_keywords("study") if relational else frozenset())
    return frozenset().union(*map(_keywords, LEVELS[: LEVELS.index(level) + 1]))


def _keywords(level: str) -> frozenset[str]:
    computed = (keyword for keyword, (of, *_) in COMPUTED.items() if of == level)
    return frozenset((*(a.keyword for a in ATTRIBUTES[level]), *computed))


def _matches(tag: str, element: Json) -> dict[str, str]:
    """What an element matches, by keyword, read as parameters of a search are; `Refused`."""
    try:
        return dict(parse_query(_parameters(tag, element)).matches)
    except UriError:
        raise Refused(UNABLE, "a key has a value that cannot be matched", int(tag[:8], 16)) from None


def _parameters(tag: str, element: Json) -> Iterator[tuple[str, str]]:
    """Nothing where there is no value to match (PS3.4 C.2.2.2.3)."""
    values = element.get("Value", [])
    if element["vr"] != "SQ":
        text = "\\".join(_text(value) for value in values)
        if text.strip("*"):
            yield tag, text
    elif len(values) > 1:  # PS3.4 C.2.2.2.6
        raise Refused(UNABLE, "a sequence to match has more than one item", int(tag[:8], 16))
    else:
        for item in values:
            for inner, nested in item.items():
                yield from ((f"{tag}.{name}", text) for name, text in _parameters(inner, nested))


def _text(value: object) -> str:
    """One value as it stands in a key; of a name the first group that is not empty."""
    if isinstance(value, dict):
        return next(iter(value.values()), "")
    return "" if value is None else str(value)


def _values(identifier: Json, tag: str) -> list[str]:
    return [text for value in identifier.get(tag, {}).get("Value", []) if (text := _text(value))]


def _plain(value: str) -> bool:
    return not set(value) & set("*?\\")


def tag_of(keyword: str) -> str:
    """Eight hexadecimal digits, as DICOM JSON has them."""
    return f"{tag_for_keyword(keyword):08X}"
