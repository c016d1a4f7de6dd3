"""Looks for text in the frames of one instance, as far as the decision asks, and says what is to be blanked.

*full*: the detector sees all of a still image; of a long loop its first and last frame, and the brightest and the
darkest that each pixel becomes; what the screen suspects in any frame is read closely. *screen*: only that. What is
found in one frame is blanked in all: text stands still, and a frame in which it was missed must not tell it. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.harmless import is_harmless
from proxy.deid.pixels.plan import Area, Box, Layout, TextReader
from proxy.deid.pixels.texts import Bounded, Texts
from proxy.deid.pixels.tiles import share
from proxy.deid.pixels.views import Picture, pictures

#: the source of areas that are found here
TEXT = "text"
#: an image of more frames is a loop: the detector does not see all of each
_LOOP = 8
#: how sure the recogniser must be of a text that stays
_SURE = 0.9
#: of a text in all frames together this share lies in ones that stay: it is those, one over the other
_OVER = 0.3


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked: one of `plan.LOOKS`; the share of frames passed by the screen that are read in full all the same,
    chosen by ``seed``; whether text may stay that is provably none of ``identities``.
    """

    how: str
    audit: float = 0.0
    seed: bytes = b""
    keeps: bool = False
    identities: tuple[str, ...] = ()


def text_areas(
    frame_of: Callable[[int], Frame], layout: Layout, look: Look, blanked: Sequence[Area], reader: TextReader
) -> tuple[Area, ...]:
    """What is to be blanked beside ``blanked``, in all frames. `InstanceHeld` where it cannot be read in its bounds."""
    bounded = Bounded(reader)
    texts, extremes = Texts(bounded, layout), _Extremes()
    hidden = [area.box for area in blanked if area.frames is None]
    found, stays = list[Box](), list[Box]()
    for index in range(layout.frames):
        frame = frame_of(index)
        extremes.add(frame)
        beside = [area.box for area in blanked if area.frames is not None and index in area.frames]
        fresh = texts.of(frame, [*hidden, *beside, *found], whole=is_whole(look, layout.frames, index))
        harmless = _staying(frame, fresh, layout, look, bounded)
        found += [box for box in fresh if box not in harmless]
        stays += harmless
    if look.how == "full":
        for frame in extremes.frames:
            fresh = Texts(bounded, layout).of(frame, [*hidden, *found], whole=True)
            found += [box for box in fresh if share(box, stays) < _OVER]
    cut = (box.within(layout.columns, layout.rows) for box in found)
    return tuple(Area(box, TEXT) for box in sorted({box for box in cut if box is not None}))


def is_whole(look: Look, frames: int, index: int) -> bool:
    """Whether the detector sees all of the frame ``index``."""
    if look.how == "full":
        return frames <= _LOOP or index in (0, frames - 1)
    return _is_audited(look, index)


def _is_audited(look: Look, index: int) -> bool:
    """By the instance's own key, not by chance: the same instance is always read the same way."""
    drawn = int.from_bytes(hashlib.sha256(look.seed + index.to_bytes(8, "big")).digest()[:8], "big")
    return drawn < look.audit * 2**64


class _Extremes:
    """The greatest and the least that each sample becomes: text that stands still stands out of what moves."""

    def __init__(self) -> None:
        self._first: Frame | None = None
        self._high: Frame | None = None
        self._low: Frame | None = None

    def add(self, frame: Frame) -> None:
        """The next frame. Memory holds three, of a still image one."""
        if self._first is None:
            self._first = frame
            return
        if self._high is None or self._low is None:
            if np.array_equal(frame, self._first):
                return
            self._high, self._low = self._first.copy(), self._first.copy()
        np.maximum(self._high, frame, out=self._high)
        np.minimum(self._low, frame, out=self._low)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Greatest and least, () where nothing ever changed."""
        return () if self._high is None or self._low is None else (self._high, self._low)


def _staying(frame: Frame, fresh: Sequence[Box], layout: Layout, look: Look, reader: TextReader) -> list[Box]:
    """Those of ``fresh`` that may stay in ``frame``."""
    if not look.keeps or not fresh:
        return []
    seen = pictures(frame, layout)
    return [box for box in fresh if _stays(seen, box, look.identities, reader)]


def _stays(seen: Iterable[Picture], box: Box, identities: Iterable[str], reader: TextReader) -> bool:
    for picture in seen:
        cut = box.within(picture.shape[1], picture.shape[0])
        if cut is None:
            return True
        read = [reader.read(picture, part) for part in _insets(cut)]
        sure = [text for text, sureness in read if sureness >= _SURE]
        if not sure or not all(is_harmless(text, identities) for text in sure):
            return False
    return True


def _insets(box: Box) -> tuple[Box, ...]:
    """``box`` and two smaller ones: the recogniser reads best what fills its line; all that it is sure of counts."""
    wide, high = box.right - box.left, box.bottom - box.top
    found = [box]
    for across, down in ((high // 6, high // 8), (high // 3, high // 5)):
        if wide > 4 * across:
            found.append(Box(box.left + across, box.top + down, box.right - across, box.bottom - down))
    return tuple(found)
