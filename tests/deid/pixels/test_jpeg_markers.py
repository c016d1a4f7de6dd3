"""JPEG and JPEG-LS streams that have more than one reading, or room for something else, are not taken apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.deid.pixels.code_stream import StreamHeader
from proxy.deid.pixels.jpeg_markers import ENTROPY, EXTENDED, JPEG_LS, LOSSLESS, PROGRESSIVE, SEQUENTIAL, take_apart
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import of

GREY, COLOUR, RESTARTS = of("4.50-grey").stream, of("4.50-420").stream, of("4.50-restarts").stream
SOF, SOS, DHT = b"\xff\xc0", b"\xff\xda", b"\xff\xc4"


def at(stream: bytes, mark: bytes, offset: int = 0) -> int:
    return stream.index(mark) + offset


def put(stream: bytes, where: int, new: bytes) -> bytes:
    return stream[:where] + new + stream[where + len(new) :]


def insert(stream: bytes, where: int, new: bytes) -> bytes:
    return stream[:where] + new + stream[where:]


def segment(stream: bytes, mark: bytes) -> bytes:
    start = at(stream, mark)
    return stream[start : start + 2 + int.from_bytes(stream[start + 2 : start + 4], "big")]


@pytest.mark.parametrize(
    ("name", "process", "precision", "components", "scans"),
    [
        ("4.50-grey", SEQUENTIAL, 8, 1, 1),
        ("4.50-420", SEQUENTIAL, 8, 3, 1),
        ("4.51-deep", EXTENDED, 12, 1, 1),
        ("4.53-progressive", PROGRESSIVE, 8, 1, 6),
        ("4.57-deep", LOSSLESS, 12, 1, 1),
        ("4.70-colour", LOSSLESS, 8, 3, 1),
        ("4.80-deep", JPEG_LS, 16, 1, 1),
        ("4.81-near", JPEG_LS, 8, 3, 1),
    ],
)
def test_taken_apart(name: str, process: int, precision: int, components: int, scans: int) -> None:
    stream = of(name).stream
    jpeg = take_apart(stream + b"behind")
    assert (jpeg.process, jpeg.header) == (process, StreamHeader(40, 36, components, precision))
    assert jpeg.end == len(stream)
    assert [piece.marker for piece in jpeg.pieces].count(ENTROPY) == len(jpeg.scans) == scans
    covered = sum(piece.end - piece.start for piece in jpeg.pieces)
    assert covered == len(stream) - 4, "every byte but SOI and EOI belongs to a piece"


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no SOI": lambda: GREY[2:],
    "no EOI": lambda: GREY[:-2],
    "cut in the header": lambda: GREY[: at(GREY, SOS, 3)],
    "two frame headers": lambda: insert(GREY, at(GREY, SOF), segment(GREY, SOF)),
    "no frame header": lambda: GREY.replace(segment(GREY, SOF), b""),
    "no scan": lambda: GREY[: at(GREY, SOS)] + b"\xff\xd9",
    "a scan before the frame": lambda: GREY.replace(segment(GREY, SOF), b"").replace(
        b"\xff\xd9", segment(GREY, SOF) + b"\xff\xd9"
    ),
    "a scan without data": lambda: GREY[: at(GREY, SOS) + len(segment(GREY, SOS))] + b"\xff\xd9",
    "lines in DNL": lambda: put(GREY, at(GREY, SOF, 5), b"\0\0"),
    "no columns": lambda: put(GREY, at(GREY, SOF, 7), b"\0\0"),
    "a longer frame header": lambda: put(insert(GREY, at(GREY, SOF) + 13, b"XY"), at(GREY, SOF, 2), b"\0\x0d"),
    "a longer scan header": lambda: put(insert(GREY, at(GREY, SOS) + 10, b"XY"), at(GREY, SOS, 2), b"\0\x0a"),
    "a scan of nothing": lambda: put(GREY, at(GREY, SOS, 4), b"\0"),
    "an empty scan header": lambda: put(
        GREY[: at(GREY, SOS, 4)] + GREY[at(GREY, SOS) + 10 :], at(GREY, SOS, 2), b"\0\2"
    ),
    "a second scan of the same component": lambda: GREY[:-2] + GREY[at(GREY, SOS) :],
    "a scan of another component": lambda: put(GREY, at(GREY, SOS, 5), b"\x09"),
    "two components of one name": lambda: put(COLOUR, at(COLOUR, SOF, 13), b"\x01"),
    "no sampling factor": lambda: put(COLOUR, at(COLOUR, SOF, 11), b"\x02"),
    "restart markers without an interval": lambda: RESTARTS.replace(segment(RESTARTS, b"\xff\xdd"), b""),
    "more restart markers": lambda: insert(RESTARTS, len(RESTARTS) - 2, b"\xff\xd0text"),
    "restart markers in another order": lambda: put(RESTARTS, RESTARTS.index(b"\xff\xd1"), b"\xff\xd3"),
    "an interval of the wrong length": lambda: insert(GREY, 2, b"\xff\xdd\0\x06\0\0\0\0"),
    "a length of one": lambda: insert(GREY, 2, b"\xff\xfe\0\x01"),
    "a length beyond the end": lambda: insert(GREY, 2, b"\xff\xfe\xff\xff"),
    "bytes between segments": lambda: insert(GREY, at(GREY, SOF), b"text"),
    "a marker without meaning": lambda: insert(GREY, 2, b"\xff\x02\0\x04ab"),
    "5000 comments": lambda: insert(GREY, 2, b"\xff\xfe\0\x02" * 5000),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str) -> None:
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        take_apart(UNREADABLE[name]())


@pytest.mark.parametrize("marker", [0xC5, 0xC9, 0xCA, 0xCB, 0xCC, 0xCF, 0xDE, 0xDF])
def test_processes_that_nothing_reads(marker: int) -> None:
    """Differential and arithmetic frames, their conditioning, hierarchical progressions (T.81 Table B.1)."""
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        take_apart(put(GREY, at(GREY, SOF), bytes((0xFF, marker))))


def test_restart_intervals_of_every_kind() -> None:
    """As many as units make necessary: interleaved, subsampled, in lines of JPEG-LS."""
    jpeg = take_apart(RESTARTS)
    restarts = [RESTARTS.count(bytes((0xFF, 0xD0 + n))) for n in range(8)]
    assert sum(restarts) == -(-5 * 5 // 3) - 1
    assert jpeg.scans[0].identifiers == (1,)
