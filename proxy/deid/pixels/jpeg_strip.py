"""A JPEG or JPEG-LS stream without what decoding does not need: comments, application data, tables that no scan uses.

Kept of application data: the JFIF header without its thumbnail and Adobe's colour transform, which tell decoders the
colour space, and HP's colour transform of JPEG-LS. Of entropy-coded data only what no block needs goes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.deid.pixels.code_stream import Bytes, unreadable
from proxy.deid.pixels.jpeg_markers import (
    APP0,
    APP8,
    APP14,
    APP15,
    COM,
    DHT,
    DNL,
    DQT,
    JPEG_LS,
    LOSSLESS,
    LSE,
    PROGRESSIVE,
    SOS,
    Jpeg,
    Piece,
    Scan,
    payload,
    take_apart,
)  # fmt: skip
from proxy.deid.pixels.jpeg_slack import tight

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
#: what may stand behind the end: nothing, or one byte that makes the length even
PADDING = (b"", b"\0", b"\xff")
#: payload of LSE with preset coding parameters (T.87 C.2.4.1); other kinds change or hide samples
_PRESET_LENGTH = 11
#: number of a piece, of the table in it
_Place = tuple[int, int]


def stripped(stream: Bytes, jpeg: Jpeg) -> bytes | None:
    """``stream`` without metadata, slack and bytes behind its end; None when there is nothing of the kind."""
    clean = _without_metadata(stream, jpeg)
    same = clean == bytes(stream[: jpeg.end]) and bytes(stream[jpeg.end :]) in PADDING
    rest = jpeg if same else take_apart(clean)
    tightened = tight(clean, rest)
    if tightened:
        pieces = (tightened.get(piece) or clean[piece.start : piece.end] for piece in rest.pieces)
        return b"".join((_SOI, *pieces, _EOI))
    return None if same else clean


def _without_metadata(stream: Bytes, jpeg: Jpeg) -> bytes:
    used, marked = _used_tables(stream, jpeg), set[int]()
    parts = (_kept(stream, jpeg, number, piece, used, marked) for number, piece in enumerate(jpeg.pieces))
    return b"".join((_SOI, *parts, _EOI))


def _kept(stream: Bytes, jpeg: Jpeg, number: int, piece: Piece, used: set[_Place], marked: set[int]) -> bytes:
    """What remains of a piece; ``marked``: application segments that were kept before, each is kept once."""
    marker = piece.marker
    if APP0 <= marker <= APP15:
        body = b"" if marker in marked else _application(marker, payload(stream, piece), jpeg.process)
        marked.update({marker} if body else ())
        return _segment(marker, body)
    if marker in (DHT, DQT):
        tables = _tables(marker, payload(stream, piece))
        return _segment(marker, b"".join(t for place, (_, t) in enumerate(tables) if (number, place) in used))
    if marker == COM or (marker == DNL and _is_known_height(stream, jpeg, piece)):
        return b""
    if marker == LSE and (len(body := payload(stream, piece)) != _PRESET_LENGTH or body[0] != 1):
        raise unreadable("a JPEG-LS stream with tables that are no coding parameters")
    return bytes(stream[piece.start : piece.end])


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body if body else b""


def _application(marker: int, body: bytes, process: int) -> bytes:
    """What of an APPn segment tells a decoder the colour space (JFIF 1.02; T.872 6.5.3); b"" for all others."""
    if process == JPEG_LS:
        return body if marker == APP8 and body[:4] == b"mrfx" and len(body) == 5 else b""
    if marker == APP0 and body[:5] == b"JFIF\0" and len(body) >= 14:
        return body[:12] + b"\0\0"
    if marker == APP14 and body[:5] == b"Adobe" and len(body) >= 12:
        return body[:12]
    return b""


def _is_known_height(stream: Bytes, jpeg: Jpeg, piece: Piece) -> bool:
    if payload(stream, piece) != jpeg.header.rows.to_bytes(2, "big"):
        raise unreadable("a code stream with two heights")
    return True


def _used_tables(stream: Bytes, jpeg: Jpeg) -> set[_Place]:
    """Places of tables that a scan reads before they are defined again."""
    current: dict[tuple[int, int], _Place] = {}
    used, scans = set[_Place](), iter(jpeg.scans)
    for number, piece in enumerate(jpeg.pieces):
        if piece.marker in (DHT, DQT):
            for place, (name, _) in enumerate(_tables(piece.marker, payload(stream, piece))):
                current[piece.marker, name] = number, place
        elif piece.marker == SOS:
            wanted = set(_wanted(jpeg, next(scans)))
            if not wanted <= current.keys():
                raise unreadable("a scan without its tables")
            used.update(current[table] for table in wanted)
    return used


def _wanted(jpeg: Jpeg, scan: Scan) -> Iterator[tuple[int, int]]:
    """(marker, destination) of each table that ``scan`` reads (T.81 B.2.3, G.1.1.1.1)."""
    if jpeg.process == JPEG_LS:
        return
    progressive = jpeg.process == PROGRESSIVE
    for identifier, tables in zip(scan.identifiers, scan.tables, strict=True):
        if not progressive or (scan.start == 0 and scan.shift < 0x10):
            yield DHT, tables >> 4
        if jpeg.process != LOSSLESS:
            yield DQT, next(c.table for c in jpeg.components if c.identifier == identifier)
            if not progressive or scan.end > 0:
                yield DHT, 0x10 | tables & 15


def _tables(marker: int, body: bytes) -> list[tuple[int, bytes]]:
    """(class and destination, bytes) of each table of a DQT or DHT segment (T.81 B.2.4.1, B.2.4.2)."""
    found, at = [], 0
    while at < len(body):
        stop = at + (65 + 64 * (body[at] >> 4) if marker == DQT else 17 + sum(body[at + 1 : at + 17]))
        if stop > len(body) or body[at] >> 4 > 1 or body[at] & 15 > 3:
            raise unreadable("tables of a code stream that do not add up")
        found.append((body[at], body[at:stop]))
        at = stop
    return found
