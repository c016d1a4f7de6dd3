"""Lines of text in a map of strokes: where one could be read from left to right. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.plan import Box

#: a line is this high and this long at least, and this high at most
_LOWEST, _SHORTEST, _HIGHEST = 4, 6, 80
#: empty rows between two lines; empty columns between two texts of a line, in heights of the line
_BETWEEN, _APART = 2, 1.5
#: of a line the strokes cover this share, there are so many in a row, and two or more in this share of its rows
_COVER, _STROKES, _ROWS = 0.07, 1.9, 0.75


def lines(marks: NDArray[np.uint8]) -> Iterator[Box]:
    """Boxes of the lines in ``marks``, 1 where a stroke is; what is no row of letters by its measures is left out."""
    for top, bottom in _runs(np.flatnonzero(marks.any(axis=1)), _BETWEEN):
        high = bottom - top
        for left, right in _runs(np.flatnonzero(marks[top:bottom].any(axis=0)), max(int(_APART * high), _BETWEEN)):
            rows = np.flatnonzero(marks[top:bottom, left:right].any(axis=1))
            box = Box(left, top + int(rows[0]), right, top + int(rows[-1]) + 1)
            if _written(marks[box.top : box.bottom, left:right]):
                yield box


def _written(line: NDArray[np.uint8]) -> bool:
    high, wide = line.shape
    if not (_LOWEST <= high <= _HIGHEST and wide >= _SHORTEST) or line.mean() < _COVER:
        return False
    begins = line.astype(np.bool_)
    begins[:, 1:] &= line[:, :-1] == 0
    strokes = begins.sum(axis=1)
    return bool(strokes.mean() >= _STROKES and (strokes > 1).mean() >= _ROWS)


def _runs(places: NDArray[np.int64], gap: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the runs of ``places``; ``gap`` that are missing do not part a run."""
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    starts, ends = (0, *(breaks + 1)), (*breaks, places.size - 1)
    yield from ((int(places[start]), int(places[end]) + 1) for start, end in zip(starts, ends, strict=True))
