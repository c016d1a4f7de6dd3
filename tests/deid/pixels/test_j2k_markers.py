"""JPEG 2000 streams that have more than one reading, or room for something else, are not taken apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.deid.pixels.code_stream import StreamHeader
from proxy.deid.pixels.j2k_markers import take_apart
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import of
from tests.deid.pixels.test_jpeg_markers import at, insert, put, segment

DEEP, TILES, COLOUR = of("4.90-deep").stream, of("4.203-tiles").stream, of("4.90-colour").stream
SIZ, COD, QCD, SOT, SOD, TLM = b"\xff\x51", b"\xff\x52", b"\xff\x5c", b"\xff\x90", b"\xff\x93", b"\xff\x55"


def taken(stream: bytes) -> object:
    return take_apart(stream, 0, len(stream))


@pytest.mark.parametrize(
    ("name", "header", "tiles", "reversible", "transform", "high"),
    [
        ("4.90-deep", StreamHeader(40, 36, 1, 12, signed=False), 1, True, False, False),
        ("4.90-signed", StreamHeader(40, 36, 1, 12, signed=True), 1, True, False, False),
        ("4.90-bits", StreamHeader(40, 36, 1, 1, signed=False), 1, True, False, False),
        ("4.91-lossy", StreamHeader(40, 36, 1, 12, signed=False), 1, False, False, False),
        ("4.201-deep", StreamHeader(40, 36, 1, 12, signed=False), 1, True, False, True),
        ("4.201-signed", StreamHeader(40, 36, 1, 12, signed=True), 1, True, False, True),
        ("4.203-tiles", StreamHeader(40, 36, 1, 16, signed=False), 9, True, False, True),
        ("4.203-lossy", StreamHeader(40, 36, 3, 8, signed=False), 1, False, True, True),
    ],
)  # fmt: skip
def test_taken_apart(
    name: str, header: StreamHeader, tiles: int, reversible: bool, transform: bool, high: bool
) -> None:
    stream = of(name).stream
    j2k = take_apart(stream + b"behind", 0, len(stream) + 6)
    assert (j2k.header, j2k.reversible, j2k.transform, j2k.high) == (header, reversible, transform, high)
    assert {part.tile for part in j2k.parts} == set(range(tiles))
    assert (j2k.start, j2k.end) == (0, len(stream))
    pieces = [*j2k.main, *(piece for part in j2k.parts for piece in part.pieces)]
    assert sum(piece.end - piece.start for piece in pieces) == len(stream) - 4, "all but SOC and EOC belongs to a piece"


def test_components_that_are_transformed() -> None:
    assert not take_apart(COLOUR, 0, len(COLOUR)).transform, "RGB is written as it is"
    sample = of("4.91-file")
    start = sample.stream.index(b"\xff\x4f\xff\x51")
    assert take_apart(sample.stream, start, len(sample.stream)).transform


def tile_part(stream: bytes) -> bytes:
    start = at(stream, SOT)
    return stream[start : start + int.from_bytes(stream[start + 6 : start + 10], "big")]


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no SOC": lambda: DEEP[2:],
    "no EOC": lambda: DEEP[:-2],
    "cut in the header": lambda: DEEP[: at(DEEP, COD, 3)],
    "no size": lambda: DEEP.replace(segment(DEEP, SIZ), b""),
    "a size that is not the first": lambda: insert(DEEP, 2, b"\xff\x64\0\x06\0\1ab"),
    "two sizes": lambda: insert(DEEP, at(DEEP, COD), segment(DEEP, SIZ)),
    "a longer size": lambda: put(insert(DEEP, at(DEEP, COD), b"XYZ"), at(DEEP, SIZ, 2), b"\0\x2c"),
    "no extent": lambda: put(DEEP, at(DEEP, SIZ, 6), bytes(4)),
    "an offset beyond the extent": lambda: put(DEEP, at(DEEP, SIZ, 14), b"\0\0\1\0"),
    "tiles without an extent": lambda: put(DEEP, at(DEEP, SIZ, 22), bytes(4)),
    "tiles beside the image": lambda: put(DEEP, at(DEEP, SIZ, 22), b"\0\0\0\1" * 2 + b"\0\0\0\2" * 2),
    "a million tiles": lambda: put(DEEP, at(DEEP, SIZ, 6), b"\0\1\0\0" * 2 + bytes(8) + b"\0\0\0\1" * 2),
    "subsampled components": lambda: put(COLOUR, at(COLOUR, SIZ, 44), b"\2"),
    "components of several depths": lambda: put(COLOUR, at(COLOUR, SIZ, 43), b"\x0b"),
    "no coding style": lambda: DEEP.replace(segment(DEEP, COD), b""),
    "a longer coding style": lambda: put(insert(DEEP, at(DEEP, COD) + 14, b"XY"), at(DEEP, COD, 2), b"\0\x0e"),
    "no quantization": lambda: DEEP.replace(segment(DEEP, QCD), b""),
    "a longer quantization": lambda: put(
        insert(DEEP, at(DEEP, QCD) + len(segment(DEEP, QCD)), b"text"),
        at(DEEP, QCD, 2),
        (len(segment(DEEP, QCD)) + 2).to_bytes(2, "big"),
    ),
    "a tile that is not there": lambda: TILES.replace(tile_part(TILES), b""),
    "a tile too many": lambda: put(insert(DEEP, at(DEEP, SOT), tile_part(DEEP)), at(DEEP, SOT, 5), b"\1"),
    "a tile-part beyond the end": lambda: put(DEEP, at(DEEP, SOT, 6), b"\0\xff\0\0"),
    "a tile-part shorter than its header": lambda: put(DEEP, at(DEEP, SOT, 6), b"\0\0\0\x0c"),
    "bytes between tile-parts": lambda: insert(DEEP, len(DEEP) - 2, b"text"),
    "an open tile-part without an end": lambda: put(DEEP, at(DEEP, SOT, 6), bytes(4))[:-2],
    "a length of one": lambda: insert(DEEP, at(DEEP, COD), b"\xff\x64\0\1"),
    "a marker without a length": lambda: insert(DEEP, at(DEEP, COD), b"\xff\x30"),
    "a transform that comes and goes": lambda: put(
        insert(COLOUR, at(COLOUR, SOD), put(segment(COLOUR, COD), 8, b"\1")),
        at(COLOUR, SOT, 6),
        (len(tile_part(COLOUR)) + 14).to_bytes(4, "big"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str) -> None:
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        taken(UNREADABLE[name]())


@pytest.mark.parametrize("marker", [0x74, 0x75, 0x76, 0x77, 0x78])
def test_extensions_of_part_2(marker: int) -> None:
    """MCT, MCC, NLT, MCO, CBD (T.801) change what samples mean."""
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        taken(insert(DEEP, at(DEEP, COD), bytes((0xFF, marker)) + b"\0\x04ab"))


def test_an_open_tile_part_ends_at_the_first_eoc() -> None:
    """Psot 0 (T.800 A.4.2); packets hold no code above 0xFF8F, so what follows EOC is not the picture's."""
    stream = put(DEEP, at(DEEP, SOT, 6), bytes(4))
    j2k = take_apart(stream + b"hidden\xff\xd9", 0, len(stream) + 8)
    assert j2k.end == len(stream)
