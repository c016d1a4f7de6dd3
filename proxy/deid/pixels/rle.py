"""RLE Lossless (PS3.5 Annex G): a frame as byte planes, most significant first, each packed by runs.

Strict on the way in: the header names the planes of this image, each segment fills its plane exactly. 1-bit images have
one byte a pixel, as the standard is read today; planes of packed bits, which older writers made, are read too. Pure.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled
from proxy.deid.pixels.code_stream import Bytes, StreamHeader, agree, no_codec, unreadable
from proxy.deid.pixels.plan import Layout

_HEADER = struct.Struct("<16I")
_MOST_SEGMENTS = 15


class Segments(NamedTuple):
    """Start and end of each segment, as the header has them, and whether the header is all that it should be."""

    spans: tuple[tuple[int, int], ...]
    plain: bool


def cells(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """Cells of the frame, as they were before they were coded."""
    return _joined(_planes(stream, layout)[0], layout)


def encode(frame: NDArray[Any], layout: Layout) -> bytes:
    """The cells ``frame`` as one RLE frame of even length."""
    size = frame.dtype.itemsize
    if layout.samples * size > _MOST_SEGMENTS:
        raise no_codec("more byte planes than RLE has segments")
    data = np.frombuffer(frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes(), np.uint8)
    stride = layout.samples * size
    out = np.empty(2 * layout.rows * (layout.columns + layout.columns // 128 + 2), np.uint8)
    segments = []
    for number in range(stride):
        first = number // size * size + size - 1 - number % size
        length = int(_pack(data, first, stride, layout.rows, layout.columns, out))
        segments.append(out[:length].tobytes() + bytes(length % 2))
    return _framed(segments)


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """``stream`` without unused fields of its header and bytes behind its runs; None where there are none."""
    found = segments_of(stream, layout)
    _, ends = _planes(stream, layout)
    runs = [bytes(stream[start:end]) for (start, _), end in zip(found.spans, ends, strict=True)]
    slack = [bytes(stream[end:stop]) for (_, stop), end in zip(found.spans, ends, strict=True)]
    if found.plain and all(rest in (b"", b"\0") for rest in slack):
        return None
    return _framed([run + bytes(len(run) % 2) for run in runs])


def precision(stream: Bytes, layout: Layout) -> int:
    """Bits of a sample: RLE codes all that are allocated."""
    return layout.allocated


def segments_of(stream: Bytes, layout: Layout) -> Segments:
    """The segments (PS3.5 G.5): one for each byte of a pixel, one behind the other."""
    agree(StreamHeader(layout.rows, layout.columns, layout.samples, layout.allocated), layout)
    if layout.photometric.endswith("_422") and layout.samples == 3:
        raise unreadable("subsampled chrominance in RLE")
    if len(stream) < _HEADER.size:
        raise unreadable("an RLE frame without a header")
    count, *offsets = _HEADER.unpack_from(stream)
    starts = offsets[:count]
    if count != layout.samples * layout.dtype.itemsize or count > _MOST_SEGMENTS:
        raise unreadable("an RLE frame with another number of segments than its pixels have bytes")
    if starts[0] != _HEADER.size or sorted({*starts}) != starts or starts[-1] >= len(stream):
        raise unreadable("segments of an RLE frame that do not follow each other")
    return Segments(tuple(zip(starts, [*starts[1:], len(stream)], strict=True)), not any(offsets[count:]))


def _planes(stream: Bytes, layout: Layout) -> tuple[NDArray[np.uint8], list[int]]:
    """Byte planes, shape (segments, bytes), and where the runs of each end in the stream."""
    found = segments_of(stream, layout)
    data = np.frombuffer(stream, np.uint8)
    pixels = layout.rows * layout.columns
    sizes = (pixels, -(-pixels // 8)) if layout.allocated == 1 else (pixels,)
    for size in sizes:
        planes = np.empty((len(found.spans), size), np.uint8)
        ends = [int(_unpack(data, start, end, plane)) for (start, end), plane in zip(found.spans, planes, strict=True)]
        if min(ends) >= 0:
            return planes, ends
    raise unreadable("an RLE segment that does not fill its plane exactly")


def _joined(planes: NDArray[np.uint8], layout: Layout) -> NDArray[Any]:
    rows, columns, size = layout.rows, layout.columns, layout.dtype.itemsize
    if layout.allocated == 1:
        bits: NDArray[Any] = planes[0]
        if len(bits) < rows * columns:
            bits = np.unpackbits(bits, bitorder="little")[: rows * columns]
        if bits.max() > 1:
            raise unreadable("single-bit pixels with other values than 0 and 1")
        return bits.reshape(rows, columns)
    # (samples, bytes, pixels) with the least significant byte first → (pixels, samples, bytes)
    bytes_of = planes.reshape(layout.samples, size, -1)[:, ::-1]
    joined = np.ascontiguousarray(bytes_of.transpose(2, 0, 1)).view(layout.dtype.newbyteorder("<"))
    shape = (rows, columns) if layout.samples == 1 else (rows, columns, layout.samples)
    return joined.reshape(shape).astype(layout.dtype, copy=False)


def _framed(segments: list[bytes]) -> bytes:
    starts = np.cumsum([_HEADER.size, *map(len, segments[:-1])]).tolist()
    padded = [*starts, *[0] * (_MOST_SEGMENTS - len(starts))]
    return _HEADER.pack(len(segments), *padded) + b"".join(segments)


@compiled
def _unpack(data: Any, at: int, end: int, plane: Any) -> int:
    """PS3.5 G.3.2 into ``plane``; where the runs end, -1 when they do not fill it or go beyond it."""
    done, size = 0, len(plane)
    while done < size:
        if at + 1 >= end:
            return -1
        code: Any = np.int64(data[at])
        if code < 128:
            stop = done + code + 1
            if stop > size or at + code + 2 > end:
                return -1
            for place in range(done, stop):
                plane[place] = data[at + 1 + place - done]
            at += code + 2
            done = stop
        elif code > 128:
            stop = done + 257 - code
            if stop > size:
                return -1
            value = data[at + 1]
            for place in range(done, stop):
                plane[place] = value
            at += 2
            done = stop
        else:  # -128: no bytes
            at += 1
    return at


@compiled
def _pack(data: Any, first: int, stride: int, rows: int, columns: int, out: Any) -> int:
    """PS3.5 G.3.1, each row by itself; the number of bytes written to ``out``."""
    written = 0
    for row in range(rows):
        base, column = first + row * columns * stride, 0
        while column < columns:
            run = 1
            value = data[base + column * stride]
            while run < 128 and column + run < columns and data[base + (column + run) * stride] == value:
                run += 1
            if run > 1:
                out[written], out[written + 1] = 257 - run, value
                written, column = written + 2, column + run
                continue
            # literal: until a run of three, or of two at the end of a literal
            start, length = column, 1
            while length < 128 and start + length < columns:
                here = base + (start + length) * stride
                left = columns - start - length
                if left > 2 and data[here] == data[here + stride] and data[here] == data[here + 2 * stride]:
                    break
                length += 1
            out[written] = length - 1
            for place in range(length):
                out[written + 1 + place] = data[base + (start + place) * stride]
            written, column = written + length + 1, column + length
    return written
