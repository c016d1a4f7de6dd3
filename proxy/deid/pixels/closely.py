"""Reads suspicious places of a plane closely: enlarged, at their own contrast, upright and on their side.

First the detector looks along the strokes, then across where they could run either way. What it leaves unexplained is
taken apart into lines, and each is put before the recogniser: two letters alone, or faint ones, can be read where they
are not found. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import screen
from proxy.deid.pixels.lines import lines
from proxy.deid.pixels.plan import Box, TextReader
from proxy.deid.pixels.resample import resampled
from proxy.deid.pixels.screen import Screened, Suspect
from proxy.deid.pixels.tiles import around, mirrored, moved, one_part, tiles, upright
from proxy.deid.pixels.views import Picture, Plane, stretched

#: what is added around a suspect, the side of what is read at once, what parts have in common, in pixels
_AROUND, _PART, _SHARED = 16, 360, 64
_TIMES = 2
#: a text that was found grows by this share of its smaller side, and by so many pixels
_GROW, _MORE = 0.15, 2
#: text may run either way where strokes of one direction are no more than so many times those of the other
_EITHER, _SOME = 1.3, 4.0
#: how sure the recogniser must be of a line, and what it makes of strokes that are no letters
_SURE, _NO_LETTERS = 0.7, frozenset("1lI|/\\-+_=.,:;'\"`~^*()<> ")


@dataclass(frozen=True, slots=True)
class Close:
    """A plane, what the screen says of it, and who reads it."""

    reader: TextReader
    plane: Plane
    found: Screened

    def read(self, hidden: Sequence[Box]) -> list[Box]:
        """Texts in suspicious places outside of ``hidden``."""
        boxes: list[Box] = []
        for across in (False, True):
            for suspect in _joined(self._suspects([*hidden, *boxes])):
                if not across or _either(suspect, _EITHER):
                    boxes += self._detected(suspect.box, (suspect.down > suspect.along) != across)
        for suspect in self._suspects([*hidden, *boxes]):
            boxes += self._in_lines(suspect, [*hidden, *boxes])
        return boxes

    def _suspects(self, hidden: Sequence[Box]) -> Sequence[Suspect]:
        return screen.suspects(self.found, screen.open_cells(self.found.score.shape, hidden))

    def _detected(self, box: Box, side: bool) -> Iterator[Box]:
        """What the detector sees in ``box`` and a little around it; with ``side`` it is turned for that."""
        rows, columns = self.plane.shape
        wide = Box(box.left - _AROUND, box.top - _AROUND, box.right + _AROUND, box.bottom + _AROUND)
        cut = wide.within(columns, rows)
        if cut is None:
            return
        for tile in tiles(cut.bottom - cut.top, cut.right - cut.left, _PART, _SHARED):
            part = moved(tile, cut.left, cut.top)
            picture = self._shown(part)
            high, long = picture.shape[0] * _TIMES, picture.shape[1] * _TIMES
            large = resampled(picture, high, long)
            for text in self.reader.find(np.ascontiguousarray(np.rot90(large)) if side else large):
                there = upright(text, long) if side else text
                yield moved(grown(_smaller(there)), part.left, part.top)

    def _in_lines(self, suspect: Suspect, hidden: Sequence[Box]) -> Iterator[Box]:
        """Lines of ``suspect`` that the recogniser can read, upright or head down, where need be from the side."""
        box = suspect.box.within(self.plane.shape[1], self.plane.shape[0])
        if box is None:
            return
        along, down = screen.marks(self.plane[box.top : box.bottom, box.left : box.right])
        for other in hidden:
            cut = moved(other, -box.left, -box.top).within(box.right - box.left, box.bottom - box.top)
            if cut is not None:
                along[cut.top : cut.bottom, cut.left : cut.right] = 0
                down[cut.top : cut.bottom, cut.left : cut.right] = 0
        listed: list[tuple[Box, tuple[int, int]]] = []
        if suspect.along * _SOME >= suspect.down:
            listed += [(line, (0, 2)) for line in lines(along)]
        if suspect.down * _SOME >= suspect.along:
            listed += [(mirrored(line), (1, 3)) for line in lines(np.ascontiguousarray(down.T))]
        for line, turns in listed:
            there = moved(line, box.left, box.top)
            if self._legible(there, turns):
                yield grown(there)

    def _legible(self, line: Box, turns: tuple[int, ...]) -> bool:
        cut = grown(line).within(self.plane.shape[1], self.plane.shape[0])
        return cut is not None and any(readable(self.reader, np.rot90(self._shown(cut), turn)) for turn in turns)

    def _shown(self, box: Box) -> Picture:
        return stretched(self.plane[box.top : box.bottom, box.left : box.right])


def readable(reader: TextReader, line: NDArray[np.uint8]) -> bool:
    """Whether ``line`` reads as letters."""
    rows, columns = line.shape[:2]
    text, sure = reader.read(np.ascontiguousarray(line), Box(0, 0, columns, rows))
    return sure >= _SURE and len(text) > 1 and not _NO_LETTERS.issuperset(text)


def grown(box: Box) -> Box:
    """``box`` with a rim: what a reader finds is a little less than what was drawn."""
    rim = math.ceil(_GROW * min(box.right - box.left, box.bottom - box.top)) + _MORE
    return Box(box.left - rim, box.top - rim, box.right + rim, box.bottom + rim)


def _either(suspect: Suspect, times: float) -> bool:
    return max(suspect.along, suspect.down) <= times * min(suspect.along, suspect.down)


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
