"""Questions in the Study Root model (PS3.4 C.4.1 and C.6.2), level by level, as identifiers of C-FIND. No I/O.

A hierarchical PACS answers at one level below given UIDs, so a question about lower levels goes down level by level.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from proxy.archive.attributes import ATTRIBUTES, COMPUTED, LEVELS, NESTED, UID_OF
from proxy.service.upstream import Question
from proxy.wire.dicom_json import CODED, NUMBERS, Json

_QUERY_LEVEL = {"study": "STUDY", "series": "SERIES", "instance": "IMAGE"}
#: C-FINDs of one question
_MOST_FINDS = 2000
_LEVEL_OF = (
    {a.keyword: level for level, rows in ATTRIBUTES.items() for a in rows}
    | {keyword: level for keyword, (level, *_) in COMPUTED.items()}
    | dict.fromkeys(NESTED, "series")
)
_TAG_OF = {level: f"{tag_for_keyword(keyword):08X}" for level, keyword in UID_OF.items()}


@dataclass(frozen=True, slots=True)
class Level:
    """A C-FIND at one level: keys with values, and keywords to be answered."""

    name: str
    keys: Mapping[str, str]
    fields: tuple[str, ...]


class TooBroad(Exception):
    """A question that would take too many C-FINDs."""


Ask = Callable[[Level, int], Awaitable[list[Json]]]


async def descend(question: Question, ask: Ask) -> list[Json]:
    """The matches of ``question``, by as few C-FINDs as it takes; with a limit, no more than offset and limit."""
    plan = [_level(question, name) for name in LEVELS[: LEVELS.index(question.level) + 1]]
    enough = question.limit + question.offset if question.limit else 0
    found: list[Json] = []
    finds = 0

    async def below(depth: int, path: Mapping[str, str], above: Json) -> None:
        nonlocal finds
        level = plan[depth]
        keyword, tag = UID_OF[level.name], _TAG_OF[level.name]
        own = level.keys.get(keyword, "")
        last = depth + 1 == len(plan)
        if not last and _single(own) and len(level.keys) == 1 and not level.fields:  # nothing to be learnt here
            return await below(depth + 1, {**path, keyword: own}, {**above, tag: _uid(own)})
        finds += 1
        if finds > _MOST_FINDS:
            raise TooBroad
        for match in await ask(Level(level.name, {**path, **level.keys}, level.fields), enough if last else 0):
            whole = {**above, **match}
            value = (match.get(tag, {}).get("Value") or [own])[0]
            if last:
                found.append(whole)
            elif isinstance(value, str) and _single(value):
                await below(depth + 1, {**path, keyword: value}, {**whole, tag: _uid(value)})
            if enough and len(found) >= enough:
                return None
        return None

    await below(0, {}, {})
    return found


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


def encoded(identifier: Dataset, implicit: bool) -> bytes:
    """The bytes of an identifier, little endian, with implicit or explicit VRs."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, True
    write_dataset(out, identifier)
    return out.getvalue()
