"""The encoded data set of a DICOM JSON object: explicit VR little endian, with holes where bulk data belongs.

The other way round is `dicom_json`. Text is written in UTF-8, and (0008,0005) says so (PS3.18 F.2). Group 0002 and
group lengths are left out. What a VR cannot hold is an `EncodeError`, which quotes no value. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.valuerep import format_number_as_ds

from proxy import IMPLEMENTATION_CLASS_UID
from proxy.wire.dicom_json import BINARY, CODED, NUMBERS, PN_GROUPS, Json
from proxy.wire.vr import LONG, explicit_header

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_CHARSET = 0x00080005
_DEEPEST = 64
_TEXT = CODED | frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_FLOATS = frozenset({"FL", "FD"})
_KEYS = frozenset({"vr", "Value", "InlineBinary", "BulkDataURI"})
_UNDEFINED = 0xFFFFFFFF
_PLAIN = frozenset({str, int, float})
_ITEM, _ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE000, _UNDEFINED), struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


class EncodeError(ValueError):
    """The object cannot be written as a data set; says what is wrong and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Hole:
    """An element whose value comes from elsewhere; ``top``: it stands in no sequence."""

    tag: int
    vr: str
    uri: str
    top: bool


Piece = bytes | Hole
#: what an element with one plain value became, by its name, VR, type and value
Memo = dict[tuple[str, str, type, Any], tuple[int, list[Piece]]]


def encode(instance: Json, memo: Memo | None = None) -> list[Piece]:
    """The elements of ``instance`` in the order of their tags; ``memo``: for many instances that are alike."""
    elements = dict(_elements(instance, 0, {} if memo is None else memo))
    if _CHARSET in elements or any(isinstance(p, _Wide) for pieces in elements.values() for p in pieces):
        elements[_CHARSET] = [_header_and(_CHARSET, "CS", b"ISO_IR 192")]
    return [piece for _, pieces in sorted(elements.items()) for piece in pieces]


class _Wide(bytes):
    """An element with text beyond ASCII: it needs a character set."""


def _elements(instance: Any, depth: int, memo: Memo) -> Iterator[tuple[int, list[Piece]]]:
    if not isinstance(instance, dict) or depth > _DEEPEST:
        raise EncodeError("not an object of attributes, or nested too deeply")
    for name in sorted(instance, key=str.upper):
        key = _key(name, instance[name])
        known = memo.get(key) if key else None
        if known is not None:
            yield known
            continue
        if not _TAG.fullmatch(name):
            raise EncodeError("an attribute that is not named by its tag")
        tag = int(name, 16)
        if tag >> 16 == 2 or not tag & 0xFFFF or (depth and tag == _CHARSET):
            continue
        if tag >> 16 < 8 or tag >> 16 >= 0xFFFE:
            raise EncodeError("an attribute of a group that no data set has")
        found = tag, _element(tag, instance[name], depth, memo)
        if key and tag != _CHARSET:  # in items it is left out
            memo[key] = found
        yield found


def _key(name: str, element: Any) -> tuple[str, str, type, Any] | None:
    """None for what is not remembered: all but one text or number, as nearly all elements have."""
    if type(element) is not dict or len(element) != 2:
        return None
    vr, values = element.get("vr"), element.get("Value")
    if type(vr) is not str or type(values) is not list or len(values) != 1:
        return None
    if type(values[0]) not in _PLAIN or values[0] == 0:  # of the zeros of FD one is negative, and equal
        return None
    return name, vr, type(values[0]), values[0]


def _element(tag: int, element: Any, depth: int, memo: Memo) -> list[Piece]:
    if not isinstance(element, dict) or not _KEYS.issuperset(element) or len(element) > 2:
        raise EncodeError("an attribute that is not vr and one kind of value")
    vr = element.get("vr")
    if vr not in LONG and vr not in _TEXT and vr not in NUMBERS and vr != "AT":
        raise EncodeError("an attribute without a VR")
    if "BulkDataURI" in element:
        if not isinstance(element["BulkDataURI"], str) or vr == "SQ":
            raise EncodeError("a BulkDataURI that is none")
        return [Hole(tag, vr, element["BulkDataURI"], depth == 0)]
    if "InlineBinary" in element:
        return [_header_and(tag, vr, _binary(element["InlineBinary"]))]
    values = element.get("Value", [])
    if not isinstance(values, list):
        raise EncodeError("values that are not a list")
    if vr == "SQ":
        return _sequence(tag, values, depth, memo)
    return [_header_and(tag, vr, _value(vr, values))]


def _sequence(tag: int, items: list[Any], depth: int, memo: Memo) -> list[Piece]:
    pieces: list[Piece] = [explicit_header(tag, "SQ", _UNDEFINED)]
    for item in items:
        inner = [piece for _, several in _elements(item or {}, depth + 1, memo) for piece in several]
        pieces += [_ITEM, *inner, _ITEM_END]
    return [*pieces, SEQUENCE_END]


def _header_and(tag: int, vr: str, value: bytes) -> bytes:
    text = vr in _TEXT and vr != "UI"
    value += (b" " if text else b"\0") * (len(value) % 2)
    whole = explicit_header(tag, vr, len(value)) + value
    return _Wide(whole) if vr in CODED and not value.isascii() else whole


def _binary(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise EncodeError("InlineBinary that is not base64") from None


def _value(vr: str, values: list[Any]) -> bytes:
    try:
        if vr == "AT":
            tags = [int(value, 16) for value in values if _TAG.fullmatch(value) or _no_tag()]
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        if vr in NUMBERS:
            kind = float if vr in _FLOATS else int
            return struct.pack(f"<{len(values)}{NUMBERS[vr]}", *(kind(_number(value)) for value in values))
        if vr in BINARY and values:
            raise EncodeError("a binary VR with values")
        return "\\".join(_text(vr, value) for value in values).encode()
    except (struct.error, ValueError, TypeError, OverflowError) as error:
        raise EncodeError("a value that its VR cannot hold") from error


def _no_tag() -> bool:
    raise ValueError("not a tag")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and value != value):
        raise ValueError("not a number")
    return value


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN" and isinstance(value, dict):
        return "=".join(str(value.get(group) or "") for group in PN_GROUPS).rstrip("=")
    if isinstance(value, (int, float)) and vr in ("DS", "IS") and not isinstance(value, bool):
        if vr == "IS" or value == int(value):
            return str(int(value))
        return repr(value) if len(repr(value)) <= 16 else format_number_as_ds(value)
    if not isinstance(value, str):
        raise EncodeError("a text that is none")
    return value


def fragment(length: int) -> bytes:
    """What stands before a fragment of encapsulated pixel data (PS3.5 A.4); an odd one is to be padded to even."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, length + length % 2)


def head(sop_class: str, instance: str, syntax: str) -> bytes:
    """What stands before the data set in a file (PS3.10 7.1): preamble, prefix, file meta information."""
    uids = ((0x00020002, sop_class), (0x00020003, instance), (0x00020010, syntax))
    meta = explicit_header(0x00020001, "OB", 2) + b"\0\1"
    meta += b"".join(_header_and(tag, "UI", uid.encode("ascii", "replace")) for tag, uid in uids)
    meta += _header_and(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
    return bytes(128) + b"DICM" + explicit_header(0x00020000, "UL", 4) + struct.pack("<I", len(meta)) + meta
