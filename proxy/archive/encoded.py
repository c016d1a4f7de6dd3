"""Stored Part 10 files as the web may have them: whole, one value, or frames, as pieces that refer to the file.

Implicit VR and big endian must not leave by web (PS3.18 8.7.3): their headers are written anew as explicit VR little
endian and words are swapped; pixel data is never decoded and never held whole. Reads files and changes none. Blocks:
call it in a thread.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info

from proxy.wire.dicom_json import Json, Source, is_signed, raw_element, raw_elements, to_json
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_LE, NATIVE, NOT_FOR_WEB, WORD, element_vr, explicit_header, swap

UNDEFINED = 0xFFFFFFFF
_DEFER = 64 * 1024
_BLOCK = 256 * 1024
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@dataclass(frozen=True, slots=True)
class FileRun:
    """``length`` bytes of the stored file from ``offset``; words of ``word`` bytes are swapped on the way out."""

    offset: int
    length: int
    word: int = 1


Piece = bytes | FileRun


class NoSuchValue(LookupError):
    """The instance has no such element, item or frame."""


class NotInThisForm(Exception):
    """The value exists but cannot be given without decoding it."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Values for a multipart answer: one part each. ``syntax`` says how they are encoded."""

    syntax: str
    parts: Iterator[list[Piece]]


def stored_syntax(path: Path) -> str:
    """The transfer syntax a file is stored in."""
    return str(read_file_meta_info(path).TransferSyntaxUID)


def web_syntax(stored: str) -> str:
    """The transfer syntax it leaves in."""
    return EXPLICIT_LE if stored in NOT_FOR_WEB else stored


def blocks(path: Path, pieces: list[Piece]) -> Iterator[bytes]:
    """The bytes of ``pieces``, a block at a time."""
    with path.open("rb") as file:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            file.seek(piece.offset)
            left = piece.length
            while left:
                block = file.read(min(_BLOCK, left))
                if not block:
                    raise OSError("the stored file is shorter than it was")
                left -= len(block)
                yield swap(block, piece.word)


def instance(path: Path) -> list[Piece]:
    """A whole Part 10 file: as stored, or rewritten as explicit VR little endian."""
    if stored_syntax(path) not in NOT_FOR_WEB:
        return [FileRun(0, path.stat().st_size)]
    dataset = _read(path)
    meta = DicomBytesIO()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(EXPLICIT_LE)
    write_file_meta_info(meta, dataset.file_meta, enforce_standard=True)
    head: list[Piece] = [bytes(128) + b"DICM" + meta.getvalue()]
    return head + _explicit(dataset, False)


def metadata(path: Path) -> Json:
    """DICOM JSON with bulk data named relative to the instance: ``bulkdata/7FE00010``."""
    return to_json(_read(path), _source(path))


def header(path: Path, tags: list[int]) -> tuple[str, Json]:
    """The transfer syntax and the DICOM JSON of a few elements."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*tags])
    return str(dataset.file_meta.TransferSyntaxUID), to_json(dataset, _source(path))


def _source(path: Path) -> Source:
    def read(element: RawDataElement) -> bytes:
        with path.open("rb") as file:
            file.seek(element.value_tell)
            return file.read(element.length)

    def name(where: tuple[int, ...]) -> str:
        return "bulkdata/" + "/".join(f"{n:08X}" if i % 2 == 0 else str(n) for i, n in enumerate(where))

    return Source(name, read)


def _read(path: Path) -> Dataset:
    # pydicom takes the offset of a deferred value for one in the file: not so when the data set is deflated
    deferrable = stored_syntax(path) != DEFLATED_LE
    return pydicom.dcmread(path, defer_size=_DEFER if deferrable else None)


def _explicit(dataset: Dataset, inherited: bool) -> list[Piece]:
    signed = is_signed(dataset, inherited)
    pieces: list[Piece] = []
    for element in raw_elements(dataset):
        vr = element_vr(element.tag, element.VR, signed)
        if vr == "SQ":
            value = b"".join(_item(item, signed) for item in dataset[element.tag].value or ())
            pieces += [explicit_header(element.tag, vr, len(value)), value]
        else:
            value_piece = _value(element, vr, dataset)
            length = value_piece.length if isinstance(value_piece, FileRun) else len(value_piece)
            pieces += [explicit_header(element.tag, vr, length), value_piece]
    return pieces


def _item(item: Dataset, signed: bool) -> bytes:
    pieces = _explicit(item, signed)
    value = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def _value(element: Any, vr: str, dataset: Dataset) -> Piece:
    word = 1 if element.is_little_endian else WORD.get(vr, 1)
    if word == 2 and vr == "OW" and element.tag == 0x7FE00010:  # 32-bit pixels are swapped as such
        word = max(word, int(dataset.get("BitsAllocated") or 16) // 8)
    if element.value is None and element.length:
        return FileRun(element.value_tell, element.length, word)
    return swap(bytes(element.value or b""), word)


def bulk(path: Path, where: tuple[int, ...]) -> Bulk:
    """The value at an element path; encapsulated pixel data gives one part per frame."""
    dataset = _read(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    parent = _walk(dataset, where[:-1])
    if where[-1] not in parent:
        raise NoSuchValue
    element = raw_element(parent, where[-1])
    vr = element_vr(where[-1], element.VR, is_signed(parent, False))
    if vr == "SQ":
        raise NoSuchValue
    if where == (0x7FE00010,) and syntax not in NATIVE:
        return Bulk(syntax, _encapsulated(path, element, dataset, None))
    if not isinstance(element, RawDataElement):
        raise NotInThisForm
    return Bulk(EXPLICIT_LE, iter([[_value(element, vr, parent)]]))


def _walk(dataset: Dataset, steps: tuple[int, ...]) -> Dataset:
    for tag, number in zip(steps[::2], steps[1::2], strict=True):
        value = dataset[tag].value if tag in dataset else None
        if not isinstance(value, pydicom.Sequence) or number >= len(value):
            raise NoSuchValue
        dataset = value[number]
    return dataset


def frames(path: Path, numbers: tuple[int, ...]) -> Bulk:
    """Frames of the pixel data as they are stored: native little endian, or one compressed bit stream each."""
    dataset = _read(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    tag = next((t for t in _PIXELS if t in dataset), None)
    if tag is None or max(numbers) > _frame_count(dataset):
        raise NoSuchValue
    element = raw_element(dataset, tag)
    if syntax not in NATIVE:
        return Bulk(syntax, _encapsulated(path, element, dataset, numbers))
    vr = element_vr(tag, element.VR, False)
    return Bulk(EXPLICIT_LE, iter(_native(dataset, _value(element, vr, dataset), numbers)))


def _frame_count(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _native(dataset: Dataset, value: Piece, numbers: tuple[int, ...]) -> list[list[Piece]]:
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits * 2 // 3
    if bits % 8 and _frame_count(dataset) > 1:  # single-bit frames that share a byte would have to be taken apart
        raise NotInThisForm
    size = (bits + 7) // 8
    total = value.length if isinstance(value, FileRun) else len(value)
    if max(numbers) * size > total:
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
