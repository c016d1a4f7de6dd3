"""Stored Part 10 files as the web may have them: whole, or their metadata, as pieces that refer to the file.

Implicit VR and big endian must not leave by web (PS3.18 8.7.3): their headers are written anew as explicit VR little
endian and words are swapped; pixel data is never decoded and never held whole. Reads files and changes none. Blocks:
call it in a thread.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info

from proxy.wire.dicom_json import Json, Source, bulk_name, is_signed, raw_elements, to_json
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_LE, NOT_FOR_WEB, WORD, element_vr, explicit_header, swap

_DEFER = 64 * 1024
_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileRun:
    """``length`` bytes of the stored file from ``offset``; words of ``word`` bytes are swapped on the way out."""

    offset: int
    length: int
    word: int = 1


Piece = bytes | FileRun
Stamp = tuple[int, int, int]


def size_of(piece: Piece) -> int:
    """Its length in bytes."""
    return piece.length if isinstance(piece, FileRun) else len(piece)


def stored_syntax(path: Path) -> str:
    """The transfer syntax a file is stored in."""
    return str(read_file_meta_info(path).TransferSyntaxUID)


def web_syntax(stored: str) -> str:
    """The transfer syntax it leaves in."""
    return EXPLICIT_LE if stored in NOT_FOR_WEB else stored


def stamp(path: Path) -> Stamp:
    """Which file this is just now: take it before reading what `blocks` is to send."""
    return _stamp(path.stat())


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns


def opened(path: Path, expected: Stamp) -> int:
    """A descriptor to read the file with; OSError when it was replaced since its `stamp`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if _stamp(os.fstat(fd)) != expected:
        os.close(fd)
        raise OSError("the stored file was replaced meanwhile")
    return fd


def blocks(path: Path, pieces: list[Piece], expected: Stamp) -> Iterator[bytes]:
    """The bytes of ``pieces``, a block at a time; OSError when the file was replaced since its `stamp`."""
    with os.fdopen(opened(path, expected), "rb") as file:
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


def cut(pieces: list[Piece], start: int, stop: int) -> list[Piece] | None:
    """The pieces of bytes [start, stop) alone; None where words are swapped, which cannot be cut anywhere."""
    if any(isinstance(piece, FileRun) and piece.word > 1 for piece in pieces):
        return None
    kept: list[Piece] = []
    position = 0
    for piece in pieces:
        first, last = max(0, start - position), min(size_of(piece), stop - position)
        position += size_of(piece)
        if first < last:
            if isinstance(piece, FileRun):
                kept.append(FileRun(piece.offset + first, last - first))
            else:
                kept.append(piece[first:last])
    return kept


def instance(path: Path) -> list[Piece]:
    """A whole Part 10 file: as stored, or rewritten as explicit VR little endian."""
    if stored_syntax(path) not in NOT_FOR_WEB:
        return [FileRun(0, path.stat().st_size)]
    dataset = read(path)
    meta = DicomBytesIO()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(EXPLICIT_LE)
    write_file_meta_info(meta, dataset.file_meta, enforce_standard=True)
    head: list[Piece] = [bytes(128) + b"DICM" + meta.getvalue()]
    return head + _explicit(dataset, False)


def metadata(path: Path) -> Json:
    """DICOM JSON with bulk data named relative to the instance: ``bulkdata/7FE00010``."""
    return to_json(read(path), _source(path))


def header(path: Path, tags: list[int]) -> tuple[str, Json]:
    """The transfer syntax and the DICOM JSON of a few elements."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*tags])
    return str(dataset.file_meta.TransferSyntaxUID), to_json(dataset, _source(path))


def _source(path: Path) -> Source:
    def fetch(element: RawDataElement) -> bytes:
        with path.open("rb") as file:
            file.seek(element.value_tell)
            return file.read(element.length)

    return Source(bulk_name, fetch)


def read(path: Path) -> Dataset:
    """The dataset; values over 64 KiB stay in the file."""
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
            piece = value_piece(element, vr, dataset)
            pieces += [explicit_header(element.tag, vr, size_of(piece)), piece]
    return pieces


def _item(item: Dataset, signed: bool) -> bytes:
    pieces = _explicit(item, signed)
    value = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def value_piece(element: Any, vr: str, dataset: Dataset) -> Piece:
    """An element's value in little endian, without reading one that is still in the file."""
    word = 1 if element.is_little_endian else WORD.get(vr, 1)
    if word == 2 and vr == "OW" and element.tag == 0x7FE00010:  # 32-bit pixels are swapped as such
        word = max(word, int(dataset.get("BitsAllocated") or 16) // 8)
    if element.value is None and element.length:
        return FileRun(element.value_tell, element.length, word)
    return swap(bytes(element.value or b""), word)
