"""Fragments of native frames, as they are and deflated: what stands behind the pixels is gone, nothing else."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from proxy.deid.pixels import codecs
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Sample, layout, of, picture, samples

PLAIN, DEFLATED = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"
CANARY = b"CANARY^SMITH"
BOTH = [sample for sample in samples() if sample.uid in (PLAIN, DEFLATED)]


def deflated(native: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(native) + packer.flush()


@pytest.mark.parametrize("sample", BOTH, ids=lambda sample: sample.name)
def test_behind_the_frame(sample: Sample) -> None:
    for pad in (b"", b"\0"):
        assert codecs.strip(sample.stream + pad, sample.layout, sample.uid) is None or len(sample.stream) % 2 == 0
    assert codecs.strip(sample.stream + CANARY, sample.layout, sample.uid) == sample.stream


@pytest.mark.parametrize("name", ["8.1-grey", "8.1-deep", "8.1-bits"])
def test_behind_the_pixels_of_a_deflated_frame(name: str) -> None:
    sample = of(name)
    native = zlib.decompress(sample.stream, -15)
    assert codecs.strip(deflated(native), sample.layout, sample.uid) is None, "packed otherwise is no reason"
    for longer in (native + CANARY, native + b"\1"):
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            codecs.decode(deflated(longer), sample.layout, sample.uid)


def test_bits_behind_the_last_pixel() -> None:
    """13 pixels take two bytes; the three bits left over must be 0 (PS3.5 8.1.1)."""
    frame = np.ones((1, 13), "u1")
    like = layout(frame, 1, bits=1)
    for uid, code in ((PLAIN, bytes), (DEFLATED, deflated)):
        good, planted = code(b"\xff\x1f"), code(b"\xff\xff")
        assert codecs.strip(good, like, uid) is None
        clean = codecs.strip(planted, like, uid)
        assert clean is not None
        assert np.array_equal(codecs.decode(clean, like, uid), frame)
        assert (clean if uid == PLAIN else zlib.decompress(clean, -15)) == b"\xff\x1f"


def test_an_odd_frame_has_a_pad_byte_of_zero() -> None:
    frame = picture(3, 5)
    like = layout(frame)
    assert codecs.strip(frame.tobytes() + b"\0", like, PLAIN) is None
    assert codecs.strip(frame.tobytes() + b"\7", like, PLAIN) == frame.tobytes() + b"\0"
    assert codecs.strip(deflated(frame.tobytes() + b"\0"), like, DEFLATED) is None


def test_a_bomb() -> None:
    """A megabyte of zeros for a frame of 15 bytes: never unpacked beyond what the frame may have."""
    like = layout(picture(3, 5))
    for bomb in (deflated(bytes(1 << 20)), deflated(b""), b"", b"\xff" * 40, deflated(bytes(15))[:-1]):
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            codecs.decode(bomb, like, DEFLATED)


@pytest.mark.parametrize("uid", [PLAIN, DEFLATED])
def test_planes_and_pairs(uid: str) -> None:
    """Planar Configuration 1, and chrominance that two columns share."""
    frame = picture(6, 8, 3)
    like = replace(layout(frame), planar=1)
    stream = codecs.encode(frame, like, uid)
    native = stream if uid == PLAIN else zlib.decompress(stream, -15)
    assert native == np.moveaxis(frame, -1, 0).tobytes()
    halved = frame.copy()
    halved[:, 1::2, 1:] = halved[:, 0::2, 1:]
    pairs = layout(halved, photometric="YBR_FULL_422")
    assert np.array_equal(codecs.decode(codecs.encode(halved, pairs, uid), pairs, uid), halved)
    with pytest.raises(InstanceHeld, match=Reason.NO_CODEC):  # half a pair cannot be told
        codecs.encode(frame, pairs, uid)


@pytest.mark.parametrize("uid", [PLAIN, DEFLATED])
def test_unused_bits(uid: str) -> None:
    cells = picture(4, 4, top=4095)
    like = layout(cells, 12)
    for planted in (cells, cells | 0x8000):
        code = planted.tobytes() if uid == PLAIN else deflated(planted.tobytes())
        assert codecs.hides(code, like, uid) == (() if planted is cells else ("bits above the stored ones",))
        assert np.array_equal(codecs.decode(code, like, uid), cells)
