"""Finds the texts in one frame after the other of an image, as much as has changed since the last one.

*Whole*: the detector sees all of a frame; what the screen suspects beside is read closely. Otherwise only what the
screen suspects is read. A budget bounds the work, counted in pixels and not by a clock: the same image is always read
to the same end. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import screen
from proxy.deid.pixels.bridges import bridged
from proxy.deid.pixels.closely import Close, believed, cut_of, grown
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.plan import Box, Layout, TextReader
from proxy.deid.pixels.resample import resampled
from proxy.deid.pixels.tiles import share
from proxy.deid.pixels.unchanged import Unchanged
from proxy.deid.pixels.views import Picture, pictures, planes
from proxy.errors import InstanceHeld, Reason

#: pixels that a reader is shown for one instance at most, and how many of the detector's one of a line counts for
MOST, _LINE = 400_000_000, 6
#: a recogniser scales each line to this height
_HEIGHT, _LEAST_WIDTH = 48, 160
#: of a text this share is hidden by others: it is one of them
_KNOWN = 0.97


class Bounded:
    """A reader that holds the instance when it has been shown too much."""

    def __init__(self, reader: TextReader, most: int = MOST) -> None:
        self._reader, self._left = reader, most

    def find(self, image: Picture) -> tuple[Box, ...]:
        """See `TextReader.find`."""
        self._spend(image.shape[0] * image.shape[1])
        return self._reader.find(image)

    def read(self, image: Picture, box: Box) -> tuple[str, float]:
        """See `TextReader.read`."""
        wide, high = box.right - box.left, max(box.bottom - box.top, 1)
        self._spend(_LINE * _HEIGHT * max(_HEIGHT * wide // high, _LEAST_WIDTH))
        return self._reader.read(image, box)

    def _spend(self, pixels: int) -> None:
        self._left -= pixels
        if self._left < 0:
            raise InstanceHeld(Reason.TEXT_UNDECIDED, "more than can be read in bounded time", 0x7FE00010)


class Texts:
    """Reads the frames of one image, which share ``layout``, in their order."""

    def __init__(self, reader: TextReader, layout: Layout, times: float = 1.0) -> None:
        """``times``: what the detector sees is enlarged by; another reading has another one."""
        self._reader, self._layout, self._times = reader, layout, times
        self._wide = layout.stored > 8
        self._unchanged = Unchanged(wide=self._wide)
        self._whole = False

    def of(self, frame: Frame, hidden: Sequence[Box], *, whole: bool) -> list[Box]:
        """Boxes of texts that are not ``hidden``; of a frame that follows others, in what has changed."""
        seen = planes(frame, self._layout)
        same = self._unchanged.same(seen)
        if same is not None and same.all() and (self._whole or not whole):
            return []
        self._whole = whole
        found = [screen.screened(plane) for plane in seen]
        score = np.maximum.reduce([each.score for each in found])
        free = np.ones(score.shape, np.bool_) if same is None else ~same
        texts = self._in_whole(frame, score, hidden) if whole else []
        for plane, each in zip(seen, found, strict=True):
            texts += Close(self._reader, plane, each, wide=self._wide, free=free).read(hidden, texts)
        if self._layout.frames > 1:
            self._unchanged.note(seen, free)
        return bridged(texts)

    def _in_whole(self, frame: Frame, score: NDArray[np.int32], hidden: Sequence[Box]) -> list[Box]:
        return [
            grown(box)
            for picture in pictures(frame, self._layout)
            for box in self._detected(picture)
            if share(box, hidden) < _KNOWN and believed(self._reader, score, box, partial(cut_of, picture))
        ]

    def _detected(self, picture: Picture) -> list[Box]:
        if self._times == 1:
            return list(self._reader.find(picture))
        rows, columns = (round(side * self._times) for side in picture.shape[:2])
        return [
            Box(
                *(int(edge / self._times) for edge in (box.left, box.top)),
                *(int(np.ceil(edge / self._times)) for edge in (box.right, box.bottom)),
            )
            for box in self._reader.find(resampled(picture, rows, columns))
        ]
