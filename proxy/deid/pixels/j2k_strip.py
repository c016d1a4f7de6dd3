"""A JPEG 2000 code stream without comments, registration, unknown segments, file boxes and bytes behind its end.

Bytes behind the last packet of a tile go too. Lengths that all this changes (Psot, TLM) are written anew; packets are
never touched. Pure.
"""

from __future__ import annotations

from proxy.deid.pixels.code_stream import Bytes, unreadable
from proxy.deid.pixels.j2k_markers import (
    CAP,
    COC,
    COD,
    CPF,
    EOC,
    PLT,
    POC,
    PPM,
    PPT,
    PRF,
    QCC,
    QCD,
    RGN,
    SIZ,
    SOC,
    SOD,
    SOT,
    TLM,
    J2k,
    Piece,
    TilePart,
)  # fmt: skip
from proxy.deid.pixels.j2k_packets import slack

#: what may stand behind the end: nothing, or one byte that makes the length even
PADDING = (b"", b"\0", b"\xff")
#: segments that decoding needs or that say how; TLM and PLT only where they are true
_KEPT = frozenset({CAP, SIZ, COD, COC, CPF, PRF, QCD, QCC, RGN, POC, PPM, PPT, SOT, SOD})


def stripped(stream: Bytes, j2k: J2k) -> bytes | None:
    """``stream`` without metadata; None when there is nothing of the kind."""
    behind = slack(stream, j2k)
    parts = [_tile_part(stream, part, behind.get(number, 0)) for number, part in enumerate(j2k.parts)]
    lengths = [(part.tile, len(content)) for part, content in zip(j2k.parts, parts, strict=True)]
    main = b"".join(_main(stream, piece, lengths) for piece in _with_true_tlm(stream, j2k.main, len(lengths)))
    clean = bytes((0xFF, SOC)) + main + b"".join(parts) + bytes((0xFF, EOC))
    same = j2k.start == 0 and clean == bytes(stream[: j2k.end]) and bytes(stream[j2k.end :]) in PADDING
    return None if same else clean


def _main(stream: Bytes, piece: Piece, lengths: list[tuple[int, int]]) -> bytes:
    if piece.marker == TLM:
        return _told(stream, piece, lengths)
    return bytes(stream[piece.start : piece.end]) if piece.marker in _KEPT else b""


def _tile_part(stream: Bytes, part: TilePart, behind: int) -> bytes:
    """A tile-part of its kept segments, without the last ``behind`` bytes, with its new length if it had one."""
    listed = _packet_lengths(stream, part, behind)
    kept = [piece for piece in part.pieces if piece.marker in _KEPT or (piece.marker == PLT and listed)]
    content = bytearray(b"".join(bytes(stream[piece.start : piece.end]) for piece in kept))
    del content[len(content) - behind :]
    if any(content[6:10]):
        content[6:10] = len(content).to_bytes(4, "big")
    return bytes(content)


def _packet_lengths(stream: Bytes, part: TilePart, behind: int) -> bool:
    """Whether the PLT segments account for the tile-part's data, byte for byte (T.800 A.7.3)."""
    total = length = 0
    for piece in part.pieces:
        if piece.marker == PLT:
            for byte in bytes(stream[piece.start + 5 : piece.end]):
                length = length << 7 | byte & 0x7F
                if byte < 0x80:
                    total, length = total + length, 0
    data = part.pieces[-1]
    return length == 0 and total == data.end - data.start - 2 - behind


def _entry(stream: Bytes, piece: Piece) -> tuple[int, int, int]:
    """Bytes of a tile number and of a length in a TLM segment (T.800 A.7.1), and its entries; -1 when they are odd."""
    style = stream[piece.start + 5] if piece.end - piece.start > 6 else 0x30
    tile, length = style >> 4 & 3, 4 if style & 0x40 else 2
    size = piece.end - piece.start - 6
    return tile, length, size // (tile + length) if tile < 3 and size % (tile + length) == 0 else -1


def _with_true_tlm(stream: Bytes, main: tuple[Piece, ...], parts: int) -> list[Piece]:
    """``main`` without TLM segments when they do not name each tile-part once, in order."""
    counts = [_entry(stream, piece)[2] for piece in main if piece.marker == TLM]
    numbers = [stream[piece.start + 4] for piece in main if piece.marker == TLM]
    true = min(counts, default=0) >= 0 and sum(counts) == parts and numbers == list(range(len(numbers)))
    return [piece for piece in main if true or piece.marker != TLM]


def _told(stream: Bytes, piece: Piece, lengths: list[tuple[int, int]]) -> bytes:
    """A TLM segment with the next entries of ``lengths``, which it takes away."""
    tile_bytes, length_bytes, count = _entry(stream, piece)
    body = bytearray(stream[piece.start : piece.start + 6])
    for tile, length in lengths[:count]:
        if length >= 1 << 8 * length_bytes or (tile_bytes and tile >= 1 << 8 * tile_bytes):
            raise unreadable("a tile-part that its list of lengths cannot name")
        body += (tile.to_bytes(tile_bytes, "big") if tile_bytes else b"") + length.to_bytes(length_bytes, "big")
    del lengths[:count]
    return bytes(body)
