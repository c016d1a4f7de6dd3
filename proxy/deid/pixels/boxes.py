"""Arithmetic on boxes: what lies outside of some, what is left of some after others. Exact, without touching pixels.

The edges of all boxes cut the plane into cells; cells that are wanted join to as few boxes as rows allow. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from proxy.deid.pixels.plan import Box


def outside(kept: Sequence[Box], columns: int, rows: int) -> tuple[Box, ...]:
    """Everything of a frame that is in none of ``kept``, as boxes that do not overlap; all of it where none is kept."""
    inside = [box for each in kept if (box := each.within(columns, rows)) is not None]
    return _cells([Box(0, 0, columns, rows), *inside], lambda x, y: not _in(inside, x, y))


def without(blanked: Sequence[Box], kept: Sequence[Box]) -> tuple[Box, ...]:
    """What of ``blanked`` is in none of ``kept``, as boxes that do not overlap."""
    return _cells([*blanked, *kept], lambda x, y: _in(blanked, x, y) and not _in(kept, x, y))


def _in(boxes: Iterable[Box], x: int, y: int) -> bool:
    return any(box.left <= x < box.right and box.top <= y < box.bottom for box in boxes)


def _cells(boxes: Sequence[Box], wanted: Callable[[int, int], bool]) -> tuple[Box, ...]:
    xs = sorted({edge for box in boxes for edge in (box.left, box.right)})
    ys = sorted({edge for box in boxes for edge in (box.top, box.bottom)})
    found: list[Box] = []
    last: list[Box] = []
    for top, bottom in pairwise(ys):
        runs = _runs(xs, top, bottom, wanted)
        same = len(runs) == len(last) and all(
            (run.left, run.right, run.top) == (above.left, above.right, above.bottom)
            for run, above in zip(runs, last, strict=True)
        )
        if same and runs:  # the same columns as in the band above: those boxes grow
            runs = [Box(b.left, above.top, b.right, b.bottom) for b, above in zip(runs, last, strict=True)]
            del found[-len(runs) :]
        found += runs
        last = runs
    return tuple(found)


def _runs(xs: Sequence[int], top: int, bottom: int, wanted: Callable[[int, int], bool]) -> list[Box]:
    runs: list[Box] = []
    for left, right in pairwise(xs):
        if not wanted(left, top):
            continue
        if runs and runs[-1].right == left:
            runs[-1] = Box(runs[-1].left, top, right, bottom)
        else:
            runs.append(Box(left, top, right, bottom))
    return runs
