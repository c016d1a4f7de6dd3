"""JPEG-LS (T.87): read in every interleave mode, near-lossless too; written lossless. By CharLS. Pure."""

from __future__ import annotations

from typing import Any

import imagecodecs
from numpy.typing import NDArray

from proxy.deid.pixels import jpeg_strip
from proxy.deid.pixels.code_stream import Bytes, agree, as_samples, as_stored, no_codec, unreadable
from proxy.deid.pixels.jpeg_markers import JPEG_LS, Jpeg, take_apart
from proxy.deid.pixels.plan import Layout


def cells(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """The frame; planes of a stream that does not interleave its components are put together."""
    jpeg = _checked(stream, layout)
    return as_stored(imagecodecs.jpegls_decode(bytes(stream[: jpeg.end])), jpeg.header.precision, layout)


def encode(frame: NDArray[Any], layout: Layout) -> bytes:
    """``frame`` with NEAR 0, which the near-lossless transfer syntax allows too (PS3.5 A.4.3)."""
    if layout.allocated not in (8, 16):
        raise no_codec("samples that JPEG-LS has not")
    stream = bytes(imagecodecs.jpegls_encode(as_samples(frame, frame.itemsize * 8), level=0))
    return jpeg_strip.stripped(stream, take_apart(stream)) or stream


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """``stream`` without metadata, None for none; it takes a decoder to tell what is behind the last sample."""
    return jpeg_strip.stripped(stream, _checked(stream, layout))


def precision(stream: Bytes, layout: Layout) -> int:
    """Bits of a sample in ``stream``."""
    return _checked(stream, layout).header.precision


def _checked(stream: Bytes, layout: Layout) -> Jpeg:
    jpeg = take_apart(stream)
    agree(jpeg.header, layout)
    if jpeg.process != JPEG_LS:
        raise unreadable("JPEG where the transfer syntax says JPEG-LS")
    return jpeg
