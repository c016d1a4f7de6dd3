"""The head of a DICOM file (PS3.10 7.1): preamble, prefix and file meta information, read without any parser behind it.

Always explicit VR little endian. Bounded: at most 64 elements are looked at and no value but three UIDs is copied.
Pure; what cannot be read raises `InstanceHeld`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proxy.errors import InstanceHeld, Reason

PREAMBLE = 128
DATASET_AT_LEAST = PREAMBLE + 4
#: PS3.5 7.1.2: VRs whose header has two reserved bytes and a 32-bit length.
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
#: Every VR of PS3.5 6.2, by its two bytes.
VRS: dict[bytes, str] = {vr: vr.decode("ascii") for vr in sorted(LONG_VRS | _SHORT_VRS)}
_MOST_META = 64
_HEADER = struct.Struct("<HH2sH")
_U32 = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that every instance must keep before a parser sees it."""

    nesting_depth: int = 32
    elements: int = 200_000
    inflated_bytes: int = 1 << 30
    inflate_ratio: int = 100


class Part10(NamedTuple):
    """What the file meta information says, "" where it is silent, and where the data set begins."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int


class MetaElement(NamedTuple):
    """One element of group 0002: ``data[value_offset : value_offset + length]`` is its value."""

    tag: int
    vr: str
    value_offset: int
    length: int


def read_part10(data: memoryview) -> Part10:
    """Read the head; `NOT_DICOM` without preamble and prefix, else `TRUNCATED`, `LENGTH_BEYOND_BUFFER`, `MALFORMED`."""
    return head_of(data, read_meta(data))


def head_of(data: memoryview, elements: Sequence[MetaElement]) -> Part10:
    """What ``elements``, all of group 0002, say."""
    uids = {e.tag: _uid(data, e) for e in elements if e.tag in (0x00020002, 0x00020003, 0x00020010)}
    end = elements[-1].value_offset + elements[-1].length if elements else DATASET_AT_LEAST
    return Part10(uids.get(0x00020010, ""), uids.get(0x00020002, ""), uids.get(0x00020003, ""), end)


def read_meta(data: memoryview) -> list[MetaElement]:
    """Group 0002, in order. It ends where (0002,0000) says, or at the first element of another group."""
    if len(data) < DATASET_AT_LEAST or bytes(data[PREAMBLE:DATASET_AT_LEAST]) != b"DICM":
        raise InstanceHeld(Reason.NOT_DICOM, "no preamble and DICM prefix")
    elements: list[MetaElement] = []
    seen: set[int] = set()
    position, declared_end = DATASET_AT_LEAST, -1
    while position != declared_end and position + 2 <= len(data) and data[position] == 2 and data[position + 1] == 0:
        element = _read_element(data, position)
        if element.tag in seen or len(elements) >= _MOST_META:
            raise InstanceHeld(Reason.MALFORMED, "file meta information repeats an element or is too long", element.tag)
        elements.append(element)
        seen.add(element.tag)
        position = element.value_offset + element.length
        if element.tag == 0x00020000 and element.length == 4:
            declared_end = position + int(_U32.unpack_from(data, element.value_offset)[0])
    return elements


def _read_element(data: memoryview, position: int) -> MetaElement:
    if position + 8 > len(data):
        raise InstanceHeld(Reason.TRUNCATED, "the file ends inside the file meta information")
    group, number, vr, length = _HEADER.unpack_from(data, position)
    tag = group << 16 | number
    if vr not in VRS or vr == b"SQ":
        raise InstanceHeld(Reason.MALFORMED, "file meta information has an unknown VR", tag)
    start = position + 8
    if vr in LONG_VRS:
        if start + 4 > len(data):
            raise InstanceHeld(Reason.TRUNCATED, "the file ends inside the file meta information", tag)
        length = _U32.unpack_from(data, start)[0]
        start += 4
    if start + length > len(data):
        raise InstanceHeld(Reason.LENGTH_BEYOND_BUFFER, "a length reaches beyond the end of the file", tag)
    return MetaElement(tag, VRS[vr], start, length)


def _uid(data: memoryview, element: MetaElement) -> str:
    if element.length > 66:  # 64 and padding; the tolerance is for spaces
        raise InstanceHeld(Reason.MALFORMED, "a UID of the file meta information is too long", element.tag)
    raw = bytes(data[element.value_offset : element.value_offset + element.length])
    if not raw.isascii():
        raise InstanceHeld(Reason.MALFORMED, "a UID of the file meta information is not ASCII", element.tag)
    return raw.decode("ascii").strip(" \0")
