"""Pictures in other sizes, and the tensors that text models read. Compiled by numba. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled, inlined

Picture = NDArray[np.uint8]


def resampled(image: Picture, rows: int, columns: int) -> Picture:
    """``image``, (rows, columns) or (rows, columns, 3), in another size; bilinear, picture on picture."""
    deep = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    out: Picture = _resampled(deep, rows, columns).reshape(rows, columns, *image.shape[2:])
    return out


def tensor(image: Picture, rows: int, columns: int, fill: float | None = None) -> NDArray[np.float32]:
    """``image`` as a batch of one, (1, 3, rows, columns), -1 to 1.

    What lies beyond ``image`` to the right and below is ``fill``, or the last column and row repeated.
    """
    deep = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    out: NDArray[np.float32] = _tensor(deep, rows, columns, fill is None, 0.0 if fill is None else fill)
    return out


@compiled
def _resampled(image: Picture, rows: int, columns: int) -> Picture:  # pragma: no cover - compiled
    out = np.empty((rows, columns, image.shape[2]), np.uint8)
    for y in range(rows):
        top, bottom, down = _between(y, rows, image.shape[0])
        for x in range(columns):
            left, right, across = _between(x, columns, image.shape[1])
            for sample in range(image.shape[2]):
                upper = image[top, left, sample] * (1 - across) + image[top, right, sample] * across
                lower = image[bottom, left, sample] * (1 - across) + image[bottom, right, sample] * across
                out[y, x, sample] = np.uint8(upper * (1 - down) + lower * down + np.float32(0.5))
    return out


@inlined
def _between(at: int, size: int, before: int) -> tuple[int, int, np.float32]:  # pragma: no cover - compiled
    """The two places of ``before`` that place ``at`` of ``size`` lies between, and how near to the second."""
    place = min(max((at + 0.5) * before / size - 0.5, 0.0), before - 1.0)
    low = int(place)
    return low, min(low + 1, before - 1), np.float32(place - low)


@compiled
def _tensor(
    image: Picture, rows: int, columns: int, repeated: bool, fill: float
) -> NDArray[np.float32]:  # pragma: no cover - compiled
    high, wide, samples = image.shape
    out = np.empty((1, 3, rows, columns), np.float32)
    for sample in range(3):
        source = sample if samples == 3 else 0
        for y in range(rows):
            for x in range(columns):
                if repeated or (y < high and x < wide):
                    value = image[min(y, high - 1), min(x, wide - 1), source]
                    out[0, sample, y, x] = value * np.float32(2 / 255) - np.float32(1)
                else:
                    out[0, sample, y, x] = fill
    return out
