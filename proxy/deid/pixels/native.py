"""Native pixel data (PS3.5 8.1, 8.2, Annex A): boxes blanked and unused bits cleared in the encoded value itself.

What is not touched leaves as runs of the input; what is touched is copied, a few rows at a time where boxes are small,
so that memory follows what changes and not the size of the instance. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from proxy.deid.pixels import hidden
from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.frames import cells_of, stored_as, values_of
from proxy.deid.pixels.header import unreadable
from proxy.deid.pixels.kernels import fill, fill_bits
from proxy.deid.pixels.plan import Area, Box, Layout
from proxy.deid.types import Chunk, Slice
from proxy.errors import InstanceHeld, Reason

#: bytes between two changes up to which what lies between is copied with them
_NEAR = 4096
_KINDS = ("cells", "tail", "fill")


@dataclass(frozen=True, slots=True, order=True)
class _Change:
    """One thing to do to the bits from ``first`` up to ``last`` of the value; kinds are done in the order of `_KINDS`.

    cells: clear the unused bits of samples; tail: of the last word; fill: ``size`` bits every ``pitch`` with the
    pattern of ``plane``.
    """

    first: int
    last: int
    kind: str
    pitch: int = 0
    size: int = 0
    plane: int = 0


def blank_native(
    value: memoryview, layout: Layout, areas: Sequence[Area], found: Sequence[str] = ()
) -> tuple[list[Chunk], tuple[Area, ...]]:
    """The new value, as bytes and runs of ``value``, and the areas as they were blanked: cut, grown where they must.

    ``found`` is what `hidden.hidden` said: it is cleared, before boxes are filled. Two columns that share their
    chrominance are blanked together, so that none of it is left.
    """
    end = hidden.checked(value, layout)
    done = tuple(area for each in areas if (area := grown(each, layout)) is not None)
    if done and layout.ambiguous:
        raise unreadable("samples whose bytes have no one order")
    grid = _Grid(layout)
    changes = [change for area in done for change in grid.changes(area)]
    changes += _clearing(value, end, layout, found)
    stop = hidden.padded(end) if hidden.BEHIND in found else len(value)
    return list(_chunks(value, stop, sorted(changes), grid)), done


class _Grid:
    """How the cells of native frames lie: planes of rows of cells; a cell holds what one filling pattern covers."""

    def __init__(self, layout: Layout) -> None:
        pairs = layout.halved
        self.layout, self.wide = layout, 2 if pairs else 1
        self.columns = layout.columns // self.wide
        black = black_of(layout)
        planes = [(each,) for each in black] if layout.planar else [black]
        self.patterns = [_pattern((each[0], *each) if pairs else each, layout) for each in planes]
        self.cell = layout.allocated * (len(black) + pairs if len(planes) == 1 else 1)
        self.flip = hidden.swapped(layout)

    def changes(self, area: Area) -> Iterator[_Change]:
        """The fillings of ``area``, whose box fits these cells."""
        box, pitch = area.box, self.columns * self.cell
        left, right = box.left // self.wide * self.cell, box.right // self.wide * self.cell
        for frame in range(self.layout.frames) if area.frames is None else area.frames:
            for plane in range(len(self.patterns)):
                first = frame * self.layout.frame_bits + (plane * self.layout.rows + box.top) * pitch + left
                last = first + (box.bottom - box.top - 1) * pitch + right - left
                yield _Change(first, last, "fill", pitch, right - left, plane)


def grown(area: Area, layout: Layout) -> Area | None:
    """``area`` cut to the frame, and its box grown to columns that share no chrominance with others.

    None where nothing of it lies inside; `PIXEL_RULE_MISMATCH` where it is for a frame that is not there.
    """
    if area.frames is not None and not all(0 <= frame < layout.frames for frame in area.frames):
        raise InstanceHeld(Reason.PIXEL_RULE_MISMATCH, "an area in a frame that the image does not have")
    box = area.box.within(layout.columns, layout.rows)
    if box is None:
        return None
    if layout.halved:
        box = Box(box.left // 2 * 2, box.top, (box.right + 1) // 2 * 2, box.bottom)
    return replace(area, box=box)


def _pattern(black: Sequence[int | float], layout: Layout) -> bytes:
    """The bytes of the samples ``black`` as they lie in the value; for 1-bit pixels one byte, 0 or 1."""
    return cells_of(np.array(black, layout.dtype), layout).astype(stored_as(layout)).tobytes()


def _clearing(value: memoryview, end: int, layout: Layout, found: Sequence[str]) -> Iterator[_Change]:
    """The frames that have something in unused bits, and the last word where it is not all pixels."""
    if hidden.ABOVE in found or hidden.BELOW in found:
        size = layout.frame_bits // 8
        for first in range(0, end, size):
            start, stop = first // 2 * 2, hidden.padded(first + size)
            if hidden.hidden_bits(value[start:stop], layout):
                yield _Change(start * 8, stop * 8, "cells")
    if hidden.BEHIND in found and hidden.tail(value, layout):
        yield _Change(hidden.padded(end) * 8 - 16, hidden.padded(end) * 8, "tail")


def _chunks(value: memoryview, stop: int, changes: list[_Change], grid: _Grid) -> Iterator[Chunk]:
    at = 0
    for start, end, together in _gathered(changes, stop):
        if at < start:
            yield Slice(at, start - at)
        piece = bytearray(value[start:end])
        for change in sorted(together, key=lambda each: _KINDS.index(each.kind)):
            _apply(piece, start, change, grid)
        yield bytes(piece)
        at = end
    if at < stop:
        yield Slice(at, stop - at)


def _gathered(changes: list[_Change], stop: int) -> Iterator[tuple[int, int, list[_Change]]]:
    """Runs of whole words, start and end in bytes, with the changes inside; what is near becomes one run."""
    together: list[_Change] = []
    start = end = 0
    for change in changes:
        first, last = change.first // 16 * 2, min((change.last + 15) // 16 * 2, stop)
        if together and first > end + _NEAR:
            yield start, end, together
            together = []
        if not together:
            start, end = first, last
        together.append(change)
        end = max(end, last)
    if together:
        yield start, end, together


def _apply(piece: bytearray, start: int, change: _Change, grid: _Grid) -> None:
    layout, data = grid.layout, np.frombuffer(piece, np.uint8)
    first, last = change.first - start * 8, change.last - start * 8
    if change.kind == "cells":
        cells = data[first // 8 : last // 8].view(stored_as(layout))
        cells[:] = cells_of(values_of(cells.astype(cells.dtype.newbyteorder("=")), layout), layout)
        return
    if change.kind == "tail":
        data[first // 8 :] = np.frombuffer(hidden.tail(memoryview(piece), grid.layout), np.uint8)
        return
    rows = (last - first - change.size) // change.pitch + 1
    pattern = grid.patterns[change.plane]
    if layout.allocated == 1:
        fill_bits(data, first, rows, change.pitch, change.size, pattern[0], grid.flip)
        return
    line = np.frombuffer(pattern * (change.size // grid.cell), np.uint8)
    fill(data, first // 8, rows, change.pitch // 8, line, grid.flip)
