"""Reads suspicious places of a plane closely: enlarged, at their own contrast, upright and on their side.

First the detector looks along the strokes, then across where they could run either way, then at values too near to
each other for the first look. What it leaves unexplained is taken apart into lines, and each is put before the
recogniser: a few letters alone, or faint ones, can be read where they are not found. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import screen
from proxy.deid.pixels.lines import ends, linked, parted
from proxy.deid.pixels.plan import Box, TextReader
from proxy.deid.pixels.resample import resampled
from proxy.deid.pixels.screen import Screened, Suspect
from proxy.deid.pixels.strokes import turned
from proxy.deid.pixels.tiles import around, mirrored, moved, one_part, share, tiles, upright
from proxy.deid.pixels.views import Picture, Plane, Window, equalised, stretched

#: what is added around a suspect, the side of what is read at once, what parts have in common, in pixels
_AROUND, _PART, _SHARED = 16, 360, 64
_TIMES = 2
#: a text that was found grows by these shares of its height, above and below and at its ends, and by so many pixels
_GROW, _ENDS, _MORE = 0.2, 0.5, 2
#: text may run either way where strokes of one direction are no more than so many times those of the other
_EITHER, _SOME = 1.3, 4.0
#: a suspect no larger than this is taken apart by its rows as well
_SMALL = 160
#: of a line this share is hidden with what was found on it: it is the rest of that text; so much: nothing is left
_REST, _ALL = 0.4, 0.97
#: pairs of strokes around a cell: so many and a text needs no reading, fewer than so many and it is none; how high a
#: text is at most of which this holds
_DRAWN, _HINTED, _HIGHEST = 30, 14, 48
#: how sure the recogniser must be of a line, and of what has no strokes; what it makes of strokes that are no letters
_SURE, _SURER, _NO_LETTERS = 0.7, 0.8, frozenset("1lI|/\\-+_=.,:;'\"`~^*()<> ")
#: turns by 90 degrees after which a line along a row, or down a column, may be upright
_UPRIGHT, _ON_SIDE = (0, 2), (1, 3)


class Close:
    """A plane, what the screen says of it, and who reads it."""

    def __init__(
        self, reader: TextReader, plane: Plane, found: Screened, *, wide: bool, free: NDArray[np.bool_] | None = None
    ) -> None:
        """``wide``: samples of more than 8 bits, which hide more than one picture shows. ``free``: cells to read in."""
        self._reader, self._plane, self._found = reader, plane, found
        self._free = np.ones(found.score.shape, np.bool_) if free is None else free
        self._looks = ((False, stretched), (True, stretched), *(((False, equalised),) if wide else ()))

    def read(self, hidden: Sequence[Box], texts: Sequence[Box] = ()) -> list[Box]:
        """Texts in suspicious places outside of ``hidden`` and of ``texts``, and the rest of those in ``texts``."""
        boxes: list[Box] = []
        for across, window in self._looks:
            for suspect in _joined(self._suspects([*hidden, *texts, *boxes])):
                if not across or max(suspect.along, suspect.down) <= _EITHER * min(suspect.along, suspect.down):
                    boxes += self._detected(suspect.box, (suspect.down > suspect.along) != across, window)
        left = self._suspects([*hidden, *texts, *boxes])
        if left or texts or boxes:
            boxes += self._in_lines(left, hidden, [*texts, *boxes])
        return boxes

    def _suspects(self, hidden: Sequence[Box]) -> Sequence[Suspect]:
        return screen.suspects(self._found, self._free & screen.open_cells(self._free.shape, hidden))

    def _detected(self, box: Box, side: bool, window: Window) -> Iterator[Box]:
        """What the detector sees in ``box`` and a little around it; with ``side`` it is turned for that."""
        rows, columns = self._plane.shape
        wide = Box(box.left - _AROUND, box.top - _AROUND, box.right + _AROUND, box.bottom + _AROUND)
        cut = wide.within(columns, rows)
        if cut is None:
            return
        for tile in tiles(cut.bottom - cut.top, cut.right - cut.left, _PART, _SHARED):
            part = moved(tile, cut.left, cut.top)
            picture = window(self._plane[part.top : part.bottom, part.left : part.right])
            high, long = picture.shape[0] * _TIMES, picture.shape[1] * _TIMES
            large = resampled(picture, high, long)
            for text in self._reader.find(np.ascontiguousarray(np.rot90(large)) if side else large):
                there = moved(_smaller(upright(text, long) if side else text), part.left, part.top)
                if believed(self._reader, self._found.score, there, self._shown):
                    yield grown(there)

    def _in_lines(self, left: Sequence[Suspect], hidden: Sequence[Box], texts: Sequence[Box]) -> list[Box]:
        """Lines that are the rest of one of ``texts``, or that the recogniser reads, head down as well."""
        along, down = screen.marks(self._plane)
        boxes: list[Box] = []
        for line, turns in _lines(along, down, left):
            if share(line, [*hidden, *texts, *boxes]) < _ALL and (
                share(line, texts) >= _REST or self._legible(line, turns)
            ):
                boxes.append(grown(line))
        turned_plane, turned_marks = turned(self._plane), turned(down)
        for text in [*texts, *boxes]:
            cut = text.within(self._plane.shape[1], self._plane.shape[0])
            flat = text.right - text.left >= text.bottom - text.top
            if cut is not None and flat and (longer := ends(self._plane, along, cut)):
                boxes.append(longer)
            elif cut is not None and not flat and (longer := ends(turned_plane, turned_marks, mirrored(cut))):
                boxes.append(mirrored(longer))
        return boxes

    def _legible(self, line: Box, turns: tuple[int, ...]) -> bool:
        if screen.evidence(self._found.score, line) < _HINTED:
            return False
        picture = self._shown(line)
        return any(_letters(*reading(self._reader, picture, turn), _SURE, 2) for turn in turns)

    def _shown(self, text: Box) -> Picture:
        return stretched(cut_of(self._plane, text))


def _lines(
    along: NDArray[np.uint8], down: NDArray[np.uint8], left: Sequence[Suspect]
) -> Iterator[tuple[Box, tuple[int, int]]]:
    """Lines in strokes along rows and down columns, and how often they have to be turned to be read."""
    yield from ((line, _UPRIGHT) for line in linked(along))
    yield from ((mirrored(line), _ON_SIDE) for line in linked(turned(down)))
    for suspect in left:
        box = suspect.box
        if max(box.right - box.left, box.bottom - box.top) > _SMALL:
            continue
        part = np.s_[box.top : box.bottom, box.left : box.right]
        if suspect.along * _SOME >= suspect.down:
            yield from ((moved(line, box.left, box.top), _UPRIGHT) for line in parted(along[part]))
        if suspect.down * _SOME >= suspect.along:
            lines = parted(np.ascontiguousarray(down[part].T))
            yield from ((moved(mirrored(line), box.left, box.top), _ON_SIDE) for line in lines)


def believed(reader: TextReader, score: NDArray[np.int32], text: Box, shown: Callable[[Box], Picture]) -> bool:
    """Whether what the detector took for ``text`` is one: it is drawn in strokes, or reads well as it is ``shown``."""
    wide, high = text.right - text.left, text.bottom - text.top
    drawn = screen.evidence(score, text)
    if min(wide, high) <= _HIGHEST and (drawn >= _DRAWN or drawn < _HINTED):
        return drawn >= _DRAWN
    turns = _UPRIGHT if wide >= high else _ON_SIDE
    return any(_letters(*reading(reader, shown(text), turn), _SURER, 3) for turn in turns)


def cut_of(plane: NDArray[Any], text: Box) -> NDArray[Any]:
    """``text`` and its rim as a part of ``plane``."""
    cut = grown(text).within(plane.shape[1], plane.shape[0])
    return plane[cut.top : cut.bottom, cut.left : cut.right] if cut else plane[:1, :1]


def reading(reader: TextReader, line: Picture, turns: int) -> tuple[str, float]:
    """What ``reader`` reads in a picture of one line that is turned by 90 degrees so many times, and how sure it is."""
    turned_line = np.ascontiguousarray(np.rot90(line, turns))
    return reader.read(turned_line, Box(0, 0, turned_line.shape[1], turned_line.shape[0]))


def _letters(text: str, sure: float, least: float, count: int) -> bool:
    """Whether a reading is sure enough, long enough, and more than strokes."""
    return sure >= least and len(text) >= count and not _NO_LETTERS.issuperset(text)


def grown(box: Box) -> Box:
    """``box`` with a rim, wider at the ends of its line: what a reader finds is a little less than what was drawn."""
    wide, high = box.right - box.left, box.bottom - box.top
    rim, end = math.ceil(_GROW * min(wide, high)) + _MORE, math.ceil(_ENDS * min(wide, high)) + _MORE
    across, down = (end, rim) if wide >= high else (rim, end)
    return Box(box.left - across, box.top - down, box.right + across, box.bottom + down)


def _joined(suspects: Sequence[Suspect]) -> list[Suspect]:
    """Suspects that are cheaper to read at once, as one."""
    done: list[Suspect] = []
    for each in suspects:
        suspect = each
        while (other := next((one for one in done if one_part(one.box, suspect.box)), None)) is not None:
            done.remove(other)
            both = around(other.box, suspect.box)
            suspect = Suspect(both, other.along + suspect.along, other.down + suspect.down)
        done.append(suspect)
    return done


def _smaller(box: Box) -> Box:
    return Box(box.left // _TIMES, box.top // _TIMES, -(-box.right // _TIMES), -(-box.bottom // _TIMES))
