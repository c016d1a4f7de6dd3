"""Lines of text in a map of strokes: where one could be read from left to right. Pure.

`linked`: strokes and the gaps of their pairs that hang together, wherever they are. `parted`: all that stands in the
same rows of a small part, for letters too far apart to hang together. `ends`: what goes on where a text seemed to end.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.patches import BOTTOM, LEFT, RIGHT, SUM, TOP, patches
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.strokes import STROKE

#: a line is this high and this long at least, and this high at most
_LOWEST, _SHORTEST, _HIGHEST = 4, 6, 80
#: a linked line has so many strokes, so many in a row, fills this share of its box, and is this many heights long
_ALL, _IN_ROW, _FILL, _LONG = 14, 2.2, 0.4, 0.7
#: how far a text goes on, in heights, and how much of its height a stroke there takes
_REACH, _STEM = 2.5, 0.3
#: empty rows between two lines; empty columns between two texts of a line, in heights of the line
_BETWEEN, _APART = 2, 1.5
#: of a parted line the strokes cover this share, there are so many in a row, and two or more in this share of its rows
_COVER, _STROKES, _ROWS = 0.07, 1.9, 0.75


def linked(marks: NDArray[np.uint8]) -> Iterator[Box]:
    """Boxes of the strokes in ``marks`` that hang together and could be a line by their measures."""
    some = marks > 0
    begins = _begins(marks).astype(np.float32)
    found, _ = patches(some, begins, marks.size)
    for patch in found:
        high, long = patch[BOTTOM] - patch[TOP], patch[RIGHT] - patch[LEFT]
        if not (_LOWEST <= high <= _HIGHEST and long >= max(_SHORTEST, _LONG * high)):
            continue
        box = Box(int(patch[LEFT]), int(patch[TOP]), int(patch[RIGHT]), int(patch[BOTTOM]))
        filled = some[box.top : box.bottom, box.left : box.right].mean() >= _FILL
        if filled and patch[SUM] >= max(_ALL, _IN_ROW * high):
            yield box


def parted(marks: NDArray[np.uint8]) -> Iterator[Box]:
    """Boxes of the lines that empty rows and wide gaps part in ``marks``; what is no row of letters is left out."""
    strokes = marks == STROKE
    for top, bottom in _runs(np.flatnonzero(strokes.any(axis=1)), _BETWEEN):
        high = bottom - top
        for left, right in _runs(np.flatnonzero(strokes[top:bottom].any(axis=0)), max(int(_APART * high), _BETWEEN)):
            rows = np.flatnonzero(strokes[top:bottom, left:right].any(axis=1))
            box = Box(left, top + int(rows[0]), right, top + int(rows[-1]) + 1)
            if _written(marks[box.top : box.bottom, left:right]):
                yield box


def ends(marks: NDArray[np.uint8], text: Box) -> Box | None:
    """``text`` with the strokes that go on in its rows at either end, as those of an initial; None where none do."""
    high = text.bottom - text.top
    reach = int(_REACH * high)
    box = Box(text.left - reach, text.top, text.right + reach, text.bottom).within(marks.shape[1], marks.shape[0])
    if box is None:
        return None
    strokes = (marks[box.top : box.bottom, box.left : box.right] == STROKE).sum(axis=0)
    places = box.left + np.flatnonzero(strokes >= max(_STEM * high, 2))
    if not places.size or (places[0] >= text.left and places[-1] < text.right):
        return None
    return Box(min(text.left, int(places[0])), text.top, max(text.right, int(places[-1]) + 1), text.bottom)


def _begins(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a stroke begins in its row."""
    begins: NDArray[np.bool_] = marks == STROKE
    begins[:, 1:] &= marks[:, :-1] != STROKE
    return begins


def _written(line: NDArray[np.uint8]) -> bool:
    high, wide = line.shape
    if not (_LOWEST <= high <= _HIGHEST and wide >= _SHORTEST) or (line == STROKE).mean() < _COVER:
        return False
    strokes = _begins(line).sum(axis=1)
    return bool(strokes.mean() >= _STROKES and (strokes > 1).mean() >= _ROWS)


def _runs(places: NDArray[np.int64], gap: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the runs of ``places``; ``gap`` that are missing do not part a run."""
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    starts, ends = (0, *(breaks + 1)), (*breaks, places.size - 1)
    yield from ((int(places[start]), int(places[end]) + 1) for start, end in zip(starts, ends, strict=True))
