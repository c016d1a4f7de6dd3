"""Marker segments of JPEG (T.81 Annex B) and JPEG-LS (T.87 Annex C), taken apart without decoding.

Strict: one image, each component coded once, restart markers where they belong, lengths that are those of their
content. Whatever else `PIXELS_UNREADABLE`; what no decoder here reads (arithmetic, hierarchical) `NO_CODEC`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.code_stream import Bytes, StreamHeader, no_codec, unreadable

SOI, EOI, SOS, DQT, DHT, DNL, DRI, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDC, 0xDD, 0xFE
SEQUENTIAL, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS, LSE = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7, 0xF8
APP0, APP8, APP14, APP15 = 0xE0, 0xE8, 0xEE, 0xEF
#: the marker of a piece that is entropy-coded data
ENTROPY = 0
_FRAMES = frozenset({SEQUENTIAL, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS})
#: differential and arithmetic frames, their conditioning, hierarchical progressions
_UNSUPPORTED = frozenset({*range(0xC5, 0xC8), *range(0xC9, 0xD0), 0xDE, 0xDF})
_MOST_PIECES = 4096


class Piece(NamedTuple):
    """A marker segment from its 0xFF on, or entropy-coded data: ``stream[start:end]``."""

    marker: int
    start: int
    end: int


class Component(NamedTuple):
    """A component of the frame header: identifier, sampling factors, quantization table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


class Scan(NamedTuple):
    """A scan header: identifiers of its components, Td << 4 | Ta of each, Ss, Se, Ah << 4 | Al (LS: NEAR, ILV, Pt)."""

    identifiers: tuple[int, ...]
    tables: tuple[int, ...]
    start: int
    end: int
    shift: int


@dataclass(frozen=True, slots=True)
class Jpeg:
    """``pieces`` in order, without SOI, EOI and fill bytes; ``process``: the SOF marker; ``end``: behind EOI."""

    header: StreamHeader
    process: int
    components: tuple[Component, ...]
    scans: tuple[Scan, ...]
    pieces: tuple[Piece, ...]
    end: int


def take_apart(stream: Bytes) -> Jpeg:
    """The pieces of one JPEG or JPEG-LS interchange stream."""
    view = memoryview(stream)
    pieces, end = _pieces(view)
    frames = [piece for piece in pieces if piece.marker in _FRAMES]
    scans = [piece for piece in pieces if piece.marker == SOS]
    if len(frames) != 1 or not scans or scans[0].start < frames[0].start:
        raise unreadable("a code stream without exactly one frame header before its scans")
    process = frames[0].marker
    header, components = _frame(view[frames[0].start : frames[0].end])
    read = tuple(_scan(view[piece.start : piece.end]) for piece in scans)
    _check_coverage(process, components, read)
    found = Jpeg(header, process, components, read, pieces, end)
    _check_intervals(view, found)
    return found


def payload(stream: Bytes, piece: Piece) -> bytes:
    """What stands behind the length field of a segment."""
    return bytes(stream[piece.start + 4 : piece.end])


def _pieces(view: memoryview) -> tuple[tuple[Piece, ...], int]:
    if len(view) < 4 or view[0] != 0xFF or view[1] != SOI:
        raise unreadable("not a JPEG code stream")
    buffer = np.frombuffer(view, np.uint8)
    ends: NDArray[np.int64] | None = None
    found: list[Piece] = []
    at, process = 2, 0
    while True:
        at = _marker_at(view, at)
        marker = view[at + 1]
        if marker == EOI:
            return tuple(found), at + 2
        stop = _segment_end(view, at, marker)
        process = marker if marker in _FRAMES else process
        found.append(Piece(marker, at, stop))
        at = stop
        if marker == SOS:
            ends = _ends(buffer, process == JPEG_LS) if ends is None else ends
            at = _behind_entropy(view, ends, at)
            found.append(Piece(ENTROPY, stop, at))
        if len(found) > _MOST_PIECES:
            raise unreadable("too many marker segments in a code stream")


def _marker_at(view: memoryview, at: int) -> int:
    """The position of the last 0xFF before a marker code: those before it are fill bytes (T.81 B.1.1.2)."""
    if at >= len(view) or view[at] != 0xFF:
        raise unreadable("a code stream has bytes where a marker belongs, or no end")
    while at + 1 < len(view) and view[at + 1] == 0xFF:
        at += 1
    if at + 1 >= len(view):
        raise unreadable("a code stream has no end")
    return at


def _segment_end(view: memoryview, at: int, marker: int) -> int:
    if marker in _UNSUPPORTED:
        raise no_codec("a JPEG process that nothing here reads")
    if not (marker in _FRAMES or marker in (DHT, SOS, DQT, DNL, DRI, COM, LSE) or APP0 <= marker <= APP15):
        raise unreadable("a marker that no code stream of this kind has")
    length = int.from_bytes(view[at + 2 : at + 4], "big")
    if length < 2 or at + 2 + length > len(view):
        raise unreadable("a marker segment reaches beyond the code stream")
    return at + 2 + length


def _ends(buffer: NDArray[np.uint8], near: bool) -> NDArray[np.int64]:
    """Where 0xFF begins a marker that ends entropy-coded data: no stuffing, no restart, no fill byte."""
    at = np.flatnonzero(buffer[:-1] == 0xFF)
    code = buffer[at + 1]
    found: NDArray[np.int64] = at[(code >= 0x80 if near else code != 0) & (code != 0xFF) & (code & 0xF8 != 0xD0)]
    return found


def _behind_entropy(view: memoryview, ends: NDArray[np.int64], start: int) -> int:
    place = int(np.searchsorted(ends, start))
    if place == len(ends):
        raise unreadable("a code stream has no end")
    end = int(ends[place])
    while end > start and view[end - 1] == 0xFF:
        end -= 1
    if end == start:
        raise unreadable("a scan without data")
    return end


def _frame(segment: memoryview) -> tuple[StreamHeader, tuple[Component, ...]]:
    """SOF (T.81 B.2.2)."""
    body = bytes(segment[4:])
    if len(body) < 9 or len(body) != 6 + 3 * body[5]:
        raise unreadable("a frame header of the wrong length")
    precision, rows, columns, count = (
        body[0],
        int.from_bytes(body[1:3], "big"),
        int.from_bytes(body[3:5], "big"),
        body[5],
    )
    components = tuple(
        Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2]) for at in range(6, len(body), 3)
    )
    if rows == 0 or columns == 0:  # lines in a DNL segment: no decoder here reads them
        raise unreadable("a frame header without a size")
    if len({c.identifier for c in components}) != count or count > 4:
        raise unreadable("components of a frame that cannot be told apart")
    if not all(1 <= c.horizontal <= 4 and 1 <= c.vertical <= 4 for c in components):
        raise unreadable("a component with a sampling factor that there is not")
    return StreamHeader(rows, columns, count, precision), components


def _scan(segment: memoryview) -> Scan:
    """SOS (T.81 B.2.3)."""
    body = bytes(segment[4:])
    if not body or len(body) != 4 + 2 * body[0] or not 1 <= body[0] <= 4:
        raise unreadable("a scan header of the wrong length")
    return Scan(tuple(body[1:-3:2]), tuple(body[2:-3:2]), *body[-3:])


def _check_coverage(process: int, components: tuple[Component, ...], scans: tuple[Scan, ...]) -> None:
    known = {component.identifier for component in components}
    coded = [identifier for scan in scans for identifier in scan.identifiers]
    if set(coded) != known or any(len(set(scan.identifiers)) != len(scan.identifiers) for scan in scans):
        raise unreadable("the scans are not those of the frame's components")
    if process != PROGRESSIVE and len(coded) != len(known):
        raise unreadable("a component is coded more than once")
    if process in (LOSSLESS, JPEG_LS) and len({(c.horizontal, c.vertical) for c in components}) > 1:
        raise unreadable("components of several sizes in a lossless code stream")


def _check_intervals(view: memoryview, jpeg: Jpeg) -> None:
    """Decoders stop at a restart marker that they do not expect: what follows it would be hidden (T.81 E.2.4)."""
    interval, number = 0, 0
    for piece in jpeg.pieces:
        if piece.marker == DRI:
            if piece.end - piece.start != 6:
                raise unreadable("a restart interval of the wrong length")
            interval = int.from_bytes(view[piece.start + 4 : piece.end], "big")
        elif piece.marker == ENTROPY:
            wanted = -(-_units(jpeg, jpeg.scans[number]) // interval) - 1 if interval else 0
            data = np.frombuffer(view[piece.start : piece.end], np.uint8)
            at = np.flatnonzero(data[:-1] == 0xFF)
            codes = data[at + 1]
            restarts = codes[codes & 0xF8 == 0xD0] & 7
            if len(restarts) != wanted or np.any(restarts != np.arange(wanted) & 7):
                raise unreadable("restart markers where none belong, or too few")
            number += 1


def _units(jpeg: Jpeg, scan: Scan) -> int:
    """Minimum coded units of a scan (T.81 A.2); of JPEG-LS: lines (T.87)."""
    header = jpeg.header
    if jpeg.process == JPEG_LS:
        return header.rows
    side = 1 if jpeg.process == LOSSLESS else 8
    widest, tallest = max(c.horizontal for c in jpeg.components), max(c.vertical for c in jpeg.components)
    if len(scan.identifiers) > 1:
        return -(-header.columns // (side * widest)) * -(-header.rows // (side * tallest))
    own = next(c for c in jpeg.components if c.identifier == scan.identifiers[0])
    columns = -(-header.columns * own.horizontal // widest)
    rows = -(-header.rows * own.vertical // tallest)
    return -(-columns // side) * -(-rows // side)
