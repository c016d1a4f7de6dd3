"""Native pixel data unpacked to decoded frames, to be looked at, and packed again (PS3.5 8.1, 8.2). Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from proxy.deid.pixels import hidden
from proxy.deid.pixels.frames import Frame, cells_of, stored_as, values_of
from proxy.deid.pixels.header import unreadable
from proxy.deid.pixels.plan import Layout


def frame_at(value: memoryview, layout: Layout, index: int) -> Frame:
    """Frame ``index`` decoded, not to be written to; of subsampled chrominance each value twice."""
    hidden.checked(value, layout)
    if layout.ambiguous:
        raise unreadable("samples whose bytes have no one order")
    return _unpacked(value, index * layout.frame_bits, layout)


def native_frames(value: memoryview, layout: Layout) -> Iterator[Frame]:
    """Every frame as `frame_at`, one at a time."""
    return (frame_at(value, layout, index) for index in range(layout.frames))


def pack(frame: Frame, layout: Layout) -> bytes:
    """A decoded frame as native bytes of its own (PS3.5 A.4.12: one frame a fragment); 1-bit frames are filled up."""
    cells = cells_of(frame, layout)
    if layout.allocated == 1:
        return np.packbits(cells.reshape(-1), bitorder="little").tobytes()
    if layout.halved:
        pairs = [cells[:, 0::2, 0], cells[:, 1::2, 0], cells[:, 0::2, 1], cells[:, 0::2, 2]]
        cells = np.stack(pairs, axis=-1)
    elif layout.planar:
        cells = np.moveaxis(cells, -1, 0)
    return cells.astype(stored_as(layout)).tobytes()


def _unpacked(value: memoryview, first: int, layout: Layout) -> Frame:
    """The frame whose bits begin at ``first``."""
    last = first + layout.frame_bits
    if hidden.swapped(layout):
        start = first // 16 * 2
        turned = np.frombuffer(value[start : hidden.padded((last + 7) // 8)], ">u2").byteswap().view(np.uint8)
        data = turned[first // 8 - start : (last + 7) // 8 - start]
    else:
        data = np.frombuffer(value[first // 8 : (last + 7) // 8], np.uint8)
    rows, columns = layout.rows, layout.columns
    if layout.allocated == 1:
        bits = np.unpackbits(data, bitorder="little")[first % 8 :][: rows * columns]
        return bits.reshape(rows, columns)
    cells = data.view(stored_as(layout))
    values = values_of(cells.astype(cells.dtype.newbyteorder("="), copy=False), layout)
    if layout.halved:
        pairs = values.reshape(rows, columns // 2, 4)
        return pairs[:, :, [[0, 2, 3], [1, 2, 3]]].reshape(rows, columns, 3)
    if layout.planar:
        return np.ascontiguousarray(np.moveaxis(values.reshape(-1, rows, columns), 0, -1))
    return values.reshape((rows, columns) if layout.samples == 1 else (rows, columns, layout.samples))
