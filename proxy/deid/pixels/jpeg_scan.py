"""One scan of a sequential JPEG stream: where its blocks lie, and its entropy-coded data with some of them blanked.

The grid is that of the frame: a cell is what one MCU of an interleaved scan covers (ITU-T T.81 A.2.3), and scans of one
component have several blocks in it (A.2.2). Pure; whatever the stream says is bounded here before it is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import jpeg_entropy as entropy
from proxy.deid.pixels.code_stream import Bytes, unreadable
from proxy.deid.pixels.jpeg_sequential import CodedScan, Sequential
from proxy.deid.pixels.jpeg_stuffing import SLACK, stuff, unstuff
from proxy.deid.pixels.jpeg_tables import CATEGORIES, Coder, coder_of, completed
from proxy.deid.pixels.plan import Box
from proxy.errors import InstanceHeld

_REFUSALS = {
    entropy.TRUNCATED: "the entropy-coded data end too early",
    entropy.BROKEN: "the entropy-coded data hold no coefficients",
    entropy.MISSING: "a Huffman table lacks a symbol",
}


def _over(number: int, by: int) -> int:
    """``number / by``, rounded up."""
    return -(-number // by)


class Grid(NamedTuple):
    """The cells of a frame: pixels across and down in one, how many there are, sampling factors by component."""

    width: int
    height: int
    across: int
    down: int
    factors: tuple[tuple[int, int], ...]
    margin: tuple[int, int]


def grid_of(image: Sequential) -> Grid:
    """``margin``: how many pixels a decoder may blend over a cell's border, where a component has fewer samples."""
    factors = tuple((c.horizontal, c.vertical) for c in image.components)
    if len(factors) == 1:
        factors = ((1, 1),)  # one component is never interleaved: its MCU is a block (T.81 A.2.2)
    wide, high = (max(factor[axis] for factor in factors) for axis in (0, 1))
    margin = (max(_over(wide, h) for h, _ in factors) - 1, max(_over(high, v) for _, v in factors) - 1)
    width, height = 8 * wide, 8 * high
    return Grid(width, height, _over(image.columns, width), _over(image.rows, height), factors, margin)


def bounded(image: Sequential, grid: Grid) -> None:
    """Refuse a picture that its data cannot hold, before memory is asked for it: no block has less than two bits."""
    for scan in image.scans:
        _bounded(scan, _shape(image, grid, scan), sum(_blocks(grid, scan, of) for of in scan.components))


def _bounded(scan: CodedScan, shape: _Shape, blocks: int) -> None:
    if 2 * shape.across * shape.down * blocks > 8 * (scan.end - scan.start):
        raise _refused(entropy.TRUNCATED)


def cells(grid: Grid, boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Shape (down, across): which cells the boxes touch; they lie inside the frame."""
    touched = np.zeros((grid.down, grid.across), np.bool_)
    for box in boxes:
        rows = slice(box.top // grid.height, _over(box.bottom, grid.height))
        touched[rows, box.left // grid.width : _over(box.right, grid.width)] = True
    return touched


class _Shape(NamedTuple):
    """Of one scan: MCUs across and down, and how many lie across and down in a cell."""

    across: int
    down: int
    wide: int
    high: int


def edit(
    stream: Bytes, image: Sequential, grid: Grid, scan: CodedScan, black: Sequence[int], touched: NDArray[np.bool_]
) -> tuple[CodedScan, bytes]:
    """Blank the ``touched`` cells in ``scan``; ``black``: the DC coefficient for each of its components.

    The scan with the tables that it needs now, and its entropy-coded data with restart markers.
    """
    shape = _shape(image, grid, scan)
    total = shape.across * shape.down
    blocks = [place for place, of in enumerate(scan.components) for _ in range(_blocks(grid, scan, of))]
    _bounded(scan, shape, len(blocks))
    words, bounds = _unstuffed(stream, scan, _over(total, scan.restart or total))
    wiped = touched.repeat(shape.high, 0)[: shape.down].repeat(shape.wide, 1)[:, : shape.across].ravel()
    values, most = np.array(black, np.int64), CATEGORIES[image.precision]
    room = len(words) + 3 * len(blocks) * int(wiped.sum()) + len(bounds) + entropy.ROOM
    code, complete = entropy.GROW, False
    while code != entropy.OK:
        written, plan, coder = _tables(scan, blocks, most, complete)
        out, ends = np.empty(room, np.uint32), np.empty((len(bounds), 2), np.int64)
        code = entropy.edit(words, bounds, plan, wiped, scan.restart or total, values, coder, most, out, ends)
        if code == entropy.GROW:
            room *= 2
        elif code == entropy.MISSING and not complete:
            complete = True
        elif code != entropy.OK:
            raise _refused(code)
    return written, _stuffed(out, ends)


def _refused(code: int) -> InstanceHeld:
    return unreadable(f"JPEG: {_REFUSALS[code]}")


def _blocks(grid: Grid, scan: CodedScan, component: int) -> int:
    """Blocks of a component in one MCU of ``scan``."""
    across, down = grid.factors[component]
    return across * down if len(scan.components) > 1 else 1


def _shape(image: Sequential, grid: Grid, scan: CodedScan) -> _Shape:
    """T.81 A.2: the MCUs of an interleaved scan fill the last cells; those of one component end with its samples."""
    across, down, wide, high = grid.across, grid.down, 1, 1
    if len(scan.components) == 1:
        wide, high = grid.factors[scan.components[0]]
        across = _over(_over(image.columns * 8 * wide, grid.width), 8)
        down = _over(_over(image.rows * 8 * high, grid.height), 8)
    return _Shape(across, down, wide, high)


def _unstuffed(stream: Bytes, scan: CodedScan, pieces: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The entropy-coded data as 32-bit words, and the bounds of restart intervals (`jpeg_stuffing.unstuff`)."""
    source = np.frombuffer(stream, np.uint8)[scan.start : scan.end]
    clean = np.empty(4 * _over(len(source) + 4 * pieces + SLACK, 4), np.uint8)
    bounds = np.empty((pieces, 2), np.int64)
    if not unstuff(source, clean, bounds):
        raise unreadable("JPEG: restart markers do not count")
    used = int(bounds[-1, 1]) // 32 * 4 + SLACK
    return clean[:used].view(">u4").astype(np.uint32), bounds


def _stuffed(out: NDArray[np.uint32], ends: NDArray[np.int64]) -> bytes:
    """The data as they stand in a stream."""
    clean = out[: _over(int(ends[-1, 1]), 4)].astype(">u4").view(np.uint8)
    final = np.empty(2 * len(clean) + 2 * len(ends), np.uint8)
    return final[: stuff(clean, ends, final)].tobytes()


def _tables(
    scan: CodedScan, blocks: Sequence[int], most: tuple[int, int], complete: bool
) -> tuple[CodedScan, NDArray[np.int64], Coder]:
    """The scan with the tables to write it with, the component and tables of each block of an MCU, their arrays."""
    kinds = [(0, dc) for _, dc, _, _ in scan.tables] + [(1, ac) for _, _, _, ac in scan.tables]
    read = list(dict.fromkeys(kinds))
    wanted = (range(most[0] + 1), range(1)) if complete else (range(0), range(0))
    written = [completed(table, wanted[kind]) for kind, table in read]
    arrays = coder_of(tuple(t for _, t in read), tuple(t for t, _ in written), tuple(f for _, f in written), most[1])
    indices = {table: place for place, table in enumerate(read)}
    chosen = [(indices[0, dc], indices[1, ac]) for _, dc, _, ac in scan.tables]
    plan = np.array([(place, *chosen[place]) for place in blocks], np.int64)
    tables = tuple(
        (to, written[dc][0], at, written[ac][0]) for (to, _, at, _), (dc, ac) in zip(scan.tables, chosen, strict=True)
    )
    return scan._replace(tables=tables), plan, arrays
