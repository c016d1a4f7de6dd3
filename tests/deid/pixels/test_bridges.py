"""Words of a line are one text; lines above each other, and what is found twice, make nothing larger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proxy.deid.pixels.bridges import bridged
from proxy.deid.pixels.plan import Box


def turned(box: Box) -> Box:
    return Box(box.top, box.left, box.bottom, box.right)


@pytest.mark.parametrize("side", [lambda box: box, turned], ids=["along a row", "down a column"])
def test_two_words_of_a_line(side: Callable[[Box], Box]) -> None:
    left, right = Box(10, 10, 50, 30), Box(70, 12, 120, 34)
    assert bridged([side(left), side(right)]) == [side(Box(10, 10, 120, 34))]


@pytest.mark.parametrize(
    "other",
    [
        Box(90, 10, 120, 30),  # too far
        Box(70, 25, 120, 45),  # on another level
        Box(52, 0, 90, 60),  # of another size
        Box(10, 40, 50, 60),  # the next line
    ],
)
def test_what_is_no_word_of_the_line_stays_apart(other: Box) -> None:
    word = Box(10, 10, 50, 30)
    assert bridged([word, other]) == sorted([word, other])


def test_what_is_found_twice_is_found_once() -> None:
    assert bridged([Box(10, 10, 50, 30), Box(10, 10, 50, 30), Box(12, 11, 40, 29)]) == [Box(10, 10, 50, 30)]
    assert bridged([]) == []


def test_many_boxes_over_each_other_do_not_grow_into_all_of_the_picture() -> None:
    """A staircase of words, each on a level with the next: a box around two of them is compared with nothing."""
    steps = [Box(10 * n, 8 * n, 10 * n + 40, 8 * n + 20) for n in range(40)]
    found = bridged(steps)
    assert max(box.bottom - box.top for box in found) < 40
    hidden = np.zeros((400, 500), bool)
    for box in found:
        hidden[box.top : box.bottom, box.left : box.right] = True
    assert hidden.mean() < 0.25
    assert all(hidden[box.top : box.bottom, box.left : box.right].all() for box in steps)
