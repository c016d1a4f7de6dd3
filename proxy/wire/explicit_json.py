"""The DICOM JSON Model of an explicit VR little endian data set, from its bytes: `dicom_json` without pydicom objects.

For many alike: a ``memo`` holds what elements became, and an element of the same bytes is not made again. `ValueError`
for an encoding that it does not follow to its last byte; `dicom_json.to_json` reads more. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.wire.dicom_json import BINARY, PIXEL_GROUP, Json, Path, Source, encodings_of, plain
from proxy.wire.vr import LONG, element_vr

_CHARSET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_ITEM, _ITEM_END, _SEQUENCE_END, _UNDEFINED = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFFFFFF
_DEEPEST = 64
_VRS = {vr.encode(): vr for vr in LONG} | {
    vr.encode(): vr for vr in "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
}
_HEADER, _LENGTH, _ITEM_HEADER = (struct.Struct(form).unpack_from for form in ("<HH2sH", "<I", "<HHI"))
_Memo = dict[tuple[str, bytes, Sequence[str]], Json]
#: tag, VR, and the value or, of a sequence, its items
_Row = tuple[int, str, "bytes | list[list[_Row]]"]


@dataclass(slots=True)
class ExplicitJson:
    """Turns data sets into JSON objects, one after the other. Objects of elements are shared: change none."""

    source: Source
    _memo: _Memo = field(default_factory=dict)

    def of(self, data: bytes, start: int) -> Json:
        """The data set that begins at ``start`` and takes the rest of ``data``."""
        rows, stop = _rows(data, start, len(data), _at_the_end, 0)
        if stop != len(data):
            raise ValueError("bytes behind the data set")
        return self._object(rows, (), ("iso8859",), False)

    def _object(self, rows: list[_Row], path: Path, encodings: Sequence[str], signed: bool) -> Json:
        for tag, _, value in rows:
            if isinstance(value, bytes) and value:
                if tag == _CHARSET:
                    encodings = encodings_of(value)
                elif tag == _PIXEL_REPRESENTATION:
                    signed = any(value)
        return {f"{tag:08X}": self._element(tag, vr, value, path, encodings, signed) for tag, vr, value in rows}

    def _element(self, tag: int, vr: str, value: Any, path: Path, encodings: Sequence[str], signed: bool) -> Json:
        if isinstance(value, list):
            here = (*path, tag)
            objects = [self._object(item, (*here, index), encodings, signed) for index, item in enumerate(value)]
            return {"vr": vr, "Value": objects} if objects else {"vr": vr}
        vr = element_vr(tag, vr, signed)
        if vr in BINARY and value and (tag >> 16 == PIXEL_GROUP or len(value) > self.source.threshold):
            return {"vr": vr, "BulkDataURI": self.source.bulk_uri((*path, tag))}
        known = self._memo.get((vr, value, encodings))
        if known is None:
            known = self._memo[vr, value, encodings] = plain(vr, value, encodings) if value else {"vr": vr}
        return known


def _at_the_end(data: bytes, at: int) -> bool:
    return False


def _at(tag: int) -> Callable[[bytes, int], bool]:
    marker = struct.pack("<HHI", tag >> 16, tag & 0xFFFF, 0)
    return lambda data, at: data.startswith(marker, at)


_AT_ITEM_END, _AT_SEQUENCE_END = _at(_ITEM_END), _at(_SEQUENCE_END)


def _rows(data: bytes, at: int, stop: int, ends: Callable[[bytes, int], bool], depth: int) -> tuple[list[_Row], int]:
    """Elements from ``at`` until ``stop``, or until ``ends``; the position there."""
    rows: list[_Row] = []
    while at < stop and not ends(data, at):
        group, element, code, length = _unpacked(_HEADER, data, at)
        vr, at = _VRS.get(code, ""), at + 8
        if vr in LONG:
            (length,) = _unpacked(_LENGTH, data, at)
            at += 4
        value: Any
        if vr == "SQ":
            value, at = _items(data, at, length, stop, depth + 1)
        elif not vr or length > stop - at:
            raise ValueError("an element that cannot be followed")
        else:
            value, at = data[at : at + length], at + length
        if element and group > 2:
            rows.append((group << 16 | element, vr, value))
    return rows, at


def _items(data: bytes, at: int, length: int, limit: int, depth: int) -> tuple[list[list[_Row]], int]:
    defined = length != _UNDEFINED
    if depth > _DEEPEST or (defined and length > limit - at):
        raise ValueError("a sequence that cannot be followed")
    items, stop = list[list[_Row]](), at + length if defined else limit
    while at < stop and (defined or not _AT_SEQUENCE_END(data, at)):
        group, element, size = _unpacked(_ITEM_HEADER, data, at)
        at += 8
        whole = size != _UNDEFINED
        if group << 16 | element != _ITEM or (whole and size > stop - at):
            raise ValueError("an item that cannot be followed")
        rows, end = _rows(data, at, at + size if whole else stop, _at_the_end if whole else _AT_ITEM_END, depth)
        if (whole and end != at + size) or (not whole and not _AT_ITEM_END(data, end)):
            raise ValueError("an item without an end")
        items.append(rows)
        at = end if whole else end + 8
    if not defined and not _AT_SEQUENCE_END(data, at):
        raise ValueError("a sequence without an end")
    return items, at if defined else at + 8


def _unpacked(form: Callable[[bytes, int], tuple[Any, ...]], data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return form(data, at)
    except struct.error:
        raise ValueError("an element without an end") from None
