"""Marker segments of JPEG 2000 code streams (T.800 Annex A) and HTJ2K (T.814), taken apart without decoding.

Strict: every tile is there, tile-parts follow each other without gaps up to EOC, segments are as long as their content.
Extensions of Part 2 are `NO_CODEC`; whatever else does not add up `PIXELS_UNREADABLE`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from proxy.deid.pixels.code_stream import Bytes, StreamHeader, no_codec, unreadable

SOC, CAP, SIZ, COD, COC, TLM, PLM, PLT, CPF = 0x4F, 0x50, 0x51, 0x52, 0x53, 0x55, 0x57, 0x58, 0x59
QCD, QCC, RGN, POC, PPM, PPT, CRG, COM, SOT, SOD, EOC = (
    0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, 0x64, 0x90, 0x93, 0xD9,
)  # fmt: skip
#: profile; decoders pass over it
PRF = 0x56
#: markers of T.801: they change what samples mean
_EXTENSIONS = frozenset(range(0x70, 0x7D))
#: markers without a length (T.800 Table A.1)
_BARE = frozenset(range(0x30, 0x40))
_MOST_PIECES = 1 << 18
_MOST_TILES = 65535
#: bit of Pcap that announces Part 15 (T.814 A.2)
_PART_15 = 0x00020000


class Piece(NamedTuple):
    """A marker segment from its 0xFF on; of SOD: the marker and the data up to the end of the tile-part."""

    marker: int
    start: int
    end: int


class TilePart(NamedTuple):
    """SOT to the end of the data; ``tile``: Isot."""

    tile: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class J2k:
    """``start``: SOC, where a JP2 file is around it; ``main``: the main header after SOC; ``end``: behind EOC.

    ``reversible``: all that is coded uses the 5-3 filter; ``transform``: the components are transformed (COD);
    ``high``: with high-throughput block coding.
    """

    header: StreamHeader
    start: int
    main: tuple[Piece, ...]
    parts: tuple[TilePart, ...]
    end: int
    reversible: bool
    transform: bool
    high: bool


def take_apart(stream: Bytes, start: int, stop: int) -> J2k:
    """The pieces of the code stream ``stream[start:stop]``."""
    view = memoryview(stream)[:stop]
    if bytes(view[start : start + 2]) != b"\xff\x4f":
        raise unreadable("not a JPEG 2000 code stream")
    main, at = _segments(view, start + 2, SOT)
    header, tiles = _size(view, main)
    parts, at = _tile_parts(view, at)
    if {part.tile for part in parts} != set(range(tiles)):
        raise unreadable("a JPEG 2000 code stream without all its tiles")
    every = [piece for pieces in (main, *(part.pieces for part in parts)) for piece in pieces]
    reversible, transform = _coding(view, header, main, every)
    return J2k(header, start, main, parts, at, reversible, transform, _is_high_throughput(view, main))


def _segments(view: memoryview, at: int, last: int) -> tuple[tuple[Piece, ...], int]:
    """Segments up to the marker ``last``, and where that is."""
    found: list[Piece] = []
    while True:
        if at + 4 > len(view) or view[at] != 0xFF:
            raise unreadable("a JPEG 2000 code stream has bytes where a marker belongs, or no end")
        marker = view[at + 1]
        if marker == last:
            return tuple(found), at
        if marker in _EXTENSIONS:
            raise no_codec("extensions of JPEG 2000 that nothing here reads")
        length = int.from_bytes(view[at + 2 : at + 4], "big")
        if marker in _BARE or marker >= SOT or length < 2 or at + 2 + length > len(view):
            raise unreadable("a marker segment of JPEG 2000 that does not add up")
        found.append(Piece(marker, at, at + 2 + length))
        at += 2 + length
        if len(found) > _MOST_PIECES:
            raise unreadable("too many marker segments in a code stream")


def _tile_parts(view: memoryview, at: int) -> tuple[tuple[TilePart, ...], int]:
    """All tile-parts, and the position behind EOC."""
    found: list[TilePart] = []
    while bytes(view[at : at + 2]) != b"\xff\xd9":
        if bytes(view[at : at + 4]) != b"\xff\x90\x00\x0a" or at + 12 > len(view):
            raise unreadable("a JPEG 2000 code stream has bytes where a tile-part belongs, or no end")
        length = int.from_bytes(view[at + 6 : at + 10], "big")
        pieces, data = _segments(view, at + 12, SOD)
        end = at + length if length else _end_of_codestream(view, data)
        if not data + 2 <= end <= len(view):
            raise unreadable("a tile-part reaches beyond the code stream")
        tile = int.from_bytes(view[at + 4 : at + 6], "big")
        found.append(TilePart(tile, (Piece(SOT, at, at + 12), *pieces, Piece(SOD, data, end))))
        if len(found) > _MOST_PIECES:
            raise unreadable("too many tile-parts in a code stream")
        at = end
    return tuple(found), at + 2


def _end_of_codestream(view: memoryview, at: int) -> int:
    """EOC behind a last tile-part of unsaid length; packets hold no code above 0xFF8F (T.800 B.10.1)."""
    end = bytes(view[at:]).find(b"\xff\xd9")
    if end < 0:
        raise unreadable("a JPEG 2000 code stream has no end")
    return at + end


def _size(view: memoryview, main: tuple[Piece, ...]) -> tuple[StreamHeader, int]:
    """SIZ (T.800 A.5.1): the header, and the number of tiles."""
    if not main or main[0].marker != SIZ or [piece.marker for piece in main].count(SIZ) != 1:
        raise unreadable("a JPEG 2000 code stream that does not begin with its size")
    body = bytes(view[main[0].start + 4 : main[0].end])
    if len(body) < 36 or len(body) != 36 + 3 * int.from_bytes(body[34:36], "big"):
        raise unreadable("a JPEG 2000 size of the wrong length")
    right, bottom, left, top, width, height, tile_left, tile_top = (
        int.from_bytes(body[at : at + 4], "big") for at in range(2, 34, 4)
    )
    if not (width and height and tile_left <= left < right and tile_top <= top < bottom):
        raise unreadable("a JPEG 2000 image without an extent")
    if not (left < tile_left + width and top < tile_top + height) or max(right, bottom) >= 1 << 31:
        raise unreadable("JPEG 2000 tiles that do not cover their image")
    if len({body[at : at + 3] for at in range(36, len(body), 3)}) != 1 or body[37:39] != b"\1\1":
        raise unreadable("components of several sizes or types in a JPEG 2000 code stream")
    tiles = -(-(right - tile_left) // width) * -(-(bottom - tile_top) // height)
    if tiles > _MOST_TILES:
        raise unreadable("more tiles than JPEG 2000 can number")
    header = StreamHeader(
        bottom - top, right - left, (len(body) - 36) // 3, (body[36] & 0x7F) + 1, signed=bool(body[36] & 0x80)
    )
    return header, tiles


def _coding(view: memoryview, header: StreamHeader, main: tuple[Piece, ...], every: list[Piece]) -> tuple[bool, bool]:
    """Whether everything is reversible, and whether the main COD transforms components (T.800 A.6.1, A.6.2)."""
    if not {COD, QCD} <= {piece.marker for piece in main}:
        raise unreadable("a JPEG 2000 code stream without its coding style")
    wide = 2 if header.components > 256 else 1
    reversible, transform, levels, bands = True, set[bool](), 0, 0
    for piece in every:
        body = bytes(view[piece.start + 4 : piece.end])
        if piece.marker in (COD, COC):
            style = body[5:] if piece.marker == COD else body[wide + 1 :]
            precincts = body[:1] if piece.marker == COD else body[wide : wide + 1]
            if len(style) < 5 or style[0] > 32 or len(style) != 5 + (style[0] + 1 if precincts[0] & 1 else 0):
                raise unreadable("a coding style of JPEG 2000 of the wrong length")
            levels, reversible = max(levels, style[0]), reversible and style[4] == 1
            transform.update({bool(body[4])} if piece.marker == COD else ())
        elif piece.marker in (QCD, QCC):
            bands = max(bands, _sub_bands(body if piece.marker == QCD else body[wide:]))
    if len(transform) != 1 or bands > 3 * levels + 1:
        raise unreadable("a coding style of JPEG 2000 that does not add up")
    return reversible, transform.pop()


def _sub_bands(body: bytes) -> int:
    """Sub-bands that QCD or QCC names (T.800 A.6.4): in 1 byte each, 2 bytes for all, or 2 bytes each."""
    style, count = body[0] & 0x1F if body else 3, len(body) - 1
    if style > 2 or count < 1 or (style == 1 and count != 2) or (style == 2 and count % 2):
        raise unreadable("a quantization of JPEG 2000 of the wrong length")
    return (count, 1, count // 2)[style]


def _is_high_throughput(view: memoryview, main: tuple[Piece, ...]) -> bool:
    """CAP with the bit of Part 15 (T.800 A.5.2)."""
    found = [piece for piece in main if piece.marker == CAP]
    return any(int.from_bytes(view[piece.start + 4 : piece.start + 8], "big") & _PART_15 for piece in found)
