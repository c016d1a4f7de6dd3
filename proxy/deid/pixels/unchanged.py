"""Remembers the cells of an image as they were read in an earlier frame: what stays as it was is not read again. Pure.

Samples of 8 bits that differ by no more than a lossy codec makes of one value are the same; wider ones must be equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.strokes import CELL
from proxy.deid.pixels.views import Plane

#: difference of two samples of 8 bits that shows no text
_SAME = 2


class Unchanged:
    """The planes of one image as they were when each cell was read."""

    def __init__(self, *, wide: bool) -> None:
        """``wide``: samples of more than 8 bits."""
        self._most = 0 if wide else _SAME
        self._planes: list[Plane] = []

    def same(self, planes: Sequence[Plane]) -> NDArray[np.bool_] | None:
        """Cells that have not changed since they were read; None when nothing was read yet."""
        if not self._planes:
            return None
        rows, columns = planes[0].shape
        differs = np.zeros((rows, columns), np.bool_)
        for plane, before in zip(planes, self._planes, strict=True):
            differs |= np.abs(plane.astype(np.int32) - before) > self._most
        return ~_any(differs)

    def note(self, planes: Sequence[Plane], cells: NDArray[np.bool_]) -> None:
        """``cells`` have been read in ``planes``, the first time all of them."""
        if not self._planes:
            self._planes = [plane.copy() for plane in planes]
            return
        rows, columns = planes[0].shape
        pixels = cells.repeat(CELL, axis=0).repeat(CELL, axis=1)[:rows, :columns]
        for plane, before in zip(planes, self._planes, strict=True):
            np.copyto(before, plane, where=pixels)


def _any(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """By cell whether any of its pixels is set."""
    rows, columns = (-(-side // CELL) for side in pixels.shape)
    whole = np.zeros((rows * CELL, columns * CELL), np.bool_)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    cells: NDArray[np.bool_] = np.logical_or.reduce(whole.reshape(rows, CELL, columns, CELL), axis=(1, 3))
    return cells
