"""Plots of counts over time: where the bars of an SVG stand. Pure; `templates/plot.html` draws them.

Bars begin at 0 and every count above 0 can be seen. What is drawn is said in words too, and stands in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: units of the drawing: a plot of its own, and one in a row of a table
WIDE, HIGH, LEFT, TOP, BELOW = 320.0, 120.0, 34.0, 10.0, 18.0
SMALL_WIDE, SMALL_HIGH = 120.0, 24.0
#: the lowest bar that is seen
_LEAST = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, from its upper left corner; ``words``: what it stands for."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """``name``: unique on its page. ``most``: what the top of the drawing stands for; ``marks``: below it."""

    name: str
    title: str
    words: str
    total: int
    bars: tuple[Bar, ...]
    width: float
    height: float
    most: int
    marks: tuple[tuple[float, str], ...] = ()
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """Steps of time: when the first begins, and how long each is."""

    start: datetime
    minutes: int
    steps: int

    def at(self, step: int) -> str:
        """When a step begins, UTC."""
        return f"{self.start + timedelta(minutes=self.minutes * step):%H:%M}"


def plot(name: str, title: str, counts: Sequence[int], times: Times, warns: bool = False) -> Plot:
    """Counts of each step of ``times`` as a drawing with a scale. ``warns``: better were none."""
    most, width = nice(max(counts, default=0)), (WIDE - LEFT) / times.steps
    bars = _bars(counts, times, most, (LEFT, width, HIGH - BELOW, HIGH - BELOW - TOP))
    quarters = range(0, times.steps, max(1, times.steps // 4))
    marks = tuple((LEFT + step * width, times.at(step)) for step in quarters)
    return Plot(name, title, said(counts, times), sum(counts), bars, WIDE, HIGH, most, marks, warns)


def small(name: str, title: str, counts: Sequence[int], times: Times, warns: bool = False) -> Plot:
    """The same for a row of a table: no scale, no marks."""
    most = max(counts, default=0)
    bars = _bars(counts, times, most, (0.0, SMALL_WIDE / times.steps, SMALL_HIGH, SMALL_HIGH))
    words = said(counts, times)
    return Plot(name, title, words, sum(counts), bars, SMALL_WIDE, SMALL_HIGH, most, warns=warns)


def said(counts: Sequence[int], times: Times) -> str:
    """What a plot shows, for who does not see it."""
    total, most = sum(counts), max(counts, default=0)
    if not total:
        return "None."
    return f"{total} in all, at most {most} in {times.minutes} min, from {times.at(counts.index(most))} UTC on."


def nice(most: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... that is not below ``most``."""
    power: int = 10 ** (len(str(most)) - 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _bars(counts: Sequence[int], times: Times, most: int, place: tuple[float, float, float, float]) -> tuple[Bar, ...]:
    """``place``: left, width of a step, bottom, height of ``most``."""
    left, width, bottom, high = place
    found = []
    for step, count in enumerate(counts):
        if count:
            height = round(max(_LEAST, high * count / most), 2)
            x = round(left + step * width, 2)
            words = f"{times.at(step)} UTC: {count}"
            found.append(Bar(x, round(bottom - height, 2), round(width * 0.8, 2), height, words))
    return tuple(found)
