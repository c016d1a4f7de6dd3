"""Where the packets of a JPEG 2000 tile end (T.800 Annex B): what stands behind them in its tile-parts, nobody reads.

Tiles, resolutions, sub-bands, precincts and code-blocks as B.3 to B.9 lay them out; `j2k_walk` reads the headers.
Packed packet headers and changes of progression order are not followed: `PIXELS_UNREADABLE`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.code_stream import Bytes, unreadable
from proxy.deid.pixels.j2k_markers import COC, COD, POC, PPM, PPT, J2k, Piece, TilePart
from proxy.deid.pixels.j2k_walk import walk

_UNFOLLOWED = frozenset({POC, PPM, PPT})
#: nodes of the tag trees of one tile: code-blocks of 16 by 16 for 400 million samples
_MOST_NODES = 1 << 21


class _Extent(NamedTuple):
    """Left, top, right and bottom on the reference grid or one of its reductions; right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def reduced(self, shift: int, column: int = 0, row: int = 0) -> _Extent:
        """T.800 B-14, B-15: a resolution, or with ``column`` and ``row`` (1: high pass) a sub-band."""
        if not shift:
            return self
        x, y = column << shift - 1, row << shift - 1
        return _Extent(*(-(-(at - less) >> shift) for at, less in zip(self, (x, y, x, y), strict=True)))


class _Style(NamedTuple):
    """How a component is coded (T.800 A.6.1): levels, exponents of a code-block's sides, its style, of precincts."""

    levels: int
    wide: int
    high: int
    style: int
    precincts: bytes


@dataclass(slots=True)
class _Tile:
    """Tables of `j2k_walk` in the making; ``order``: (resolution, component, y, x, number) of each precinct."""

    bands: list[tuple[int, int, int, int]]
    precincts: list[tuple[int, int, int]]
    order: list[tuple[int, int, int, int, int]]
    blocks: int = 0
    nodes: int = 0


def slack(stream: Bytes, j2k: J2k) -> dict[int, int]:
    """Bytes behind the last packet of each tile that has some, by the number of its last tile-part in ``j2k.parts``."""
    found: dict[int, int] = {}
    tiles: dict[int, list[int]] = {}
    for number, part in enumerate(j2k.parts):
        tiles.setdefault(part.tile, []).append(number)
    for numbers in tiles.values():
        parts = [j2k.parts[number] for number in numbers]
        runs = [bytes(stream[part.pieces[-1].start + 2 : part.pieces[-1].end]) for part in parts]
        data = np.frombuffer(b"".join(runs), np.uint8)
        behind = len(data) - _end(stream, j2k, parts, data)
        if behind > len(runs[-1]):
            raise unreadable("a tile-part of JPEG 2000 without packets")
        if behind:
            found[numbers[-1]] = behind
    return found


def _end(stream: Bytes, j2k: J2k, parts: list[TilePart], data: NDArray[np.uint8]) -> int:
    own = [piece for part in parts for piece in part.pieces]
    if any(piece.marker in _UNFOLLOWED for piece in (*j2k.main, *own)):
        raise unreadable("JPEG 2000 packets in an order that is not followed here")
    cod = bytes(_last(stream, [*j2k.main, *own], COD))
    order, layers = cod[1], int.from_bytes(cod[2:4], "big")
    if order > 4 or not layers:
        raise unreadable("a progression of JPEG 2000 that there is not")
    tile = _Tile([], [], [])
    extent = _extent(stream, j2k, parts[0].tile)
    for component in range(j2k.header.components):
        _lay_out(tile, extent, component, _style(stream, j2k, own, component), len(data))
    if layers * len(tile.precincts) > len(data):  # a packet has at least one
        raise unreadable("more packets in a JPEG 2000 tile than it has bytes")
    if tile.nodes > _MOST_NODES:
        raise unreadable("more code-blocks in a JPEG 2000 tile than the bound")
    packets = np.array(list(_ORDERS[order](tile.order, layers)), np.int64).reshape(-1, 2)
    tables = (np.array(rows, np.int64).reshape(-1, wide) for rows, wide in ((tile.precincts, 3), (tile.bands, 4)))
    end = int(walk(data, packets, *tables, tile.blocks, tile.nodes, cod[0]))
    if end < 0:
        raise unreadable("a JPEG 2000 tile without all its packets")
    return end


def _last(stream: Bytes, pieces: list[Piece], marker: int) -> memoryview:
    """The content of the last segment ``marker``: of the tile, else of the main header (T.800 A.6)."""
    piece = [piece for piece in pieces if piece.marker == marker][-1]
    return memoryview(stream)[piece.start + 4 : piece.end]


def _style(stream: Bytes, j2k: J2k, own: list[Piece], component: int) -> _Style:
    """Tile COC over tile COD over main COC over main COD (T.800 A.6.2)."""
    wide = 2 if j2k.header.components > 256 else 1
    for pieces in (own, j2k.main):
        for marker in (COC, COD):
            for piece in reversed(pieces):
                body = bytes(stream[piece.start + 4 : piece.end]) if piece.marker == marker else b""
                if not body or (marker == COC and int.from_bytes(body[:wide], "big") != component):
                    continue
                style, sized = (body[wide + 1 :], body[wide]) if marker == COC else (body[5:], body[0])
                if max(style[1], style[2]) > 8:
                    raise unreadable("code-blocks of JPEG 2000 of a size that there is not")
                sizes = style[5:] if sized & 1 else b"\xff" * (style[0] + 1)
                return _Style(style[0], style[1] + 2, style[2] + 2, style[3], sizes)
    raise unreadable("a component of JPEG 2000 without a coding style")


def _extent(stream: Bytes, j2k: J2k, tile: int) -> _Extent:
    """T.800 B.3."""
    body = bytes(stream[j2k.main[0].start + 6 : j2k.main[0].start + 38])
    right, bottom, left, top, width, height, tile_left, tile_top = (
        int.from_bytes(body[at : at + 4], "big") for at in range(0, 32, 4)
    )
    row, column = divmod(tile, -(-(right - tile_left) // width))
    x, y = tile_left + column * width, tile_top + row * height
    return _Extent(max(x, left), max(y, top), min(x + width, right), min(y + height, bottom))


def _lay_out(tile: _Tile, extent: _Extent, component: int, style: _Style, most: int) -> None:
    """Add the precincts of a component (T.800 B.5, B.6), of which there are at most ``most``."""
    for resolution in range(style.levels + 1):
        down = style.levels - resolution
        area, size = extent.reduced(down), style.precincts[resolution]
        wide, high = size & 15, size >> 4
        if area.left >= area.right or area.top >= area.bottom:
            continue
        for y in range(area.top >> high, (area.bottom - 1 >> high) + 1):
            for x in range(area.left >> wide, (area.right - 1 >> wide) + 1):
                # where the loops of B.12.1 come upon it, on the reference grid
                place = max(y << high + down, extent.top), max(x << wide + down, extent.left)
                tile.order.append((resolution, component, *place, len(tile.precincts)))
                _precinct(tile, extent, style, resolution, (x, y, wide, high))
                if len(tile.precincts) > most:
                    raise unreadable("more precincts than a JPEG 2000 tile can have")


def _precinct(tile: _Tile, extent: _Extent, style: _Style, resolution: int, where: tuple[int, int, int, int]) -> None:
    """Its code-blocks in each sub-band (T.800 B.7)."""
    x, y, wide, high = where
    first, low = len(tile.bands), resolution == 0
    shift = style.levels if low else style.levels - resolution + 1
    wide, high = (wide, high) if low else (wide - 1, high - 1)
    if min(wide, high) < 0:
        raise unreadable("precincts of JPEG 2000 of a size that there is not")
    across, down = min(style.wide, wide), min(style.high, high)
    for column, row in ((0, 0),) if low else ((1, 0), (0, 1), (1, 1)):
        band = extent.reduced(shift, column, row)
        left, right = max(band.left, x << wide), min(band.right, x + 1 << wide)
        top, bottom = max(band.top, y << high), min(band.bottom, y + 1 << high)
        if left >= right or top >= bottom:
            continue
        columns = (right - 1 >> across) - (left >> across) + 1
        rows = (bottom - 1 >> down) - (top >> down) + 1
        tile.bands.append((columns, rows, tile.blocks, tile.nodes))
        tile.blocks += columns * rows
        tile.nodes += _nodes(columns, rows)
    tile.precincts.append((first, len(tile.bands) - first, style.style))


def _nodes(columns: int, rows: int) -> int:
    """Nodes of a tag tree (T.800 B.10.2)."""
    total = columns * rows
    while columns * rows > 1:
        columns, rows = (columns + 1) // 2, (rows + 1) // 2
        total += columns * rows
    return total


_Order = Callable[[list[tuple[int, int, int, int, int]], int], Iterator[tuple[int, int]]]


def _layers_first(order: list[tuple[int, int, int, int, int]], layers: int) -> Iterator[tuple[int, int]]:
    """LRCP (T.800 B.12.1.1)."""
    precincts = [each[-1] for each in sorted(order, key=lambda each: (each[0], each[1], each[4]))]
    return ((precinct, layer) for layer in range(layers) for precinct in precincts)


def _resolutions_first(order: list[tuple[int, int, int, int, int]], layers: int) -> Iterator[tuple[int, int]]:
    """RLCP (T.800 B.12.1.2)."""
    for resolution in sorted({each[0] for each in order}):
        yield from _layers_first([each for each in order if each[0] == resolution], layers)


def _by(*keys: int) -> _Order:
    """Precincts by these of `_Tile.order`, all layers of one together (T.800 B.12.1.3 to B.12.1.5)."""

    def order_of(order: list[tuple[int, int, int, int, int]], layers: int) -> Iterator[tuple[int, int]]:
        ordered = sorted(order, key=lambda each: (*(each[key] for key in keys), each[4]))
        return ((each[4], layer) for each in ordered for layer in range(layers))

    return order_of


#: progression order (T.800 Table A.16) → packets
_ORDERS: tuple[_Order, ...] = (
    _layers_first,
    _resolutions_first,
    _by(0, 2, 3, 1),
    _by(2, 3, 1, 0),
    _by(1, 2, 3, 0),
)
