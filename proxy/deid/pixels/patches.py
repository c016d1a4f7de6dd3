"""Connected patches of a map: their boxes and sums. What the detector's map and the screen's cells have in common.

Compiled by numba. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled

#: columns of what `patches` returns: box as of `plan.Box`, number of places that weigh something, what they weigh
LEFT, TOP, RIGHT, BOTTOM, COUNT, SUM = range(6)


@compiled
def patches(
    mask: NDArray[np.bool_], weights: NDArray[np.float32], most: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:  # pragma: no cover - compiled
    """One row for each patch of set places that touch, corners included, and the patch's number + 1 at each place.

    In the order of their first place, row by row; at most ``most`` patches: places of others have the number -1.
    """
    rows, columns = mask.shape
    labels = np.zeros((rows, columns), np.int32)
    found = np.zeros((most, 6), np.float64)
    waiting = np.empty(rows * columns, np.int64)
    number = 0
    for start in range(rows * columns):
        y, x = start // columns, start % columns
        if not mask[y, x] or labels[y, x] != 0:
            continue
        if number == most:
            labels[y, x] = -1
            continue
        patch = found[number]
        number += 1
        patch[LEFT], patch[TOP], patch[RIGHT], patch[BOTTOM] = x, y, x + 1, y + 1
        labels[y, x] = number
        waiting[0] = start
        length = 1
        while length:
            length -= 1
            y, x = waiting[length] // columns, waiting[length] % columns
            patch[LEFT], patch[RIGHT] = min(patch[LEFT], x), max(patch[RIGHT], x + 1)
            patch[TOP], patch[BOTTOM] = min(patch[TOP], y), max(patch[BOTTOM], y + 1)
            patch[COUNT] += weights[y, x] > 0
            patch[SUM] += weights[y, x]
            for v in range(max(y - 1, 0), min(y + 2, rows)):
                for u in range(max(x - 1, 0), min(x + 2, columns)):
                    if mask[v, u] and labels[v, u] == 0:
                        labels[v, u] = number
                        waiting[length] = v * columns + u
                        length += 1
    return found[:number], labels
