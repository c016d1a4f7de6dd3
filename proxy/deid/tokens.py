"""The bounded pre-scan: every element of an encoded data set at every depth, as tokens, before any parser sees it.

Iterative, never recursive; the cost follows the number of elements, not of pixel bytes. It accounts for every byte:
tokens of one level tile their container, so what it returns is complete and what it cannot place is refused.
Values are not looked at. Pure. A compiled scanner will take its place behind the same interface.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.inflate import inflate
from proxy.deid.part10 import LONG_VRS, VRS, Limits, MetaElement, Part10, read_meta, read_part10
from proxy.errors import InstanceHeld, Reason

__all__ = [
    "ITEM",
    "UNDEFINED",
    "Limits",
    "MetaElement",
    "Part10",
    "Token",
    "inflate",
    "is_sequence",
    "read_meta",
    "read_part10",
    "scan",
]

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_DELIMITERS = 0xFFFE
_PIXEL_DATA = 0x7FE00010
#: A fragment is no element; still their number is bounded, as a multiple of the bound of elements.
_FRAGMENTS_PER_ELEMENT = 16
#: Sequences of PS3.15 Table E.1-1 that are younger than pydicom's dictionary.
_YOUNG_SEQUENCES = frozenset(
    {0x00081301, 0x00081302, 0x00081303, 0x00081304, 0x00100011, 0x00100014, 0x00100015, 0x00100041, 0x00100043}
    | {0x00100044, 0x00100046}
)


@dataclass(frozen=True, slots=True)
class Token:
    """One element, or one item (tag `ITEM`, vr "") in front of its elements; document order.

    ``vr`` is "" in implicit VR. ``length`` is as declared (`UNDEFINED` too); ``end`` is the first byte behind the
    element with its delimiter. ``depth`` counts the sequences around it; an item is as deep as its elements.
    """

    tag: int
    vr: str
    offset: int
    value_offset: int
    length: int
    end: int
    depth: int


@lru_cache(maxsize=8192)
def is_sequence(tag: int) -> bool:
    """Whether PS3.6 gives ``tag`` the VR SQ: a defined-length value without a VR, or UN, does not say so itself."""
    return tag in _YOUNG_SEQUENCES or (tag in DicomDictionary and DicomDictionary[tag][0] == "SQ")


def scan(
    data: memoryview,
    offset: int,
    *,
    implicit: bool,
    little: bool,
    limits: Limits,
    sequence: Callable[[int], bool] = is_sequence,
) -> list[Token]:
    """Tokens of the data set in ``data[offset:]``. Order within a level is free; a repeated tag is `MALFORMED`.

    `TRUNCATED`, `LENGTH_BEYOND_BUFFER`, `TOO_DEEP`, `TOO_MANY_ELEMENTS` and `MALFORMED` are the other refusals.
    UN of undefined length holds items in implicit VR little endian (PS3.5 6.2.2); so does UN of defined length whose
    tag is a sequence in PS3.6.
    """
    return _Scanner(data, limits, sequence).run(offset, implicit, little)


class _Frame:
    """An open data set (the root, an item) or an open sequence."""

    __slots__ = ("big", "defined", "depth", "end", "implicit", "index", "items", "seen")

    def __init__(self, items: bool, end: int, defined: bool, implicit: bool, big: bool, depth: int, index: int) -> None:
        self.items = items  # a sequence: its content is items; else its content is elements
        self.end = end  # no byte of it lies at or behind this; exact only where ``defined``
        self.defined = defined
        self.implicit = implicit
        self.big = big
        self.depth = depth
        self.index = index  # of the token that this frame closes, -1 for the root
        self.seen: set[int] = set()


_EXPLICIT = (struct.Struct("<HH2sH").unpack_from, struct.Struct(">HH2sH").unpack_from)
_IMPLICIT = (struct.Struct("<HHI").unpack_from, struct.Struct(">HHI").unpack_from)
_U32 = (struct.Struct("<I").unpack_from, struct.Struct(">I").unpack_from)


class _Scanner:
    def __init__(self, data: memoryview, limits: Limits, sequence: Callable[[int], bool]) -> None:
        self._data = data
        self._limits = limits
        self._sequence = sequence
        self._tokens: list[Token] = []
        self._stack: list[_Frame] = []
        self._fragments = 0

    def run(self, offset: int, implicit: bool, little: bool) -> list[Token]:
        if not 0 <= offset <= len(self._data):
            raise InstanceHeld(Reason.TRUNCATED, "no data set")
        self._stack.append(_Frame(False, len(self._data), True, implicit, not little, 0, -1))
        position = offset
        while self._stack:
            frame = self._stack[-1]
            if position == frame.end and frame.defined:
                self._close(position)
            elif frame.items:
                position = self._read_item(frame, position)
            else:
                position = self._read_element(frame, position)
        return self._tokens

    def _read_element(self, frame: _Frame, offset: int) -> int:
        """One header; returns the position behind the value, or its start where the value is opened."""
        if offset + 8 > frame.end:
            self._short(frame)
        if frame.implicit:
            group, number, length = _IMPLICIT[frame.big](self._data, offset)
            vr, start = "", offset + 8
        else:
            group, number, code, length = _EXPLICIT[frame.big](self._data, offset)
            vr, start = VRS.get(code, ""), offset + 8
        tag = group << 16 | number
        if group == _DELIMITERS:
            return self._end_item(frame, tag, offset)
        if not frame.implicit:
            if not vr:
                raise InstanceHeld(Reason.MALFORMED, "an element has an unknown VR", tag)
            if code in LONG_VRS:
                if start + 4 > frame.end:
                    self._short(frame)
                length = int(_U32[frame.big](self._data, start)[0])
                start += 4
        if tag in frame.seen:
            raise InstanceHeld(Reason.MALFORMED, "an element occurs twice", tag)
        frame.seen.add(tag)
        if length == UNDEFINED:
            return self._read_undefined(frame, tag, vr, offset, start)
        end: int = start + length
        if end > frame.end:
            self._beyond(end, tag)
        self._emit(Token(tag, vr, offset, start, length, end, frame.depth))
        if (vr == "SQ" or (vr in ("", "UN") and self._sequence(tag))) and length:
            self._open_sequence(frame, vr, end, True)
            return start
        return end

    def _read_undefined(self, frame: _Frame, tag: int, vr: str, offset: int, start: int) -> int:
        self._emit(Token(tag, vr, offset, start, UNDEFINED, -1, frame.depth))
        if tag == _PIXEL_DATA:
            if vr not in ("OB", "OW"):
                raise InstanceHeld(Reason.MALFORMED, "encapsulated pixel data without VR OB", tag)
            end = self._read_fragments(frame, start)
            self._tokens[-1] = Token(tag, vr, offset, start, UNDEFINED, end, frame.depth)
            return end
        if vr not in ("", "SQ", "UN"):
            raise InstanceHeld(Reason.MALFORMED, "an undefined length where the VR allows none", tag)
        self._open_sequence(frame, vr, frame.end, False)
        return start

    def _read_fragments(self, frame: _Frame, position: int) -> int:
        """PS3.5 A.4: items of defined length up to the sequence delimiter; walked by length."""
        unpack = _IMPLICIT[frame.big]
        while True:
            if position + 8 > frame.end:
                self._short(frame)
            group, number, length = unpack(self._data, position)
            tag = group << 16 | number
            position += 8
            if tag == _SEQUENCE_END and length == 0:
                return position
            self._fragments += 1
            if tag != ITEM or length == UNDEFINED:
                raise InstanceHeld(Reason.MALFORMED, "encapsulated pixel data is not a row of fragments", _PIXEL_DATA)
            if self._fragments > self._limits.elements * _FRAGMENTS_PER_ELEMENT:
                raise InstanceHeld(Reason.TOO_MANY_ELEMENTS, "too many fragments", _PIXEL_DATA)
            position += length
            if position > frame.end:
                self._beyond(position, _PIXEL_DATA)

    def _read_item(self, frame: _Frame, offset: int) -> int:
        """An item header or the delimiter of the sequence; items have no VR in any transfer syntax (PS3.5 7.5)."""
        if offset + 8 > frame.end:
            self._short(frame)
        group, number, length = _IMPLICIT[frame.big](self._data, offset)
        tag, start = group << 16 | number, offset + 8
        if tag == _SEQUENCE_END and not frame.defined and length == 0:
            return self._close(start)
        if tag != ITEM:
            raise InstanceHeld(Reason.MALFORMED, "a sequence holds something that is not an item")
        defined = length != UNDEFINED
        end = start + length if defined else frame.end
        if end > frame.end:
            self._beyond(end, tag)
        self._emit(Token(tag, "", offset, start, length, end if defined else -1, frame.depth))
        self._stack.append(_Frame(False, end, defined, frame.implicit, frame.big, frame.depth, len(self._tokens) - 1))
        return start

    def _end_item(self, frame: _Frame, tag: int, offset: int) -> int:
        if tag != _ITEM_END or frame.defined or _U32[frame.big](self._data, offset + 4)[0]:
            raise InstanceHeld(Reason.MALFORMED, "a delimiter where none belongs", tag)
        return self._close(offset + 8)

    def _open_sequence(self, frame: _Frame, vr: str, end: int, defined: bool) -> None:
        depth = frame.depth + 1
        if depth > self._limits.nesting_depth:
            raise InstanceHeld(Reason.TOO_DEEP, f"sequences are nested deeper than {self._limits.nesting_depth}")
        unknown = vr == "UN"
        implicit, big = frame.implicit or unknown, frame.big and not unknown
        self._stack.append(_Frame(True, end, defined, implicit, big, depth, len(self._tokens) - 1))

    def _close(self, position: int) -> int:
        frame = self._stack.pop()
        if not frame.defined:
            t = self._tokens[frame.index]
            self._tokens[frame.index] = Token(t.tag, t.vr, t.offset, t.value_offset, t.length, position, t.depth)
        return position

    def _emit(self, token: Token) -> None:
        if len(self._tokens) >= self._limits.elements:
            raise InstanceHeld(Reason.TOO_MANY_ELEMENTS, f"more than {self._limits.elements} elements and items")
        self._tokens.append(token)

    def _short(self, frame: _Frame) -> NoReturn:
        if frame.end == len(self._data):
            raise InstanceHeld(Reason.TRUNCATED, "the data set ends inside an element")
        raise InstanceHeld(Reason.MALFORMED, "an element reaches out of its sequence or item")

    def _beyond(self, end: int, tag: int) -> NoReturn:
        if end > len(self._data):
            raise InstanceHeld(Reason.LENGTH_BEYOND_BUFFER, "a length reaches beyond the end of the data set", tag)
        raise InstanceHeld(Reason.MALFORMED, "an element reaches out of its sequence or item", tag)
