"""What the gate knows of each tag before it sees an instance: its VR, and whether what stands in it identifies.

Compiled once for a policy into arrays, so that kernels can look tags up. Holds nothing of any instance. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.compiled import compiled, inlined
from proxy.deid.identifiers import BIRTH_DATE, CLASS_UIDS, NUMBERS, PLACES
from proxy.deid.part10 import LONG_VRS, VRS
from proxy.deid.profile import Policy
from proxy.deid.reading import known_vr

#: what an attribute holds by its tag, or by its VR; a UID of a kind of things identifies nobody
NOTHING, NAME, NUMBER, PLACE, BIRTH, UID, CLASS_UID = range(7)
#: how a value is searched (see search.py): as bytes, as words, as UIDs, as dates and times, as a whole
BYTES, WORDS, UIDS, DATED, WHOLE = range(5)
_PATIENT_NAME = 0x00100010
_READ = {"UI": UIDS, **dict.fromkeys(("DA", "DT", "TM"), DATED), **dict.fromkeys(("AE", "AS", "CS", "DS", "IS"), WHOLE)}
_READ |= dict.fromkeys(("LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"), WORDS)
#: VRs of PS3.5 by number; 0 is none. What PS3.6 leaves open ("US or SS") follows
_STATED: tuple[str, ...] = ("", *sorted(VRS.values()))
UN, SQ, OB, OW, UI, PN = (_STATED.index(name) for name in ("UN", "SQ", "OB", "OW", "UI", "PN"))
#: a packed fact: VR in PS3.6, what it holds, and which of `Facts.tags` it is about, counted from 1
KNOWN_MASK, HOLDS_AT, HOLDS_MASK, TAG_AT = 0xFF, 8, 0xFF, 16
#: that of a tag which PS3.6 does not have
ABSENT = UN
#: (FFFF,FFFF) is no tag of anything
NO_TAG = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Facts:
    """One policy's facts. ``keys`` is open addressing over tags, `NO_TAG` where none is, ``packed`` lies beside it."""

    names: tuple[str, ...]
    tags: tuple[int, ...]
    vr_of: Callable[[int], str]
    keys: NDArray[np.uint32]
    packed: NDArray[np.int32]
    #: VR → how a value is searched
    reads: NDArray[np.uint8]
    #: two bytes of a VR, little endian → its number, 0 for what is no VR; and whether it has a long header
    stated: NDArray[np.uint8]
    long: NDArray[np.bool_]


@lru_cache(maxsize=64)
def facts_of(policy: Policy) -> Facts:
    """The facts under ``policy``."""
    return make_facts(policy.vrs)


def make_facts(listed: Mapping[int, str]) -> Facts:
    """Facts of PS3.6, and of what Table E.1-1 lists: VR by tag."""
    tags = sorted(DicomDictionary.keys() | listed.keys())
    vrs = {tag: listed.get(tag) or known_vr(tag) for tag in tags}
    names = (*_STATED, *sorted(set(vrs.values()) - set(_STATED)))
    numbers = {name: number for number, name in enumerate(names)}
    facts = [numbers[vrs[tag]] | _holds(tag) << HOLDS_AT | index << TAG_AT for index, tag in enumerate(tags, 1)]
    keys, packed = _addressed(tags, facts)
    return Facts(
        names,
        tuple(tags),
        lambda tag: listed.get(tag) or known_vr(tag),
        keys,
        packed,
        np.array([_READ.get(name, BYTES) for name in names], np.uint8),
        _stated(),
        np.array([name.encode("ascii") in LONG_VRS for name in names]),
    )


def _holds(tag: int) -> int:
    if tag in CLASS_UIDS:
        return CLASS_UID
    if tag == _PATIENT_NAME:  # under whatever VR it stands there
        return NAME
    return NUMBER if tag in NUMBERS else PLACE if tag in PLACES else BIRTH if tag == BIRTH_DATE else NOTHING


def _stated() -> NDArray[np.uint8]:
    table = np.zeros(65536, np.uint8)
    for raw, name in VRS.items():
        table[int.from_bytes(raw, "little")] = _STATED.index(name)
    return table


def _addressed(tags: list[int], facts: list[int]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    size = 1 << (len(tags) * 5 // 4).bit_length()
    keys, packed = np.full(size, NO_TAG, np.uint32), np.zeros(size, np.int32)
    _address(np.array(tags, np.int64), np.array(facts, np.int64), keys, packed)
    return keys, packed


@inlined
def slot(tag: int, size: int) -> Any:
    """Where in ``size`` places (a power of two) the search for a tag begins."""
    return (tag * 0x9E3779B1 >> 12) & (size - 1)


@compiled
def _address(tags: Any, facts: Any, keys: Any, packed: Any) -> None:
    for which in range(len(tags)):
        at = slot(tags[which], len(keys))
        while keys[at] != NO_TAG:
            at = (at + 1) & (len(keys) - 1)
        keys[at], packed[at] = tags[which], facts[which]
