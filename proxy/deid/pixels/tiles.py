"""Boxes of parts and wholes: pictures cut into tiles, boxes moved and turned. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from proxy.deid.pixels.plan import Box


def tiles(rows: int, columns: int, side: int, overlap: int) -> Iterator[Box]:
    """Boxes of at most ``side`` by ``side`` that cover a picture and overlap by ``overlap`` at least."""
    for top, bottom in _spans(rows, side, overlap):
        for left, right in _spans(columns, side, overlap):
            yield Box(left, top, right, bottom)


def _spans(length: int, side: int, overlap: int) -> Iterator[tuple[int, int]]:
    if length <= side:
        yield 0, length
        return
    count = math.ceil((length - overlap) / (side - overlap))
    for number in range(count):
        start = round(number * (length - side) / (count - 1))
        yield start, start + side


def moved(box: Box, left: int, top: int) -> Box:
    """``box`` of a part as a box of what the part was cut from at ``left``, ``top``."""
    return Box(box.left + left, box.top + top, box.right + left, box.bottom + top)


def upright(box: Box, columns: int) -> Box:
    """``box`` of a picture that `numpy.rot90` turned once as one of the picture before, which had ``columns``."""
    return Box(columns - box.bottom, box.left, columns - box.top, box.right)


def mirrored(box: Box) -> Box:
    """``box`` with rows and columns exchanged."""
    return Box(box.top, box.left, box.bottom, box.right)


def around(one: Box, other: Box) -> Box:
    """The smallest box with both in it."""
    return Box(
        min(one.left, other.left), min(one.top, other.top), max(one.right, other.right), max(one.bottom, other.bottom)
    )


def area(box: Box) -> int:
    """Pixels of ``box``."""
    return (box.right - box.left) * (box.bottom - box.top)


def one_part(one: Box, other: Box) -> bool:
    """Whether the box around both is no larger than they are."""
    return area(around(one, other)) <= area(one) + area(other)


def share(box: Box, others: Iterable[Box]) -> float:
    """How much of ``box`` lies in ``others``, 0 to 1."""
    inside = np.zeros((box.bottom - box.top, box.right - box.left), np.bool_)
    for other in others:
        cut = moved(other, -box.left, -box.top).within(box.right - box.left, box.bottom - box.top)
        if cut is not None:
            inside[cut.top : cut.bottom, cut.left : cut.right] = True
    return float(inside.mean())
