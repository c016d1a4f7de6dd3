"""The scans of a sequential Huffman JPEG stream (ITU-T T.81 processes 1, 2 and 4), each with the tables in force.

Works on what `jpeg_markers` took apart. What another process codes raises `InstanceHeld` with NO_CODEC, what does not
add up with PIXELS_UNREADABLE. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from proxy.deid.pixels.code_stream import Bytes, no_codec, unreadable
from proxy.deid.pixels.jpeg_markers import (
    APP0,
    APP14,
    DHT,
    DNL,
    DQT,
    DRI,
    ENTROPY,
    EXTENDED,
    SEQUENTIAL,
    SOS,
    Component,
    Jpeg,
    payload,
    take_apart,
)
from proxy.deid.pixels.jpeg_tables import CATEGORIES, Huffman, read_huffman

#: precisions of a process (T.81 table B.2)
_PRECISIONS = {SEQUENTIAL: (8,), EXTENDED: tuple(CATEGORIES)}
#: Ss, Se, Ah and Al of a sequential scan (T.81 table B.3); some encoders leave Se 0, all decoders read 63
_SPECTRA = ((0, 63, 0), (0, 0, 0))
#: blocks in one MCU of an interleaved scan (T.81 B.2.3)
_MOST_BLOCKS = 10


class CodedScan(NamedTuple):
    """One scan. ``components``: their places in the frame header; ``start``, ``end``: of the entropy-coded data.

    ``quantisers``: for each component its table as it stands in a DQT segment; ``tables``: for each destination and
    table of DC and of AC; ``restart``: MCUs a restart interval, 0 for one interval.
    """

    components: tuple[int, ...]
    quantisers: tuple[bytes, ...]
    tables: tuple[tuple[int, Huffman, int, Huffman], ...]
    restart: int
    start: int
    end: int


class Sequential(NamedTuple):
    """A stream: its frame header, what it says of its colour to decoders (``adobe``: the transform), its scans."""

    process: int
    rows: int
    columns: int
    precision: int
    components: tuple[Component, ...]
    jfif: bool
    adobe: int | None
    scans: tuple[CodedScan, ...]


def read_sequential(stream: Bytes) -> Sequential:
    """All of ``stream`` but its coefficients."""
    jpeg = take_apart(stream)
    header = jpeg.header
    if jpeg.process not in _PRECISIONS or any(piece.marker == DNL for piece in jpeg.pieces):
        raise no_codec("JPEG: not sequential DCT with Huffman coding of a known number of lines")
    if header.precision not in _PRECISIONS[jpeg.process]:
        raise unreadable("JPEG: a precision that the process does not have")
    ahead = next(place for place, piece in enumerate(jpeg.pieces) if piece.marker == SOS)
    applications = [(piece.marker, payload(stream, piece)) for piece in jpeg.pieces[:ahead]]
    jfif = any(marker == APP0 and body[:5] == b"JFIF\0" for marker, body in applications)
    adobe = [body[11] for marker, body in applications if marker == APP14 and body[:5] == b"Adobe" and len(body) > 11]
    return Sequential(
        jpeg.process,
        header.rows,
        header.columns,
        header.precision,
        jpeg.components,
        jfif,
        adobe[-1] if adobe else None,
        tuple(_scans(stream, jpeg)),
    )


def _scans(stream: Bytes, jpeg: Jpeg) -> Iterator[CodedScan]:
    quantisers: dict[int, bytes] = {}
    huffman: dict[tuple[int, int], Huffman] = {}
    scans, restart = iter(jpeg.scans), 0
    for piece in jpeg.pieces:
        if piece.marker == DQT:
            quantisers.update(_quantisers(payload(stream, piece)))
        elif piece.marker == DHT:
            huffman.update(((kind, to), table) for kind, to, table in read_huffman(payload(stream, piece)))
        elif piece.marker == DRI:
            restart = int.from_bytes(payload(stream, piece), "big")
        elif piece.marker == ENTROPY:
            scan = next(scans)
            if (scan.start, scan.end, scan.shift) not in _SPECTRA:
                raise unreadable("JPEG: a scan header that is not sequential")
            found = _components(jpeg.components, scan.identifiers)
            try:
                yield CodedScan(
                    found,
                    tuple(quantisers[jpeg.components[place].table] for place in found),
                    tuple((t >> 4, huffman[0, t >> 4], t & 15, huffman[1, t & 15]) for t in scan.tables),
                    restart,
                    piece.start,
                    piece.end,
                )
            except KeyError:
                raise unreadable("JPEG: a scan without its tables") from None


def _components(components: tuple[Component, ...], identifiers: tuple[int, ...]) -> tuple[int, ...]:
    """Places of a scan's components: in the frame's order, and not more than one MCU holds (T.81 B.2.3)."""
    found = tuple(place for place, component in enumerate(components) if component.identifier in identifiers)
    blocks = sum(components[place].horizontal * components[place].vertical for place in found)
    if tuple(components[place].identifier for place in found) != identifiers:
        raise unreadable("JPEG: components of a scan in another order")
    if len(found) > 1 and blocks > _MOST_BLOCKS:
        raise unreadable("JPEG: components of a scan that do not fit into one MCU")
    return found


def _quantisers(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(destination, table as it stands) of each table in a DQT segment (T.81 B.2.4.1)."""
    while body:
        wide, to = body[0] >> 4, body[0] & 15
        size = 65 + 64 * wide
        if wide > 1 or to > 3 or len(body) < size:
            raise unreadable("JPEG: quantisation tables that do not add up")
        yield to, body[:size]
        body = body[size:]


def steps(quantiser: bytes) -> list[int]:
    """The 64 steps of a quantisation table, in zig-zag order."""
    width = 1 + (quantiser[0] >> 4)
    return [int.from_bytes(quantiser[at : at + width], "big") for at in range(1, 1 + 64 * width, width)]
