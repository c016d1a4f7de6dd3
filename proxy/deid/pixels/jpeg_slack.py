"""Entropy-coded data of JPEG without what stands behind the last block: no decoder looks at it (T.81 F.1.2.3).

Sequential DCT and lossless processes with Huffman coding; a progressive one is taken as it is. JPEG-LS is not here: its
decoder refuses data behind the last sample. Nothing that is decoded changes. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled
from proxy.deid.pixels import jpeg_stuffing
from proxy.deid.pixels.code_stream import Bytes, unreadable
from proxy.deid.pixels.jpeg_markers import DHT, DRI, ENTROPY, EXTENDED, LOSSLESS, SEQUENTIAL, Jpeg, Piece, Scan, payload
from proxy.deid.pixels.jpeg_scan import edit, grid_of
from proxy.deid.pixels.jpeg_sequential import read_sequential
from proxy.deid.pixels.jpeg_tables import Huffman, read_huffman

#: Ss, Se, Ah and Al of a sequential scan; older writers put others, which decoders pass over
_SEQUENTIAL_SCAN = (0, 63, 0)
#: the largest category of a difference; it has no bits of its own (T.81 H.1.2.2)
_LARGEST = 16
#: bits of the longest code
_LONGEST = 16


def tight(stream: Bytes, jpeg: Jpeg) -> dict[Piece, bytes]:
    """Entropy-coded pieces that hold more than their blocks, without it."""
    if jpeg.process == LOSSLESS:
        return _lossless(stream, jpeg)
    if jpeg.process not in (SEQUENTIAL, EXTENDED):
        return {}
    if any((scan.start, scan.end, scan.shift) != _SEQUENTIAL_SCAN for scan in jpeg.scans):
        return {}
    image = read_sequential(stream)
    grid, found = grid_of(image), {}
    nothing = np.zeros((grid.down, grid.across), np.bool_)
    for scan, piece in zip(image.scans, _entropy(jpeg), strict=True):
        _, data = edit(stream, image, grid, scan, [0] * len(scan.components), nothing)
        if data != bytes(stream[piece.start : piece.end]):
            found[piece] = data
    return found


def _entropy(jpeg: Jpeg) -> list[Piece]:
    return [piece for piece in jpeg.pieces if piece.marker == ENTROPY]


def _lossless(stream: Bytes, jpeg: Jpeg) -> dict[Piece, bytes]:
    """T.81 Annex H: each sample is a category and its bits."""
    tables: dict[int, Huffman] = {}
    found: dict[Piece, bytes] = {}
    scans, restart = iter(jpeg.scans), 0
    for piece in jpeg.pieces:
        if piece.marker == DHT:
            tables.update((to, table) for kind, to, table in read_huffman(payload(stream, piece)) if kind == 0)
        elif piece.marker == DRI:
            restart = int.from_bytes(payload(stream, piece), "big")
        elif piece.marker == ENTROPY:
            data = _tightened(stream, jpeg, piece, next(scans), tables, restart)
            if data is not None:
                found[piece] = data
    return found


def _tightened(
    stream: Bytes, jpeg: Jpeg, piece: Piece, scan: Scan, tables: dict[int, Huffman], restart: int
) -> bytes | None:
    if len(scan.identifiers) > 1 and any(c.horizontal * c.vertical != 1 for c in jpeg.components):
        raise unreadable("a lossless JPEG with several samples of a component in a unit")
    units, each = jpeg.header.rows * jpeg.header.columns, len(scan.identifiers)
    source = np.frombuffer(stream, np.uint8)[piece.start : piece.end]
    parts = -(-units // (restart or units))
    clean = np.empty((len(source) + 4 * parts + jpeg_stuffing.SLACK + 3) // 4 * 4, np.uint8)
    bounds = np.empty((parts, 2), np.int64)
    if not jpeg_stuffing.unstuff(source, clean, bounds):
        raise unreadable("restart markers of a JPEG stream that do not count")
    lengths = np.stack([_lengths(tables[table >> 4]) for table in scan.tables])
    ends = np.empty_like(bounds)
    if not _walk(clean.view(">u4").astype(np.uint32), bounds, lengths, units * each, (restart or units) * each, ends):
        raise unreadable("entropy-coded data of a JPEG stream that hold no differences")
    if np.array_equal(-(-bounds[:, 1] // 8), ends[:, 1]):
        return None
    final = np.empty(2 * len(source) + 2 * parts, np.uint8)
    return final[: jpeg_stuffing.stuff(clean, ends, final)].tobytes()


@lru_cache(maxsize=8)
def _lengths(table: Huffman) -> NDArray[np.uint8]:
    """The next 16 bits → how many of them and of those behind are one difference; 0 for no code (T.81 H.1.2.2)."""
    found = np.zeros(1 << _LONGEST, np.uint8)
    for symbol, code, length in table.codes():
        if symbol <= _LARGEST:
            rest = _LONGEST - length
            found[code << rest : code + 1 << rest] = length + symbol % _LARGEST
    return found


@compiled
def _walk(words: Any, bounds: Any, lengths: Any, total: int, interval: int, ends: Any) -> Any:
    """Fill ``ends``: for each restart interval its first byte and the one behind its last sample; False if it is short.

    ``words``, ``bounds``: see `jpeg_stuffing.unstuff`; ``lengths``: by place of a sample in its unit.
    """
    for part in range(len(bounds)):
        window, count, at, end = np.uint64(0), 0, bounds[part, 0], bounds[part, 1]
        for number in range(min(interval, total - part * interval)):
            if count < 32:
                window |= np.uint64(words[at]) << np.uint64(32 - count)
                count, at = count + 32, at + 1
            bits: Any = np.int64(lengths[number % len(lengths), window >> np.uint64(64 - _LONGEST)])
            window, count = window << np.uint64(bits), count - bits
            if bits == 0 or 32 * at - count > end:
                return False
        ends[part, 0], ends[part, 1] = 4 * bounds[part, 0], (32 * at - count + 7) // 8
    return True
