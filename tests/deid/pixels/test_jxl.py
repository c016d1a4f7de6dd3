"""JPEG XL: the header that is read before decoding, boxes and slack that go, and the JPEG that may travel inside."""

from __future__ import annotations

import struct
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from proxy.deid.pixels import codec_jxl, codecs
from proxy.deid.pixels.jxl_header import read_jxl
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import layout, of, picture
from tests.deid.pixels.test_jpeg_markers import insert
from tests.deid.pixels.test_jpeg_strip import CANARY, seg

UID = codecs.JPEG_XL_LOSSLESS
RECOMPRESSED = of("4.111-jpeg")
DEEP = picture(40, 36, top=65535)
WIDE = layout(DEEP)
#: 16 bits a sample need level 10, which a file says
FILE = codecs.encode(DEEP, WIDE, UID)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.mark.parametrize("bits", [8, 10, 12, 13, 16])
@pytest.mark.parametrize("shape", [(37, 41), (64, 64), (64, 128), (8, 300), (48, 64, 3), (120, 100), (18, 32)])
def test_headers(shape: tuple[int, ...], bits: int) -> None:
    frame = picture(*shape[:2], samples=3 if len(shape) == 3 else 1, top=(1 << bits) - 1)
    for options in ({"lossless": True}, {"lossless": False, "distance": 2.0}):
        stream = imagecodecs.jpegxl_encode(frame, effort=1, bitspersample=bits, numthreads=1, **options)
        header = read_jxl(stream).header
        assert (header.rows, header.columns, header.precision) == (*shape[:2], bits)
        assert header.components == (3 if len(shape) == 3 else 1)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\xff",
        b"\xff\x0a",
        b"\xff\x0a\xfe",
        FILE[:20],
        FILE.replace(b"jxlc", b"jxlx"),
        FILE + box(b"jxlc", b"\xff\x0a"),
        imagecodecs.jpegxl_encode(np.stack([picture(8, 8)] * 2, axis=-1), effort=1),
        imagecodecs.jpegxl_encode(np.stack([picture(8, 8)] * 4, axis=-1), effort=1),
        imagecodecs.jpegxl_encode(picture(8, 8).astype("f4") / 255, effort=1),
        imagecodecs.jpegxl_encode(np.stack([picture(8, 8, 3)] * 2), effort=1, photometric="rgb"),
    ],
)
def test_what_is_no_dicom_image(stream: bytes) -> None:
    """Alpha, floating point, animation: nothing of DICOM has them, and a decoder would drop what they show."""
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        read_jxl(stream)


@pytest.mark.parametrize("kind", [b"Exif", b"xml ", b"jumb", b"brob", b"jxli", b"free", b"jhgm"])
def test_boxes(kind: bytes) -> None:
    for planted in (FILE + box(kind, CANARY), insert(FILE, 32, box(kind, CANARY))):
        clean = codecs.strip(planted, WIDE, UID)
        assert clean is not None
        assert CANARY not in clean
        assert np.array_equal(codecs.decode(clean, WIDE, UID), DEEP)
        assert codecs.strip(clean, WIDE, UID) is None


@pytest.mark.parametrize("name", ["4.110-grey", "4.110-colour", "4.110-deep", "4.112-lossy"])
def test_bytes_that_no_decoder_reads(name: str) -> None:
    sample = of(name)
    assert codecs.strip(sample.stream, sample.layout, sample.uid) is None
    assert codecs.strip(sample.stream + b"\0", sample.layout, sample.uid) is None
    assert codecs.strip(sample.stream + CANARY, sample.layout, sample.uid) == sample.stream


def test_slack_inside_a_file() -> None:
    at = FILE.index(b"jxlc")
    size = int.from_bytes(FILE[at - 4 : at], "big") + len(CANARY)
    planted = FILE[: at - 4] + size.to_bytes(4, "big") + FILE[at:] + CANARY
    assert codecs.strip(planted, WIDE, UID) == FILE
    assert codecs.strip(FILE + b"\0", WIDE, UID) is None
    brand = FILE.replace(b"ftypjxl \0\0\0\0", b"ftypjxl SMIT")
    assert codecs.strip(brand, WIDE, UID) == FILE


def test_the_jpeg_inside_is_cleaned() -> None:
    """Comments and application data of the JPEG are in the file, compressed: no search of bytes would find them."""
    jpeg = codec_jxl.to_jpeg(RECOMPRESSED.stream)
    before = codecs.decode(RECOMPRESSED.stream, RECOMPRESSED.layout, RECOMPRESSED.uid)
    for planted in (
        insert(jpeg, 2, seg(0xFE, CANARY * 20)),
        insert(jpeg, 2, seg(0xE1, b"Exif\0\0" + CANARY * 20)),
        jpeg + CANARY * 20,
    ):
        stream = codec_jxl.from_jpeg(planted)
        assert codec_jxl.to_jpeg(stream) == planted
        clean = codecs.strip(stream, RECOMPRESSED.layout, RECOMPRESSED.uid)
        assert clean == RECOMPRESSED.stream
        assert codec_jxl.to_jpeg(clean) == jpeg
        assert np.array_equal(codecs.decode(stream, RECOMPRESSED.layout, RECOMPRESSED.uid), before)
    assert codecs.strip(RECOMPRESSED.stream, RECOMPRESSED.layout, RECOMPRESSED.uid) is None


def test_a_jpeg_inside_is_read_as_that_jpeg() -> None:
    """YBR stays YBR, as by the transfer syntax JPEG Baseline."""
    jpeg = codec_jxl.to_jpeg(RECOMPRESSED.stream)
    inside = codecs.decode(RECOMPRESSED.stream, RECOMPRESSED.layout, RECOMPRESSED.uid)
    assert np.array_equal(inside, codecs.decode(jpeg, RECOMPRESSED.layout, of("4.50-420").uid))
    assert np.array_equal(codec_jxl.from_jpeg(jpeg), RECOMPRESSED.stream)


def test_a_broken_jpeg_inside() -> None:
    at = RECOMPRESSED.stream.index(b"jbrd") + 8
    for stream in (
        RECOMPRESSED.stream[:at] + b"\xff\xff\xff" + RECOMPRESSED.stream[at + 3 :],
        RECOMPRESSED.stream.replace(b"jbrd", b"jbrx"),
    ):
        with pytest.raises(InstanceHeld):
            codecs.decode(stream, RECOMPRESSED.layout, RECOMPRESSED.uid)


def test_colours_that_jpeg_xl_has_not() -> None:
    sample = of("4.110-colour")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.decode(sample.stream, replace(sample.layout, photometric="YBR_FULL"), sample.uid)
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        codec_jxl.from_jpeg(b"\xff\xd8no jpeg")
