"""Elements to bytes: the data set (PS3.5 7.1) and the file meta information (PS3.10 7.1). Deterministic and pure.

Values are encoded already; here they get a header and an even length. Sequences and items have defined lengths, but for
private sequences in implicit VR; group lengths are never written, whatever the input did.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.deid.level import Run
from proxy.deid.part10 import LONG_VRS
from proxy.errors import InstanceHeld, Reason

#: 32-bit length fields by VR (PS3.5 7.1.2)
_LONG = frozenset(vr.decode("ascii") for vr in LONG_VRS)
#: what pads a value to even length: NUL for UI and binary, else a space (PS3.5 6.2)
_NUL_PADDED = frozenset({"", "UI", "OB", "UN"})
_MOST, _UNDEFINED = 0xFFFFFFFE, 0xFFFFFFFF
_END_OF_SEQUENCE = bytes.fromhex("feffdde000000000")


class Element(NamedTuple):
    """One element to write. ``vr`` may be "" only in implicit VR. A sequence's value is its items."""

    tag: int
    vr: str
    value: bytes | tuple[Item, ...]


Part = Element | Run
Item = tuple[Part, ...]


def encode_dataset(elements: Iterable[Part], *, implicit: bool, little: bool) -> bytes:
    """The elements in the order given, which must be by tag."""
    out = bytearray()
    for element in elements:
        _write(out, element, implicit, "<" if little else ">")
    return bytes(out)


def encode_head(transfer_syntax: str, sop_class: str, sop_instance: str) -> bytes:
    """A zero preamble, the prefix and group 0002, made anew: nothing of the input's is copied (PS3.15 E.1.1)."""
    uids = ((0x00020002, sop_class), (0x00020003, sop_instance), (0x00020010, transfer_syntax))
    told = _meta(*(Element(tag, "UI", uid.encode("ascii")) for tag, uid in uids))
    length = _meta(Element(0x00020000, "UL", struct.pack("<I", len(_VERSION) + len(told) + len(_IMPLEMENTATION))))
    return b"".join((_PREAMBLE, length, _VERSION, told, _IMPLEMENTATION))


def _meta(*elements: Element) -> bytes:
    return encode_dataset(elements, implicit=False, little=True)


def bulk_head(tag: int, vr: str, length: int, *, implicit: bool, little: bool) -> bytes:
    """The header of a value of ``length`` bytes that is not written here: pixel data. ``vr`` one of the long ones."""
    order = "<" if little else ">"
    if implicit:
        return struct.pack(f"{order}HHI", tag >> 16, tag & 0xFFFF, length)
    return struct.pack(f"{order}HH2s2xI", tag >> 16, tag & 0xFFFF, vr.encode("ascii"), length)


def _write(out: bytearray, element: Part, implicit: bool, order: str) -> None:
    if isinstance(element, Run):
        out += element.data
        return
    value = element.value if isinstance(element.value, bytes) else _items(element.value, implicit, order)
    if implicit and element.tag >> 16 & 1 and not isinstance(element.value, bytes):
        # nothing else would tell a reader that these are items
        out += struct.pack("<HHI", element.tag >> 16, element.tag & 0xFFFF, _UNDEFINED) + value + _END_OF_SEQUENCE
        return
    if len(value) % 2:
        value += b"\0" if element.vr in _NUL_PADDED else b" "
    group, number, length = element.tag >> 16, element.tag & 0xFFFF, len(value)
    vr = element.vr
    if not implicit and vr not in _LONG and length > 0xFFFE:
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "a value is too long for its VR", element.tag)
    if length > _MOST:
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "a value is longer than 4 GiB", element.tag)
    if implicit:
        out += struct.pack(f"{order}HHI", group, number, length)
    elif vr in _LONG:
        out += struct.pack(f"{order}HH2s2xI", group, number, vr.encode("ascii"), length)
    elif len(vr) == 2:
        out += struct.pack(f"{order}HH2sH", group, number, vr.encode("ascii"), length)
    else:
        raise InstanceHeld(Reason.ENGINE_ERROR, "an element without a VR", element.tag)
    out += value


def _items(items: tuple[Item, ...], implicit: bool, order: str) -> bytes:
    out = bytearray()
    for item in items:
        start = len(out)
        out += struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0)
        for element in item:
            _write(out, element, implicit, order)
        length = len(out) - start - 8
        if length > _MOST:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "an item is longer than 4 GiB")
        struct.pack_into(f"{order}I", out, start + 4, length)
    return bytes(out)


_PREAMBLE, _VERSION = bytes(128) + b"DICM", _meta(Element(0x00020001, "OB", b"\0\1"))
_IMPLEMENTATION = _meta(
    Element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
    Element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
)
