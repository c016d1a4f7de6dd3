"""Frames of every transfer syntax: read as an independent decoder reads them, written so that nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from proxy.deid.pixels import codec_jls, codecs
from proxy.deid.pixels.frames import blank, cells_of
from proxy.deid.pixels.plan import Box, Layout
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import PREFIX, WRITTEN, Frame, Sample, baseline, layout, of, picture, samples

SHAPES = [(13, 11), (1, 1), (9, 64), (64, 3)]
#: Bits Allocated, Bits Stored, High Bit, signed
BITS = [(8, 8, 7, False), (8, 7, 6, False), (8, 6, 7, False), (8, 8, 7, True), (16, 8, 7, False), (16, 8, 7, True),
        (16, 10, 9, False), (16, 12, 11, False), (16, 12, 11, True), (16, 12, 13, False), (16, 13, 12, True),
        (16, 16, 15, False), (16, 16, 15, True)]  # fmt: skip
COLOURS = ["RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT"]
XL = (PREFIX + "4.110", PREFIX + "4.112")


def random_frame(like: Layout) -> Frame:
    shape = (like.rows, like.columns) + ((3,) if like.samples == 3 else ())
    rng = np.random.default_rng(like.rows * 100 + like.stored)
    return rng.integers(like.lowest, like.highest, shape, endpoint=True).astype(like.dtype)


def layouts(uid: str) -> Iterator[Layout]:
    for rows, columns in SHAPES:
        for allocated, stored, high, signed in BITS:
            if not (signed and uid in XL):
                yield Layout(rows, columns, 1, 1, 0, allocated, stored, high, signed, "MONOCHROME1")
        for photometric in COLOURS:
            for bits in (8, 16):
                if not (photometric == "YBR_FULL" and uid in XL):
                    yield Layout(rows, columns, 1, 3, 0, bits, bits, bits - 1, False, photometric)


@pytest.mark.parametrize("uid", WRITTEN)
def test_round_trips(uid: str) -> None:
    """Every value comes back, also where the bits stored are not the lowest; the data set is told the truth."""
    for like in layouts(uid):
        frame = random_frame(like)
        stream = codecs.encode(frame, like, uid)
        told = codecs.coded_layout(like, uid)
        back = codecs.decode(stream, told, uid)
        assert (back.dtype, back.tobytes()) == (frame.dtype, frame.tobytes()), like
        assert back.flags.c_contiguous
        assert codecs.strip(stream, told, uid) is None, like
        assert codecs.hides(stream, told, uid) == (), like
        assert replace(told, photometric=like.photometric) == like


@pytest.mark.parametrize(
    ("uid", "photometric", "told"),
    [
        ("4.70", "YBR_FULL_422", "YBR_FULL"),
        ("4.80", "YBR_FULL_422", "YBR_FULL"),
        ("4.90", "YBR_ICT", "YBR_RCT"),
        ("4.203", "YBR_ICT", "YBR_RCT"),
        ("4.90", "RGB", "RGB"),
        ("4.80", "YBR_RCT", "RGB"),
        ("5", "YBR_ICT", "RGB"),
        ("4.110", "XYB", "RGB"),
        ("8.1", "YBR_FULL_422", "YBR_FULL_422"),
        ("5", "MONOCHROME1", "MONOCHROME1"),
    ],
)
def test_what_the_data_set_has_to_say(uid: str, photometric: str, told: str) -> None:
    like = Layout(4, 4, 1, 1 if photometric[:4] == "MONO" else 3, 1, 8, 8, 7, False, photometric)
    after = codecs.coded_layout(like, PREFIX + uid)
    assert after.photometric == told
    assert after.planar == (1 if uid in ("5", "8.1") else 0)


def test_what_is_read_and_written() -> None:
    for uid in WRITTEN:
        assert codecs.can_decode(uid)
        assert codecs.can_encode(uid)
        assert codecs.lossless_syntax(uid) == uid
    for end, lossless in (("4.50", "4.70"), ("4.51", "4.70"), ("4.53", "4.70"), ("4.55", "4.70"), ("4.111", "4.70")):
        assert codecs.can_decode(PREFIX + end)
        assert not codecs.can_encode(PREFIX + end)
        assert codecs.lossless_syntax(PREFIX + end) == PREFIX + lossless


FOREIGN = "4.52 4.54 4.56 4.58 4.59 4.65 4.66 4.92 4.93 4.94 4.100 4.102 4.107 4.204 1 1.99 2 7.1"


@pytest.mark.parametrize("end", [*FOREIGN.split(), ""])
def test_what_nothing_reads(end: str) -> None:
    """Retired processes, Part 2, JPIP, video, and native pixels, which are no streams."""
    uid, frame = PREFIX + end if end else "", picture(4, 4)
    assert not codecs.can_decode(uid)
    assert codecs.lossless_syntax(uid) == ""
    for use in (codecs.decode, codecs.strip, codecs.hides):
        with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
            use(of("4.50-grey").stream, layout(frame), uid)
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        codecs.encode(frame, layout(frame), uid)


def test_the_lossy_ones_are_not_written() -> None:
    frame = picture(16, 16)
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        codecs.encode(frame, layout(frame), PREFIX + "4.50")


@pytest.mark.parametrize("end", ["4.70", "4.80", "4.110", "4.201"])
def test_samples_that_a_codec_has_not(end: str) -> None:
    """32 bits: held, not cut."""
    wide = np.arange(64, dtype="u4").reshape(8, 8) << 20
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):
        codecs.encode(wide, layout(wide), PREFIX + end)


def test_warm() -> None:
    """Afterwards no frame loads a codec any more: the memory of a worker is bounded then."""
    code = "import sys; from proxy.deid.pixels import codecs; codecs.warm(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {f"imagecodecs._{name}" for name in ("jpeg8", "jpegls", "jpeg2k", "htj2k", "jpegxl")} <= loaded
    assert not {"imagecodecs._avif", "imagecodecs._tiff", "rle"} & loaded


def test_a_codec_that_loses_something_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near-lossless by mistake, a dropped bit, another shape, an exception: held, whatever the codec thinks of it."""
    frame, uid = picture(16, 16), PREFIX + "4.80"
    honest = imagecodecs.jpegls_encode
    for broken in (
        lambda data, **_: honest(data, level=1),
        lambda data, **_: honest(data & 0xFE),
        lambda data, **_: honest(data.T[:8].copy()),
        lambda data, **_: b"SMITH",
        lambda data, **_: int("SMITH"),
    ):
        monkeypatch.setattr(codec_jls.imagecodecs, "jpegls_encode", broken)
        with pytest.raises(InstanceHeld) as held:
            codecs.encode(frame, layout(frame), uid)
        assert "SMITH" not in str(held.value)


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_samples_are_read(sample: Sample) -> None:
    """Lossless ones exactly, lossy ones nearly; colours of a JPEG stay what the data set calls them."""
    found = codecs.decode(sample.stream, sample.layout, sample.uid)
    assert (found.shape, found.dtype) == (sample.frame.shape, sample.layout.dtype)
    away = np.abs(found.astype("i8") - sample.frame)
    assert away.max() == 0 if sample.exact else away.mean() < sample.layout.highest / 24


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_blanked_and_written_again(sample: Sample) -> None:
    """Only the box changes, to the last bit, in the syntax that a stage would write."""
    before = codecs.decode(sample.stream, sample.layout, sample.uid)
    after, uid = before.copy(), codecs.lossless_syntax(sample.uid)
    blank(after, [Box(4, 6, 20, 18)], sample.layout)
    told = codecs.coded_layout(sample.layout, uid)
    found = codecs.decode(codecs.encode(after, sample.layout, uid), told, uid)
    outside = np.ones(before.shape[:2], bool)
    outside[6:18, 4:20] = False
    assert np.array_equal(found[outside], before[outside])
    assert np.array_equal(found[~outside], after[~outside])
    assert len(np.unique(found[~outside].reshape(12 * 16, -1), axis=0)) == 1


def test_lossy_htj2k_does_not_wrap() -> None:
    """OpenJPH's decoder makes 255 of -1 (measured); OpenJPEG, which reads here, clamps."""
    frame = np.zeros((64, 64), "u1")
    frame[:, 32:] = 255
    frame[::3, ::5] ^= 255
    stream = imagecodecs.htj2k_encode(frame, 0.1, reversible=False)
    wrapped = imagecodecs.htj2k_decode(stream)
    assert np.abs(wrapped.astype(int) - frame).max() > 250, "the trap is gone"
    found = codecs.decode(stream, layout(frame), PREFIX + "4.203")
    assert np.abs(found.astype(int) - frame).max() < 128


@pytest.mark.parametrize(("bits", "signed"), [(12, False), (12, True), (10, False), (7, False)])
def test_htj2k_says_how_many_bits_are_stored(bits: int, signed: bool) -> None:
    """The encoder only knows 8 and 16; the size segment says what it is, and two other decoders agree."""
    like = Layout(33, 47, 1, 1, 0, 16 if bits > 8 else 8, bits, bits - 1, signed, "MONOCHROME2")
    frame = random_frame(like)
    stream = codecs.encode(frame, like, PREFIX + "4.201")
    assert stream[42] == bits - 1 | 0x80 * signed
    assert np.array_equal(imagecodecs.htj2k_decode(stream), frame)
    assert np.array_equal(imagecodecs.jpeg2k_decode(stream), frame)


@pytest.mark.parametrize("shape", [(40, 36), (300, 200), (1000, 700)])
def test_rpcl(shape: tuple[int, int]) -> None:
    """PS3.5 10.18: order RPCL, TLM, a base resolution of at most 64 rows or columns."""
    frame = picture(*shape, top=4095)
    stream = codecs.encode(frame, layout(frame, 12), PREFIX + "4.202")
    style = stream.index(b"\xff\x52")
    levels = stream[style + 9]
    assert stream[style + 5] == 2
    assert -(-min(shape) // (1 << levels)) <= 64
    assert b"\xff\x55" in stream[: stream.index(b"\xff\x90")]


JFIF_RGB = baseline(picture(24, 24, 3))
BARE = JFIF_RGB.replace(JFIF_RGB[2:20], b"")


def adobe(transform: int) -> bytes:
    return BARE[:2] + b"\xff\xee\0\x0eAdobe\0d\0\0\0\0" + bytes([transform]) + BARE[2:]


def test_colours_of_a_jpeg() -> None:
    """YCbCr called RGB: converted, as viewers do. Unmarked: what the data set says. RGB called YBR: held."""
    assert JFIF_RGB[6:11] == b"JFIF\0"
    frame = picture(24, 24, 3)
    rgb, ybr, uid = layout(frame), layout(frame, photometric="YBR_FULL"), PREFIX + "4.50"
    raw = imagecodecs.jpeg8_decode(BARE, colorspace="YCBCR", outcolorspace="YCBCR")
    turned = imagecodecs.jpeg8_decode(BARE, colorspace="YCBCR", outcolorspace="RGB")
    for stream in (JFIF_RGB, adobe(1)):
        assert np.array_equal(codecs.decode(stream, ybr, uid), raw)
        assert np.array_equal(codecs.decode(stream, rgb, uid), turned)
    for stream in (BARE, adobe(0)):
        assert np.array_equal(codecs.decode(stream, rgb, uid), raw)
    assert np.array_equal(codecs.decode(BARE, ybr, uid), raw)
    for photometric in ("YBR_FULL", "YBR_PARTIAL_422", "YBR_RCT"):
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            codecs.decode(adobe(0), layout(frame, photometric=photometric), uid)


def test_a_transform_that_the_data_set_does_not_know() -> None:
    """YBR_FULL in JPEG 2000 is coded as it is: a transform in the stream would make something else of it."""
    frame = picture(24, 24, 3)
    stream = codecs.encode(frame, layout(frame, photometric="YBR_RCT"), PREFIX + "4.90")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.decode(stream, layout(frame, photometric="YBR_FULL"), PREFIX + "4.90")
    assert np.array_equal(codecs.decode(stream, layout(frame), PREFIX + "4.90"), frame)


def test_interleave_modes_of_jpeg_ls() -> None:
    """By plane and by sample (T.87 C.2.3); `test_codecs_files` has one by line."""
    frame = picture(20, 24, 3)
    scans = [imagecodecs.jpegls_encode(np.ascontiguousarray(frame[:, :, n])) for n in range(3)]
    for stream in (by_plane(scans, 20, 24), imagecodecs.jpegls_encode(frame)):
        assert np.array_equal(codecs.decode(stream, layout(frame), PREFIX + "4.80"), frame)


def by_plane(scans: list[bytes], rows: int, columns: int) -> bytes:
    """Three scans of one component each under one frame header."""
    size = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    head = b"\xff\xf7\0\x11\x08" + size + b"\3\1\x11\0\2\x11\0\3\x11\0"
    body = b"".join(
        b"\xff\xda\0\x08\x01" + bytes([n + 1]) + b"\0\0\0\0" + scan[scan.index(b"\xff\xda") + 10 : -2]
        for n, scan in enumerate(scans)
    )
    return b"\xff\xd8" + head + body + b"\xff\xd9"


@pytest.mark.parametrize("end", ["4.57", "4.70", "4.80", "4.90", "4.201", "5"])
def test_bits_that_hide_in_samples(end: str) -> None:
    """A retired overlay in the bits above the stored ones travels in any lossless stream of 16 bits."""
    uid, cells = PREFIX + end, picture(16, 16, top=4095)
    like, wide = layout(cells, 12), layout(cells)
    planted = codecs.encode(cells | 0x8000 * (cells % 2), wide, uid)
    assert codecs.hides(planted, like, uid) == ("bits above the stored ones",)
    frame = codecs.decode(planted, like, uid)
    assert np.array_equal(frame, cells)
    again = codecs.encode(frame, like, uid)
    assert codecs.hides(again, like, uid) == ()
    assert codecs.hides(codecs.encode(cells, wide, uid), like, uid) == ()
    shifted = replace(like, high_bit=13)
    low = codecs.encode(cells_of(cells, shifted) | 1, wide, uid)
    assert codecs.hides(low, shifted, uid) == ("bits below the stored ones",)
    signed = layout(cells.astype("i2") - 2048, 12, signed=True)
    negative = cells.astype("i2") - 2048
    assert codecs.hides(codecs.encode(negative, layout(negative, signed=True), uid), signed, uid) == ()
