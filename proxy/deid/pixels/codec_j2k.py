"""JPEG 2000 (T.800) and HTJ2K (T.814): read by OpenJPEG, written reversibly by OpenJPEG and by OpenJPH.

OpenJPH does not read here: it wraps what the lossy transform puts outside the range of samples. So what it wrote is
read back by another decoder. Pure.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import j2k_strip
from proxy.deid.pixels.code_stream import Bytes, agree, precision_for, shaped, unreadable
from proxy.deid.pixels.j2k_markers import J2k, take_apart
from proxy.deid.pixels.jp2_boxes import code_stream
from proxy.deid.pixels.plan import Layout

#: components of these are RGB that the code stream transforms (PS3.3 C.7.6.3.1.2)
_TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})
#: decoded as they are: a transform in the stream would make something else of them
_UNTRANSFORMED = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422"})
#: Ssiz of the first component in a stream that begins with SOC and SIZ (T.800 A.5.1); one every 3 bytes
_SSIZ = 42
#: HTJ2K Lossless RPCL: the lowest resolution has at most this many rows or columns (PS3.5 10.18)
_THUMBNAIL = 64


def cells(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """The frame; what the stream transforms comes out as RGB."""
    j2k = _checked(stream, layout)
    samples = imagecodecs.jpeg2k_decode(bytes(stream[j2k.start : j2k.end]), planar=False, numthreads=1)
    return shaped(samples, layout).astype(layout.dtype, casting="safe", copy=False)


def encode(frame: NDArray[Any], layout: Layout) -> bytes:
    """``frame`` by the reversible transform; JPEG 2000 Part 1."""
    bits = precision_for(frame, layout)
    stream = imagecodecs.jpeg2k_encode(
        _narrow(frame, bits), level=0, codecformat="j2k", bitspersample=bits, planar=False, reversible=True,
        mct=layout.photometric in _TRANSFORMED, numthreads=1,
    )  # fmt: skip
    return _clean(bytes(stream))


def encode_high(frame: NDArray[Any], layout: Layout, *, progressive: bool) -> bytes:
    """``frame`` by the reversible transform with high-throughput block coding, in the order RPCL.

    ``progressive``: with a base resolution of 64 rows or columns at most, and lengths of tile-parts by resolution.
    OpenJPH takes the bits of an array's type for the precision. Samples of fewer bits are given to it signed and
    centred, as the coder centres unsigned ones (T.800 G.1), and the size segment then says what they are.
    """
    bits, small = precision_for(frame, layout), _narrow(frame, precision_for(frame, layout))
    if bits < small.itemsize * 8 and not layout.signed:
        small = small.view(f"i{small.itemsize}") - small.dtype.type(1 << bits - 1).view(f"i{small.itemsize}")
    levels = max(5, (max(min(layout.rows, layout.columns) - 1, 1) // _THUMBNAIL).bit_length()) if progressive else 5
    stream = bytearray(
        imagecodecs.htj2k_encode(
            small, planar=False, rgb=layout.photometric in _TRANSFORMED, reversible=True, resolutions=levels,
            tlm=progressive, tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS if progressive else None,
        )
    )  # fmt: skip
    for component in range(layout.samples):
        stream[_SSIZ + 3 * component] = bits - 1 | 0x80 * layout.signed
    return _clean(bytes(stream))


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """``stream`` without metadata, None where there is none."""
    return j2k_strip.stripped(stream, _checked(stream, layout))


def precision(stream: Bytes, layout: Layout) -> int:
    """Bits of a sample in ``stream``."""
    return _checked(stream, layout).header.precision


def _checked(stream: Bytes, layout: Layout) -> J2k:
    j2k = take_apart(stream, *code_stream(stream))
    agree(j2k.header, layout)
    if j2k.transform and (layout.samples == 1 or layout.photometric in _UNTRANSFORMED):
        raise unreadable("a component transform that the photometric interpretation has not")
    return j2k


def _narrow(frame: NDArray[Any], bits: int) -> NDArray[Any]:
    """``frame`` in one byte a sample, where its bits fit."""
    return frame.astype(f"{frame.dtype.kind}1") if bits <= 8 else np.ascontiguousarray(frame)


def _clean(stream: bytes) -> bytes:
    """Without the comment that the encoder signs with."""
    return j2k_strip.stripped(stream, take_apart(stream, 0, len(stream))) or stream
