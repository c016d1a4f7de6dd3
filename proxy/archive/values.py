"""One value, or frames, of a stored instance, as pieces that refer to the file (PS3.18 10.4.1.1.5 and 10.4.1.1.6).

Native values leave little endian; encapsulated pixel data leaves one bit stream per frame, as it is stored. Nothing is
decoded and no more than one frame is held. Reads files and changes none. Blocks: call it in a thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.encaps import generate_frames

from proxy.archive.encoded import FileRun, Piece, Stamp, read, size_of, stamp, value_piece
from proxy.wire.dicom_json import is_signed, raw_element
from proxy.wire.vr import EXPLICIT_LE, NATIVE, element_vr

_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


class NoSuchValue(LookupError):
    """The instance has no such element, item or frame."""


class NotInThisForm(Exception):
    """The value exists but cannot be given without decoding it."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Values for a multipart answer: one part each. ``syntax`` says how they are encoded, ``stamp`` in which file."""

    syntax: str
    stamp: Stamp
    parts: Iterator[list[Piece]]


def bulk(path: Path, where: tuple[int, ...]) -> Bulk:
    """The value at an element path; encapsulated pixel data gives one part per frame."""
    before, dataset = stamp(path), read(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    parent = _walk(dataset, where[:-1])
    if where[-1] not in parent:
        raise NoSuchValue
    element = raw_element(parent, where[-1])
    vr = element_vr(where[-1], element.VR, is_signed(parent, False))
    if vr == "SQ":
        raise NoSuchValue
    if where == (0x7FE00010,) and syntax not in NATIVE:
        return Bulk(syntax, before, _encapsulated(path, element, dataset, None))
    if not isinstance(element, RawDataElement):
        raise NotInThisForm
    return Bulk(EXPLICIT_LE, before, iter([[value_piece(element, vr, parent)]]))


def _walk(dataset: Dataset, steps: tuple[int, ...]) -> Dataset:
    for tag, number in zip(steps[::2], steps[1::2], strict=True):
        value = dataset[tag].value if tag in dataset else None
        if not isinstance(value, pydicom.Sequence) or number >= len(value):
            raise NoSuchValue
        dataset = value[number]
    return dataset


def frames(path: Path, numbers: tuple[int, ...]) -> Bulk:
    """Frames of the pixel data as they are stored: native little endian, or one compressed bit stream each."""
    before, dataset = stamp(path), read(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    tag = next((t for t in _PIXELS if t in dataset), None)
    if tag is None or max(numbers) > _frame_count(dataset):
        raise NoSuchValue
    element = raw_element(dataset, tag)
    if syntax not in NATIVE:
        return Bulk(syntax, before, _encapsulated(path, element, dataset, numbers))
    vr = element_vr(tag, element.VR, False)
    return Bulk(EXPLICIT_LE, before, iter(_native(dataset, value_piece(element, vr, dataset), numbers)))


def _frame_count(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _native(dataset: Dataset, value: Piece, numbers: tuple[int, ...]) -> list[list[Piece]]:
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits * 2 // 3
    if bits % 8 and _frame_count(dataset) > 1:  # single-bit frames that share a byte would have to be taken apart
        raise NotInThisForm
    size = (bits + 7) // 8
    if max(numbers) * size > size_of(value):
        raise NoSuchValue
    parts: list[list[Piece]] = []
    for number in numbers:
        start = (number - 1) * size
        if isinstance(value, FileRun):
            parts.append([FileRun(value.offset + start, size, value.word)])
        else:
            parts.append([value[start : start + size]])
    return parts


def _encapsulated(path: Path, element: Any, dataset: Dataset, wanted: tuple[int, ...] | None) -> Iterator[list[Piece]]:
    """One frame in memory at a time (PS3.5 A.4), in the order of the file."""
    source: BinaryIO = path.open("rb") if element.value is None else io.BytesIO(element.value)
    with source as file:
        if element.value is None:
            file.seek(element.value_tell)
        last = max(wanted) if wanted else _frame_count(dataset)
        for number, frame in enumerate(generate_frames(file, number_of_frames=_frame_count(dataset)), start=1):
            if wanted is None or number in wanted:
                yield [frame]
            if number >= last:
                return
