"""The screen: where in a plane there may be text. Fast and biased to suspicion; a reader has the last word.

Counts pairs of drawn strokes (`strokes`) by cell of 8 by 8 pixels, along rows and along columns, so that text that
stands on its side counts as well. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.patches import BOTTOM, LEFT, RIGHT, SUM, TOP, patches
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.strokes import CELL, gathered, noise, pairs, turned

#: pairs in the surroundings of a cell (3 by 5 cells) that make it suspicious, and in all of a suspicious patch
SUSPICIOUS, LEAST = 10, 6
#: a patch of more cells is a texture, and text in it has so many pairs around a cell
_TEXTURE, _STANDS_OUT = 400, 16
_NO_MARKS = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, slots=True)
class Screened:
    """Of one plane, by cell: pairs of strokes ``along`` rows and ``down`` columns, and those of the surroundings."""

    along: NDArray[np.int32]
    down: NDArray[np.int32]
    score: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A patch of suspicious cells: its box in pixels, its pairs of strokes along rows and down columns."""

    box: Box
    along: int
    down: int


def screened(plane: NDArray[np.uint16]) -> Screened:
    """Count the pairs of strokes in ``plane``."""
    across = turned(plane)
    along, down = pairs(plane, noise(plane), _NO_MARKS), pairs(across, noise(across), _NO_MARKS)
    score = np.maximum(gathered(along, 1, 2), gathered(down, 1, 2).T)
    return Screened(along, np.ascontiguousarray(down.T), score)


def evidence(score: NDArray[np.int32], box: Box) -> int:
    """The highest ``score`` (`Screened.score`) of the cells that ``box`` touches."""
    rows, columns = score.shape
    top, left = max(box.top // CELL, 0), max(box.left // CELL, 0)
    cells = score[top : min(-(-box.bottom // CELL), rows), left : min(-(-box.right // CELL), columns)]
    return int(cells.max()) if cells.size else 0


def marks(plane: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Strokes and gaps of pairs (see `strokes.pairs`) along rows and down columns, to see where lines run."""
    along, across = np.zeros(plane.shape, np.uint8), turned(plane)
    down = np.zeros(across.shape, np.uint8)
    pairs(plane, noise(plane), along)
    pairs(across, noise(across), down)
    return along, turned(down)


def open_cells(shape: tuple[int, ...], boxes: Iterable[Box]) -> NDArray[np.bool_]:
    """By cell of a grid of ``shape`` whether its centre is in none of ``boxes``."""
    free = np.ones(shape, np.bool_)
    half = CELL // 2
    for box in boxes:
        top, left = max((box.top + half - 1) // CELL, 0), max((box.left + half - 1) // CELL, 0)
        free[top : max((box.bottom + half - 1) // CELL, 0), left : max((box.right + half - 1) // CELL, 0)] = False
    return free


def suspects(found: Screened, free: NDArray[np.bool_]) -> Sequence[Suspect]:
    """Patches of suspicious cells that are ``free``."""
    suspicious = _standing_out(found.score, free & (found.score >= SUSPICIOUS))
    own = np.where(suspicious, found.along + found.down, 0)
    listed, labels = patches(suspicious, own.astype(np.float32), suspicious.size)
    along = np.bincount(labels.reshape(-1), found.along.reshape(-1), len(listed) + 1)
    return tuple(
        Suspect(_pixels(patch), int(along[number]), int(patch[SUM] - along[number]))
        for number, patch in enumerate(listed, 1)
        if patch[SUM] >= LEAST
    )


def _standing_out(score: NDArray[np.int32], suspicious: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``suspicious`` without large patches, which are textures, but for what stands out of them."""
    _, labels = patches(suspicious, score.astype(np.float32), score.size)
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    kept: NDArray[np.bool_] = suspicious & ((score >= _STANDS_OUT) | (sizes <= _TEXTURE)[labels])
    return kept


def _pixels(patch: NDArray[np.float64]) -> Box:
    return Box(*(int(patch[edge]) * CELL for edge in (LEFT, TOP, RIGHT, BOTTOM)))
