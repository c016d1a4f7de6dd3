"""C-FIND in the Study Root model (PS3.4 C.4.1 and C.6.2): questions as identifiers, answers as DICOM JSON objects.

A hierarchical PACS answers at one level below given UIDs, so a question about lower levels goes down level by level.
What a PACS answers is taken as it is, but for what tells of the PACS itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from proxy.archive.attributes import ATTRIBUTES, COMPUTED, LEVELS, NESTED, UID_OF
from proxy.dimse.asking import lost
from proxy.service.upstream import Question, UpstreamError
from proxy.wire.dicom_json import CODED, NUMBERS, Json, Source, to_json

if TYPE_CHECKING:
    from pynetdicom.association import Association

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_QUERY_LEVEL = {"study": "STUDY", "series": "SERIES", "instance": "IMAGE"}
#: Matches of one C-FIND; C-FINDs of one question; what may still come after a C-CANCEL.
_MOST, _MOST_FINDS, _AFTER_CANCEL = 100_000, 2000, 10_000
_PENDING = frozenset({0xFF00, 0xFF01})
_ENDED = frozenset({0x0000, 0xFE00})
#: character set, query/retrieve level, retrieve AE title: of the message and of the PACS, not of what was found
_NOT_AN_ANSWER = ("00080005", "00080052", "00080054")
_LEVEL_OF = (
    {a.keyword: level for level, rows in ATTRIBUTES.items() for a in rows}
    | {keyword: level for keyword, (level, *_) in COMPUTED.items()}
    | dict.fromkeys(NESTED, "series")
)
_TAG_OF = {level: f"{tag_for_keyword(keyword):08X}" for level, keyword in UID_OF.items()}
_TEXT_ONLY = Source(bulk_uri=lambda path: "", read=lambda element: b"")


@dataclass(frozen=True, slots=True)
class Level:
    """A C-FIND at one level: keys with values, and keywords to be answered."""

    name: str
    keys: Mapping[str, str]
    fields: tuple[str, ...]


class TooBroad(Exception):
    """A question that would take too many C-FINDs."""


Ask = Callable[[Level, int], list[Json]]


def descend(question: Question, ask: Ask) -> Iterator[Json]:
    """The matches of ``question``, by as few C-FINDs as it takes; stop when there are enough."""
    plan = [_level(question, name) for name in LEVELS[: LEVELS.index(question.level) + 1]]
    enough = question.limit + question.offset if question.limit else 0
    finds = 0

    def below(depth: int, path: Mapping[str, str], above: Json) -> Iterator[Json]:
        nonlocal finds
        level = plan[depth]
        keyword, tag = UID_OF[level.name], _TAG_OF[level.name]
        own = level.keys.get(keyword, "")
        last = depth + 1 == len(plan)
        if not last and _single(own) and len(level.keys) == 1 and not level.fields:  # nothing to be learnt here
            yield from below(depth + 1, {**path, keyword: own}, {**above, tag: _uid(own)})
            return
        finds += 1
        if finds > _MOST_FINDS:
            raise TooBroad
        for match in ask(Level(level.name, {**path, **level.keys}, level.fields), enough if last else 0):
            whole = {**above, **match}
            value = (match.get(tag, {}).get("Value") or [own])[0]
            if last:
                yield whole
            elif isinstance(value, str) and _single(value):
                yield from below(depth + 1, {**path, keyword: value}, {**whole, tag: _uid(value)})

    for count, match in enumerate(below(0, {}, {}), start=1):
        yield match
        if count == enough:
            return


def _level(question: Question, name: str) -> Level:
    """The part of ``question`` that is about level ``name``; what no table knows is about its own."""

    def mine(keywords: Iterable[str]) -> Iterator[str]:
        return (k for k in keywords if _LEVEL_OF.get(k, question.level) == name)

    fields = list(mine(question.fields))
    if name == question.level or "all" in question.fields:
        everything = "all" in question.fields
        fields += [a.keyword for a in ATTRIBUTES[name] if a.default or everything]
        fields += [keyword for keyword, (level, *_) in COMPUTED.items() if level == name]
    keys = {k: question.matches[k] for k in mine(question.matches) if question.matches[k]}
    return Level(name, keys, tuple(dict.fromkeys(f for f in fields if f != "all")))


def _single(uid: str) -> bool:
    return bool(uid) and not any(c in uid for c in "\\,*?")


def _uid(uid: str) -> Json:
    return {"vr": "UI", "Value": [uid]}


def identifier(level: Level) -> Dataset:
    """The identifier of a C-FIND. A key that its VR cannot hold is asked for instead of matched."""
    dataset = Dataset()
    if any(not value.isascii() for value in level.keys.values()):
        dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = _QUERY_LEVEL[level.name]
    for keyword in (UID_OF[level.name], *level.fields):
        _put(dataset, keyword, "")
    for keyword, value in level.keys.items():
        _put(dataset, keyword, value)
    return dataset


def _put(dataset: Dataset, keyword: str, value: str) -> None:
    first, _, rest = keyword.partition(".")
    tag = tag_for_keyword(first)
    if tag is None:
        return
    vr = dictionary_VR(tag).split(" or ")[0]
    if vr == "SQ":
        if tag not in dataset:
            dataset.add(DataElement(tag, vr, [Dataset()]))
        for nested in [rest] if rest else [key.partition(".")[2] for key in NESTED if key.startswith(f"{first}.")]:
            _put(dataset[tag].value[0], nested, value)
        return
    try:
        dataset.add(DataElement(tag, vr, _typed(vr, value), validation_mode=config.IGNORE))
    except (ValueError, TypeError, OverflowError):
        dataset.add(DataElement(tag, vr, None))


def _typed(vr: str, value: str) -> Any:
    if vr in NUMBERS and value:
        return float(value) if vr in ("FL", "FD") else int(value)
    return value if vr in CODED or value else None


def find(name: str, association: Association, dataset: Dataset, most: int) -> list[Json]:
    """One C-FIND; with ``most``, cancelled as soon as there are so many."""
    try:
        responses = association.send_c_find(dataset, STUDY_ROOT_FIND)
    except ValueError:
        raise UpstreamError(name, "no-context") from None
    found: list[Json] = []
    surplus, complete = 0, False
    for status, answer in responses:
        if "Status" not in status:
            raise lost(name, association, bool(found))
        if status.Status not in _PENDING:
            complete = True
            if status.Status not in _ENDED:
                raise UpstreamError(name, f"{status.Status:04X}")
        elif answer is None:
            raise UpstreamError(name, "unreadable")
        elif len(found) < (most or _MOST):
            found.append(_json(name, answer))
            if len(found) == (most or _MOST + 1):
                association.send_c_cancel(1, query_model=STUDY_ROOT_FIND)
        else:
            surplus += 1
            if not most or surplus > _AFTER_CANCEL:
                raise UpstreamError(name, "too-many")
    if not complete:
        raise lost(name, association, bool(found))
    return found


def _json(name: str, answer: Dataset) -> Json:
    try:
        found = to_json(answer, _TEXT_ONLY)
    except (ValueError, LookupError, AttributeError, NotImplementedError, RecursionError, struct.error):
        raise UpstreamError(name, "unreadable") from None
    for tag in _NOT_AN_ANSWER:
        found.pop(tag, None)
    return found
