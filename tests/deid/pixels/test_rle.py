"""RLE frames: what goes in comes out, in the standard's order of planes; what hides between the planes is gone."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from rle import rle as oracle

from proxy.deid.pixels import codecs, rle
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Frame, layout, of, picture

SHAPES = [(1, 1), (1, 200), (37, 41), (5, 129), (40, 30, 3)]
HEADER = struct.Struct("<16I")


def made(shape: tuple[int, ...], dtype: str, kind: str) -> Frame:
    rng = np.random.default_rng(7)
    if kind == "flat":
        return np.full(shape, 7, dtype)
    return rng.integers(0, 100 if kind == "noise" else 3, shape).astype(dtype)


@pytest.mark.parametrize("kind", ["noise", "runs", "flat"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_round_trips(shape: tuple[int, ...], dtype: str, kind: str) -> None:
    frame = made(shape, dtype, kind)
    like = layout(frame, signed=dtype[0] == "i")
    stream = rle.encode(frame, like)
    assert len(stream) % 2 == 0
    assert np.array_equal(rle.cells(stream, like), frame)
    planes = np.frombuffer(oracle.decode_frame(stream, shape[0] * shape[1], like.allocated, "<"), frame.dtype)
    assert np.array_equal(np.moveaxis(planes.reshape(like.samples, *shape[:2]), 0, -1).reshape(shape), frame)
    theirs = oracle.encode_frame(frame.tobytes(), *shape[:2], like.samples, like.allocated, "<")
    assert np.array_equal(rle.cells(theirs, like), frame)
    assert rle.stripped(stream, like) is None


def test_rows_are_coded_one_by_one() -> None:
    """PS3.5 G.3.1: no run crosses a row."""
    stream = rle.encode(np.zeros((3, 8), "u1"), layout(np.zeros((3, 8), "u1")))
    assert stream[64:] == bytes((249, 0)) * 3


@pytest.mark.parametrize("pixels", [48, 45])
def test_single_bits(pixels: int) -> None:
    """A byte a pixel; and packed, as older writers made them. Neither may hold other values."""
    frame = (np.arange(pixels).reshape(-1, pixels) % 3 == 0).astype("u1")
    like = layout(frame, 1, bits=1)
    stream = codecs.encode(frame, like, codecs.RLE)
    assert np.array_equal(np.frombuffer(oracle.decode_frame(stream, pixels, 8, "<"), "u1").reshape(frame.shape), frame)
    packed = np.packbits(frame.reshape(-1), bitorder="little").reshape(1, -1)
    older = rle.encode(packed, layout(packed))
    assert np.array_equal(codecs.decode(older, like, codecs.RLE), frame)
    grey = rle.encode(frame * 2, layout(frame))
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.decode(grey, like, codecs.RLE)


def parts(stream: bytes) -> tuple[list[int], list[bytes]]:
    """Header fields and segments."""
    fields = list(HEADER.unpack_from(stream))
    starts = [*fields[1 : 1 + fields[0]], len(stream)]
    return fields, [stream[a:b] for a, b in pairwise(starts)]


def joined(fields: list[int], segments: list[bytes]) -> bytes:
    at = HEADER.size
    for number, segment in enumerate(segments):
        fields[1 + number] = at
        at += len(segment)
    return HEADER.pack(*fields) + b"".join(segments)


@pytest.mark.parametrize("name", ["5-grey", "5-deep", "5-colour", "5-signed", "5-bits"])
def test_what_hides_is_gone(name: str) -> None:
    sample = of(name)
    fields, segments = parts(sample.stream)
    canary = b"CANARY^SMITH"
    unused = [*fields[:-3], *struct.unpack("<3I", canary)]
    for planted in (
        joined(list(fields), [segments[0] + canary, *segments[1:]]),
        joined(list(fields), [*segments[:-1], segments[-1] + canary]),
        HEADER.pack(*unused) + sample.stream[64:],
    ):
        assert canary in planted
        assert codecs.strip(planted, sample.layout, sample.uid) == sample.stream
        assert np.array_equal(codecs.decode(planted, sample.layout, sample.uid), sample.frame)


def test_odd_segments_and_idle_bytes_are_read() -> None:
    """Writers that pad nothing; -128, which stands for no bytes (PS3.5 G.3.2)."""
    frame = np.array([[1, 2, 3, 4, 5, 6]], "u1")
    like = layout(frame)
    stream = HEADER.pack(1, 64, *[0] * 14) + bytes((2, 1, 2, 3, 128, 128, 2, 4, 5, 6))
    assert np.array_equal(rle.cells(stream, like), frame)
    two = picture(4, 4, top=4095)
    fields, segments = parts(rle.encode(two, layout(two, 12)))
    odd = joined(fields, [segments[0] + b"\0", segments[1]])
    assert np.array_equal(rle.cells(odd, layout(two, 12)), two)


FRAME = np.array([[9] * 6] * 2, "u2")
GOOD = rle.encode(FRAME, layout(FRAME))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        GOOD[:63],
        GOOD[:64],
        GOOD[:-2],
        HEADER.pack(1, 64, *[0] * 14) + GOOD[64:],
        HEADER.pack(3, 64, 68, 70, *[0] * 12) + GOOD[64:],
        HEADER.pack(2, 66, 68, *[0] * 13) + GOOD[64:],
        HEADER.pack(2, 64, 64, *[0] * 13) + GOOD[64:],
        HEADER.pack(2, 68, 64, *[0] * 13) + GOOD[64:],
        HEADER.pack(2, 64, 9999, *[0] * 13) + GOOD[64:],
        HEADER.pack(2, 64, 68, *[0] * 13) + bytes((251, 0, 251, 0, 251, 9, 250, 9)),
        HEADER.pack(2, 64, 68, *[0] * 13) + bytes((251, 0, 251, 0, 251, 9, 127, 9)),
        HEADER.pack(2, 64, 68, *[0] * 13) + bytes((251, 0, 252, 0, 251, 9, 251, 9)),
    ],
)
def test_what_is_no_frame(stream: bytes) -> None:
    """Too few or too many segments, in another place, runs that do not fill their plane or go beyond it."""
    for use in (codecs.decode, codecs.strip):
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            use(stream, layout(FRAME), codecs.RLE)


def test_subsampled_chrominance_is_refused() -> None:
    sample = of("5-colour")
    with pytest.raises(InstanceHeld, match="subsampled"):
        codecs.decode(sample.stream, replace(sample.layout, photometric="YBR_FULL_422"), sample.uid)
