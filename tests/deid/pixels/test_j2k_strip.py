"""What JPEG 2000 streams carry beside their picture is gone afterwards, and the picture is the same."""

from __future__ import annotations

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest

from proxy.deid.pixels import codecs
from proxy.deid.pixels.j2k_markers import take_apart
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Sample, cleaned, of, samples, without_pads
from tests.deid.pixels.test_j2k_markers import COD, SOD, SOT, TLM, tile_part
from tests.deid.pixels.test_jpeg_markers import at, insert, put, segment
from tests.deid.pixels.test_jpeg_strip import CANARY, seg

J2KS = [s for s in samples() if s.uid.split(".")[-1] in "90 91 201 202 203".split() and s.name != "4.91-file"]
SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def in_file(stream: bytes, *more: bytes, header: bytes = b"") -> bytes:
    ihdr = box(b"ihdr", struct.pack(">IIHBBBB", 40, 36, 1, 7, 7, 0, 0))
    colr = box(b"colr", b"\1\0\0" + struct.pack(">I", 17))
    front = SIGNATURE + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + box(b"jp2h", ihdr + colr + header)
    return front + b"".join(more) + box(b"jp2c", stream)


def in_tile(stream: bytes, new: bytes) -> bytes:
    """``new`` in the header of the first tile-part."""
    longer = len(tile_part(stream)) + len(new)
    return insert(put(stream, at(stream, SOT, 6), longer.to_bytes(4, "big")), at(stream, SOD), new)


CHANNELS: dict[str, Callable[[bytes], bytes]] = {
    "comment": lambda s: insert(s, at(s, COD), seg(0x64, b"\0\1" + CANARY)),
    "binary comment": lambda s: insert(s, at(s, COD), seg(0x64, b"\0\0" + CANARY)),
    "comment of a tile": lambda s: in_tile(s, seg(0x64, b"\0\1" + CANARY)),
    "registration": lambda s: insert(s, at(s, COD), seg(0x63, CANARY)),
    "unknown segment": lambda s: insert(s, at(s, COD), seg(0x6B, CANARY)),
    "unknown segment of a tile": lambda s: in_tile(s, seg(0x6B, CANARY)),
    "packet lengths of nobody": lambda s: insert(s, at(s, COD), seg(0x57, b"\0" + CANARY)),
    "packet lengths of a tile that are not true": lambda s: in_tile(s, seg(0x58, b"\0" + CANARY)),
    "tile-part lengths that are not true": lambda s: insert(s, at(s, COD), seg(0x55, b"\0\x60" + CANARY)),
    "behind the end": lambda s: s + CANARY,
    "a second picture": lambda s: s + insert(s, at(s, COD), seg(0x64, b"\0\1" + CANARY)),
    "XML box": lambda s: in_file(s, box(b"xml ", CANARY)),
    "UUID box": lambda s: in_file(s, box(b"uuid", bytes(16) + CANARY)),
    "rights box": lambda s: in_file(s, box(b"jp2i", CANARY)),
    "box in the header": lambda s: in_file(s, header=box(b"zzzz", CANARY)),
    "box behind the picture": lambda s: in_file(s) + box(b"xml ", CANARY),
    "free box": lambda s: in_file(s, box(b"free", CANARY)),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("sample", J2KS, ids=lambda sample: sample.name)
def test_channels(sample: Sample, channel: str) -> None:
    planted = CHANNELS[channel](sample.stream)
    cleaned(sample, planted, CANARY)


@pytest.mark.parametrize("sample", J2KS, ids=lambda sample: sample.name)
def test_what_holds_nothing_stays(sample: Sample) -> None:
    without_pads(sample)


def lengths(stream: bytes) -> list[tuple[int, int]]:
    """What TLM says: pairs of tile and length, in segments of 2 and 4 bytes (Stlm 0x60)."""
    body = segment(stream, TLM)[4:]
    assert body[1] == 0x60
    return [struct.unpack_from(">HI", body, at) for at in range(2, len(body), 6)]


@pytest.mark.parametrize("name", ["4.202-deep", "4.203-tiles"])
def test_lengths_of_tile_parts_stay_true(name: str) -> None:
    """A comment in a tile-part header goes: Psot and TLM tell the new length."""
    sample = of(name)
    clean = codecs.strip(sample.stream, sample.layout, sample.uid) or sample.stream
    true = [(p.tile, p.pieces[-1].end - p.pieces[0].start) for p in take_apart(clean, 0, len(clean)).parts]
    assert lengths(clean) == true
    assert len(true) > 1
    assert codecs.strip(in_tile(sample.stream, seg(0x64, b"\0\1" + CANARY)), sample.layout, sample.uid) == clean
    wrong = put(clean, at(clean, TLM, 8), b"\0\0\0\x09")
    assert codecs.strip(wrong, sample.layout, sample.uid) == clean


@pytest.mark.parametrize(("tile", "length"), [(0, 2), (1, 2), (2, 2), (0, 4), (1, 4)])
def test_lengths_in_every_size(tile: int, length: int) -> None:
    """Stlm (T.800 A.7.1): tile numbers of 0, 1 or 2 bytes, lengths of 2 or 4."""
    sample = of("4.203-tiles")
    clean = codecs.strip(sample.stream, sample.layout, sample.uid) or sample.stream
    true = lengths(clean)
    entries = b"".join((t.to_bytes(tile, "big") if tile else b"") + size.to_bytes(length, "big") for t, size in true)
    other = clean.replace(segment(clean, TLM), seg(0x55, bytes((0, tile << 4 | (length == 4) << 6)) + entries))
    assert codecs.strip(other, sample.layout, sample.uid) is None
    assert codecs.strip(in_tile(other, seg(0x64, b"\0\1" + CANARY)), sample.layout, sample.uid) == other
    cut = 4 * (tile + length)
    parts = enumerate((entries[:cut], entries[cut:]))
    halves = [seg(0x55, bytes((n, other[at(other, TLM, 5)])) + part) for n, part in parts]
    assert codecs.strip(clean.replace(segment(clean, TLM), b"".join(halves)), sample.layout, sample.uid) is None
    for wrong in (b"\x30" + entries, b"\x50" + entries[:-1], b""):
        planted = clean.replace(segment(clean, TLM), seg(0x55, b"\0" + wrong))
        assert codecs.strip(planted, sample.layout, sample.uid) == clean.replace(segment(clean, TLM), b"")


def test_true_packet_lengths_stay() -> None:
    """PLT that accounts for every byte of the data (T.800 A.7.3)."""
    sample = of("4.90-deep")
    j2k = take_apart(sample.stream, 0, len(sample.stream))
    data = j2k.parts[0].pieces[-1]
    size = data.end - data.start - 2
    coded = bytes([0x80 | size >> 7, size & 0x7F])
    stream = in_tile(sample.stream, seg(0x58, b"\0" + coded))
    assert codecs.strip(stream, sample.layout, sample.uid) is None
    assert np.array_equal(imagecodecs.jpeg2k_decode(stream), sample.frame)


@pytest.mark.parametrize(
    "header",
    [
        box(b"pclr", b"\0\1\1\7" + b"\0"),
        box(b"cmap", bytes(4)),
        box(b"cdef", b"\0\1" + struct.pack(">HHH", 0, 0, 2)),
    ],
)
def test_files_whose_boxes_change_samples(header: bytes) -> None:
    sample = of("4.90-grey")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(in_file(sample.stream, header=header), sample.layout, sample.uid)


def test_files_with_long_boxes() -> None:
    """XLBox (T.800 I.4): a length of 64 bits; and a last box that goes to the end."""
    sample = of("4.90-grey")
    front = in_file(b"")[:-8]
    size = len(sample.stream)
    for head in (struct.pack(">I4sQ", 1, b"jp2c", size + 16), struct.pack(">I4s", 0, b"jp2c")):
        assert codecs.strip(front + head + sample.stream, sample.layout, sample.uid) == sample.stream
    long = struct.pack(">I4sQ", 1, b"jp2c", size + 16) + sample.stream + box(b"xml ", CANARY)
    assert codecs.strip(front + long, sample.layout, sample.uid) == sample.stream


def test_files_with_channels_in_order() -> None:
    sample = of("4.90-grey")
    planted = in_file(sample.stream, header=box(b"cdef", b"\0\1" + struct.pack(">HHH", 0, 0, 1)))
    for pad in (b"", b"\0"):
        assert codecs.strip(planted + pad, sample.layout, sample.uid) == sample.stream


@pytest.mark.parametrize(
    "planted",
    [
        in_file(b"")[:-8],
        in_file(of("4.90-grey").stream, box(b"jp2c", b"")),
        in_file(of("4.90-grey").stream)[:40],
        SIGNATURE + b"\0\0\0\x04zzzz",
        SIGNATURE + box(b"jp2c", of("4.90-grey").stream),
    ],
)
def test_files_without_one_picture(planted: bytes) -> None:
    sample = of("4.90-grey")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(planted, sample.layout, sample.uid)


def test_an_open_length_stays_open() -> None:
    sample = of("4.90-deep")
    stream = put(sample.stream, at(sample.stream, SOT, 6), bytes(4))
    assert codecs.strip(stream, sample.layout, sample.uid) is None
