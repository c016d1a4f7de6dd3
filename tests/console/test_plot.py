"""Bars stand where their counts say, whatever the counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from proxy.console.plot import BELOW, HIGH, LEFT, TOP, WIDE, Times, nice, plot, said, small

TIMES = Times(datetime(2026, 11, 21, 22, tzinfo=UTC), 60, 4)


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (73, 100), (4_501, 5_000)])
def test_the_scale_ends_at_a_round_number(most: int, top: int) -> None:
    assert nice(most) == top


def test_bars_end_below_the_scale_and_the_lowest_is_seen() -> None:
    found = plot("x", "X", [0, 1, 5000, 2500], TIMES)
    one, all_, half = found.bars
    bottom = HIGH - BELOW
    assert [bar.y + bar.height for bar in found.bars] == [bottom] * 3
    assert (one.height, all_.y, half.height) == (2.0, TOP, (bottom - TOP) / 2)
    assert one.x == LEFT + (WIDE - LEFT) / 4
    assert half.x + half.width <= WIDE
    assert (found.total, found.most) == (7501, 5000)
    assert one.words == "23:00 UTC: 1"
    assert [words for _, words in found.marks] == ["22:00", "23:00", "00:00", "01:00"]


def test_what_has_no_bars_says_so() -> None:
    assert small("x", "X", [0] * 4, TIMES).bars == ()
    assert said([0] * 4, TIMES) == "None."
    assert said([0, 2, 2, 0], TIMES) == "4 in all, at most 2 in 60 min, from 23:00 UTC on."
