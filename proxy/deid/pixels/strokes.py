"""The compiled half of the screen: finds drawn strokes in a plane, and pairs of them that belong to one text.

A stroke is a run of pixels in a row that stands out on both sides, by more than the noise around it; two that follow
each other closely, equally wide and of one value, are a pair. Letters make many pairs close by, anatomy few. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled, inlined

#: side of a cell, in pixels; noise and pairs are counted by cell
CELL = 8
#: a stroke stands out by so many times the mean difference of neighbours, and is so many pixels wide at most
_NOISES, _WIDEST = 3.0, 10
#: how far to its sides a stroke is compared: fine ones, broad ones
_NEAR, _FAR = 2, 5
_MARGIN = 8
#: two strokes of a pair differ by this share of their contrast at most, and are this far apart: so many widths and more
_ALIKE, _WIDTHS, _MORE = 0.3, 6, 6
_BRIGHT, _DARK = 1, 2
STROKE, GAP = 1, 2

Plane = NDArray[np.uint16]


@compiled
def turned(plane: Plane) -> Plane:  # pragma: no cover - compiled
    """``plane`` with rows and columns exchanged, copied block by block."""
    rows, columns = plane.shape
    out = np.empty((columns, rows), plane.dtype)
    for top in range(0, rows, 32):
        for left in range(0, columns, 32):
            for y in range(top, min(top + 32, rows)):
                for x in range(left, min(left + 32, columns)):
                    out[x, y] = plane[y, x]
    return out


@compiled
def noise(plane: Plane) -> NDArray[np.float32]:  # pragma: no cover - compiled
    """By cell: the mean difference of pixels two columns apart, as of the quieter surroundings of the cell.

    Text raises the differences of the cells that it is in, not those of the quiet quarter around.
    """
    rows, columns = plane.shape
    high, wide = (rows + CELL - 1) // CELL, (columns + CELL - 1) // CELL
    means = np.zeros((high, wide), np.float32)
    sums = np.zeros(wide * CELL, np.int32)
    for cell_y in range(high):
        sums[:] = 0
        count = 0
        for y in range(cell_y * CELL, min((cell_y + 1) * CELL, rows), 2):
            row = plane[y]
            count += 1
            for x in range(_NEAR, columns):
                sums[x] += abs(np.int32(row[x]) - np.int32(row[x - _NEAR]))
        for cell_x in range(wide):
            first, last = max(cell_x * CELL, _NEAR), min((cell_x + 1) * CELL, columns)
            total = 0
            for x in range(first, last):
                total += sums[x]
            means[cell_y, cell_x] = total / (count * (last - first)) if last > first else 0.0
    quiet: NDArray[np.float32] = _quiet(means)
    return quiet


@compiled
def _quiet(means: NDArray[np.float32]) -> NDArray[np.float32]:  # pragma: no cover - compiled
    """By cell the lower quartile of the five by five around; one answer for two by two cells."""
    high, wide = means.shape
    out = np.empty((high, wide), np.float32)
    near = np.empty(25, np.float32)
    for y in range(0, high, 2):
        for x in range(0, wide, 2):
            count = 0
            for v in range(max(y - 2, 0), min(y + 3, high)):
                for u in range(max(x - 2, 0), min(x + 3, wide)):
                    value, at = means[v, u], count
                    while at > 0 and near[at - 1] > value:
                        near[at] = near[at - 1]
                        at -= 1
                    near[at] = value
                    count += 1
            out[y : y + 2, x : x + 2] = near[count // 4]
    return out


@compiled
def pairs(plane: Plane, quiet: NDArray[np.float32], marks: NDArray[np.uint8]) -> NDArray[np.int32]:  # pragma: no cover
    """Pairs of strokes by cell.

    ``marks``, empty or of the shape of ``plane``, gets `STROKE` where a stroke of a pair is, `GAP` between the two.
    """
    rows, columns = plane.shape
    hits = np.zeros(quiet.shape, np.int32)
    row = np.empty(columns + 2 * _MARGIN, np.int32)
    least = np.empty(columns, np.int32)
    kinds = np.zeros((columns + 15) // 8 * 8, np.uint8)
    eights = kinds.view(np.uint64)
    last = np.empty((3, 4), np.int32)
    for y in range(rows):
        cells = quiet[y // CELL]
        if y % CELL == 0:
            for x in range(columns):
                # flat ground shows a single step; where there is any noise one step is none
                least[x] = np.int32(_NOISES * cells[x // CELL] + 1.999) if cells[x // CELL] > 0 else 1
        _outstanding(plane[y], row, least, kinds)
        last[:, 1] = -1000
        last[:, 0] = -1000
        for eight in range(eights.size):
            if eights[eight] == 0:
                continue
            x, end = eight * 8, min(eight * 8 + 8, columns)
            while x < end:
                kind = kinds[x]
                if kind == 0 or (x > 0 and kinds[x - 1] & kind):
                    x += 1
                    continue
                polarity = _BRIGHT if kind & _BRIGHT else _DARK
                stop = x + 1
                while stop < columns and kinds[stop] & polarity:
                    stop += 1
                if stop - x <= _WIDEST:
                    value, contrast = _peak(row, x, stop, polarity)
                    before = last[polarity]
                    if _alike(before, x, stop, value, contrast):
                        hits[y // CELL, (x + before[1]) // 2 // CELL] += 1
                        if marks.size:
                            marks[y, before[0] : before[1]] = STROKE
                            marks[y, before[1] : x] = GAP
                            marks[y, x:stop] = STROKE
                    before[0], before[1], before[2], before[3] = x, stop, value, contrast
                x = stop
    return hits


@inlined
def _outstanding(
    source: Plane, row: NDArray[np.int32], least: NDArray[np.int32], kinds: NDArray[np.uint8]
) -> None:  # pragma: no cover - compiled
    """Which pixels stand out on both sides, near or far; without branches, so that many are done at once."""
    columns = source.size
    for x in range(columns):
        row[_MARGIN + x] = source[x]
    row[:_MARGIN] = row[_MARGIN]
    row[_MARGIN + columns :] = row[_MARGIN + columns - 1]
    for x in range(columns):
        here, at = row[x + _MARGIN], x + _MARGIN
        near_high, near_low = max(row[at - _NEAR], row[at + _NEAR]), min(row[at - _NEAR], row[at + _NEAR])
        far_high, far_low = max(row[at - _FAR], row[at + _FAR]), min(row[at - _FAR], row[at + _FAR])
        bright = here - min(near_high, far_high) >= least[x]
        dark = max(near_low, far_low) - here >= least[x]
        kinds[x] = np.uint8(bright) | (np.uint8(dark) << 1)


@inlined
def _peak(row: NDArray[np.int32], x: int, stop: int, polarity: int) -> tuple[int, int]:  # pragma: no cover - compiled
    """The extreme value of a stroke and how far it stands out."""
    at = x + _MARGIN
    for other in range(x + 1 + _MARGIN, stop + _MARGIN):
        if (row[other] > row[at]) if polarity == _BRIGHT else (row[other] < row[at]):
            at = other
    near_high, near_low = max(row[at - _NEAR], row[at + _NEAR]), min(row[at - _NEAR], row[at + _NEAR])
    far_high, far_low = max(row[at - _FAR], row[at + _FAR]), min(row[at - _FAR], row[at + _FAR])
    if polarity == _BRIGHT:
        return row[at], row[at] - min(near_high, far_high)
    return row[at], max(near_low, far_low) - row[at]


@inlined
def _alike(
    before: NDArray[np.int32], x: int, stop: int, value: int, contrast: int
) -> bool:  # pragma: no cover - compiled
    """Whether the stroke from ``x`` to ``stop`` makes a pair with the one ``before`` it in the row."""
    width, other = stop - x, before[1] - before[0]
    return bool(
        x - before[1] <= _WIDTHS * max(width, other) + _MORE
        and width <= 3 * other
        and other <= 3 * width
        and abs(value - before[2]) <= _ALIKE * min(contrast, before[3])
    )


@compiled
def gathered(hits: NDArray[np.int32], reach_y: int, reach_x: int) -> NDArray[np.int32]:  # pragma: no cover - compiled
    """By cell the sum of ``hits`` in the cells up to ``reach_y`` rows and ``reach_x`` columns away."""
    high, wide = hits.shape
    rows = np.zeros((high, wide), np.int32)
    out = np.zeros((high, wide), np.int32)
    for y in range(high):
        for x in range(wide):
            for u in range(max(x - reach_x, 0), min(x + reach_x + 1, wide)):
                rows[y, x] += hits[y, u]
    for y in range(high):
        for v in range(max(y - reach_y, 0), min(y + reach_y + 1, high)):
            for x in range(wide):
                out[y, x] += rows[v, x]
    return out
