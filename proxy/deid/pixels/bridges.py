"""What lies between two words of one line belongs to the line, however far apart the words were found. Pure.

Only boxes that were found are compared. A box around two of them would reach for the next line, and the one around that
for the line behind, until all of a picture is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.plan import Box

#: boxes of one line: their heights differ by this factor at most, they share this part of the lower one, and the gap
#: between them is no wider than so many times the higher one
_HEIGHTS, _LEVEL, _GAP = 2.0, 0.5, 1.25
#: rows of boxes as numbers: left, top, right, bottom
_Boxes = NDArray[np.int64]


def bridged(boxes: Sequence[Box]) -> list[Box]:
    """``boxes`` and one around each two that are words of a line; without those that lie in another. Sorted."""
    found = _outermost(_numbers(boxes))
    pairs = [_around(found[at], found[at + 1 :][words]) for at, words in enumerate(_lines(found))]
    whole = _outermost(np.concatenate([found, *pairs])) if len(found) else found
    return sorted(Box(*map(int, box)) for box in whole)


def _numbers(boxes: Sequence[Box]) -> _Boxes:
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.unique(np.array(rows, np.int64).reshape(len(rows), 4), axis=0)


def _lines(boxes: _Boxes) -> Iterator[NDArray[np.bool_]]:
    """For each box which of those behind it are words of its line, along a row or down a column."""
    turned = boxes[:, [1, 0, 3, 2]]
    for at in range(len(boxes)):
        yield _level(boxes[at], boxes[at + 1 :]) | _level(turned[at], turned[at + 1 :])


def _level(one: _Boxes, others: _Boxes) -> NDArray[np.bool_]:
    high, highs = one[3] - one[1], others[:, 3] - others[:, 1]
    lower, higher = np.minimum(high, highs), np.maximum(high, highs)
    shared = np.minimum(one[3], others[:, 3]) - np.maximum(one[1], others[:, 1])
    gap = np.maximum(one[0], others[:, 0]) - np.minimum(one[2], others[:, 2])
    # a box that is higher than wide is no word of a line along a row, short ones aside
    wide = np.maximum(one[2] - one[0], others[:, 2] - others[:, 0]) >= higher
    level: NDArray[np.bool_] = wide & (higher <= _HEIGHTS * lower) & (shared >= _LEVEL * lower) & (gap <= _GAP * higher)
    return level


def _around(one: _Boxes, others: _Boxes) -> _Boxes:
    return np.concatenate([np.minimum(one[:2], others[:, :2]), np.maximum(one[2:], others[:, 2:])], axis=1)


def _outermost(boxes: _Boxes) -> _Boxes:
    """Without boxes that lie in another one; of those that are alike one stays."""
    rows = np.unique(boxes, axis=0)
    larger = rows[np.argsort((rows[:, 2] - rows[:, 0]) * (rows[:, 1] - rows[:, 3]), kind="stable")]
    kept = np.empty_like(larger)
    count = 0
    for box in larger:
        before = kept[:count]
        if not ((before[:, :2] <= box[:2]).all(axis=1) & (before[:, 2:] >= box[2:]).all(axis=1)).any():
            kept[count] = box
            count += 1
    return kept[:count]
