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
#: how far a text goes on at most, over which gaps, in heights; how near to its ink, as a share of its contrast; the
#: share of its height that is a dot, and a column that is no letter; what has no ink behind the end, in heights
_REACH, _GAP, _INK, _DOT, _SOLID, _CLEAR = 3.0, 1.6, 0.35, 0.06, 0.95, 0.5
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


def ends(plane: NDArray[np.uint16], marks: NDArray[np.uint8], text: Box) -> Box | None:
    """``text`` with what goes on in its rows in its own ink at either end, as an initial; None where nothing does."""
    high, rows = text.bottom - text.top, plane[text.top : text.bottom]
    inside = np.s_[text.top : text.bottom, text.left : text.right]
    strokes = marks[inside] == STROKE
    if high < _LOWEST or strokes.sum() < _ALL or strokes.all():
        return None
    ink, ground = int(np.median(plane[inside][strokes])), int(np.median(plane[inside][~strokes]))
    most = min(abs(ink - ground) * _INK, np.iinfo(np.uint16).max)
    reach, gap = int(_REACH * high), int(_GAP * high)
    first, last = max(text.left - reach, 0), min(text.right + reach, plane.shape[1])
    inked = (np.abs(rows[:, first:last].astype(np.int32) - ink) <= most).sum(axis=0)
    # a column that is ink from top to bottom is ground of that colour
    places = first + np.flatnonzero((inked >= max(_DOT * high, 1)) & (inked < _SOLID * high))
    left, right = text.left, text.right
    for place in places[places < text.left][::-1]:
        left = int(place) if left - place <= gap else left
    for place in places[places >= text.right]:
        right = int(place) + 1 if place - right <= gap else right
    # what has no end within reach is no letter, but tissue as bright as the ink, or a line that was drawn
    clear = int(_CLEAR * high)
    left = text.left if first and left < first + clear else left
    right = text.right if last < plane.shape[1] and right > last - clear else right
    return Box(left, text.top, right, text.bottom) if (left, right) != (text.left, text.right) else None


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
