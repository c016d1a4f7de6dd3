"""What the answers of the text models say: boxes, and letters.

No model is run here. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.patches import BOTTOM, COUNT, LEFT, RIGHT, SUM, TOP, patches
from proxy.deid.pixels.plan import Box

#: a place of the detector's map belongs to a text from this probability on; a text has this much in the mean
_PLACE, _TEXT = 0.3, 0.5
#: the map shows the core of a text: its box grows by this share of its area over its circumference
_GROW = 1.6
#: texts of a tile at most; a map with more is a texture, and all of it is one box
_MOST = 1000
_LEAST_SIDE = 3


def boxes_of(probabilities: NDArray[np.float32], rows: int, columns: int) -> tuple[Box, ...]:
    """Boxes of the texts in the detector's map of a picture of ``rows`` by ``columns``."""
    core = probabilities > _PLACE
    # gaps of one place are closed, as the model's authors do
    places = core.copy()
    places[:, 1:] |= core[:, :-1]
    places[1:] |= places[:-1].copy()
    found, labels = patches(places, np.where(core, probabilities, np.float32(0)), _MOST)
    if labels.min() < 0:
        return (Box(0, 0, columns, rows),)
    return tuple(box for patch in found if (box := _box(patch, rows, columns)) is not None)


def _box(patch: NDArray[np.float64], rows: int, columns: int) -> Box | None:
    wide, high = patch[RIGHT] - patch[LEFT], patch[BOTTOM] - patch[TOP]
    if min(wide, high) < _LEAST_SIDE or patch[SUM] < _TEXT * patch[COUNT]:
        return None
    grow = math.ceil(wide * high * _GROW / (2 * (wide + high)))
    left, top = int(patch[LEFT]) - grow, int(patch[TOP]) - grow
    return Box(left, top, int(patch[RIGHT]) + grow, int(patch[BOTTOM]) + grow).within(columns, rows)


def text_of(probabilities: NDArray[np.float32], letters: Sequence[str]) -> tuple[str, float]:
    """Letters in the recogniser's answer, (steps, letters + 1), and the mean of their probabilities.

    Letter 0 is none; one that repeats at once is the same letter (connectionist temporal classification).
    """
    best = probabilities.argmax(axis=1)
    new = best != 0
    new[1:] &= best[1:] != best[:-1]
    if not new.any():
        return "", 0.0
    return "".join(letters[number] for number in best[new]), float(probabilities.max(axis=1)[new].mean())
