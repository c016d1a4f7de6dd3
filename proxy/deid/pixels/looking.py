"""Looks for text in the frames of one instance, as far as the decision asks, and says what is to be blanked.

*full*: the detector sees every frame, as much of it as is not blanked yet and has changed; what the screen suspects
beside that is read closely. *screen*: the screen sees every frame, and only what it suspects is read. What is found in
one frame is blanked in all: text stands still, and a frame in which it was missed must not tell it. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from proxy.deid.pixels import screen
from proxy.deid.pixels.closely import Close, grown
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.harmless import is_harmless
from proxy.deid.pixels.plan import Area, Box, Layout, TextReader
from proxy.deid.pixels.tiles import moved
from proxy.deid.pixels.views import Picture, pictures, planes

#: the source of areas that are found here
TEXT = "text"
#: pixels by which a part that is read again reaches beyond what changed: a letter and what it stands on
_AROUND = 32
#: how sure the recogniser must be of a text that stays
_SURE = 0.9


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
    """What is to be blanked beside ``blanked``, in all frames."""
    hidden = [area.box for area in blanked if area.frames is None]
    seer = _Seer(reader, layout, look)
    found: list[Box] = []
    before: Frame | None = None
    for index in range(layout.frames):
        frame = frame_of(index)
        beside = [*hidden, *(area.box for area in blanked if area.frames is not None and index in area.frames)]
        known = [*beside, *found]
        if look.how == "full" or _is_audited(look, index):
            found += seer.full(frame, known, before if look.how == "full" else None)
            before = frame
        else:
            found += seer.suspected(frame, known)
    cut = (box.within(layout.columns, layout.rows) for box in found)
    return tuple(Area(box, TEXT) for box in sorted({box for box in cut if box is not None}))


def _is_audited(look: Look, index: int) -> bool:
    """By the instance's own key, not by chance: the same instance is always read the same way."""
    drawn = int.from_bytes(hashlib.sha256(look.seed + index.to_bytes(8, "big")).digest()[:8], "big")
    return drawn < look.audit * 2**64


class _Seer:
    """Reads single frames of one image."""

    def __init__(self, reader: TextReader, layout: Layout, look: Look) -> None:
        self._reader, self._layout, self._look = reader, layout, look

    def full(self, frame: Frame, known: Sequence[Box], before: Frame | None) -> list[Box]:
        """Text in what is not ``known``; of a frame that follows ``before``, in what differs from that."""
        part = _open_part(frame, known, before)
        if part is None:
            return []
        seen = pictures(frame, self._layout)
        texts: list[Box] = []
        for picture in seen:
            cut = np.ascontiguousarray(picture[part.top : part.bottom, part.left : part.right])
            texts += [grown(moved(box, part.left, part.top)) for box in self._reader.find(cut)]
        fresh = [box for box in texts if not _inside(box, known)]
        gone = self._kept_out(seen, fresh)
        if before is None:  # what follows differs by what moves, which is no text, and by what the detector sees
            stays = [box for box in fresh if box not in gone]
            gone += self._kept_out(seen, self._closely(frame, [*known, *stays], gone))
        return gone

    def suspected(self, frame: Frame, known: Sequence[Box]) -> list[Box]:
        """Text in what the screen suspects."""
        return self._kept_out(pictures(frame, self._layout), self._closely(frame, known, ()))

    def _closely(self, frame: Frame, known: Sequence[Box], texts: Sequence[Box]) -> list[Box]:
        wide, boxes = self._layout.stored > 8, list[Box]()
        for plane in planes(frame, self._layout):
            close = Close(self._reader, plane, screen.screened(plane), wide=wide)
            boxes += close.read(known, [*texts, *boxes])
        return boxes

    def _kept_out(self, seen: Iterable[Picture], boxes: Sequence[Box]) -> list[Box]:
        """``boxes`` without those that may stay."""
        if not self._look.keeps or not boxes:
            return list(boxes)
        return [box for box in boxes if not self._stays(seen, box)]

    def _stays(self, seen: Iterable[Picture], box: Box) -> bool:
        cut = box.within(self._layout.columns, self._layout.rows)
        if cut is None:
            return True
        for picture in seen:
            read = [self._reader.read(picture, part) for part in _insets(cut)]
            sure = [text for text, sureness in read if sureness >= _SURE]
            if not sure or not all(is_harmless(text, self._look.identities) for text in sure):
                return False
        return True


def _open_part(frame: Frame, known: Sequence[Box], before: Frame | None) -> Box | None:
    """What has to be read: around all pixels that are not ``known`` and, where something came before, not the same."""
    rows, columns = frame.shape[:2]
    open_ = np.ones((rows, columns), np.bool_)
    if before is not None:
        differs = frame != before
        open_ = differs if differs.ndim == 2 else differs.any(axis=2)
    for box in known:
        open_[max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)] = False
    down, along = np.flatnonzero(open_.any(axis=1)), np.flatnonzero(open_.any(axis=0))
    if not down.size:
        return None
    around = _AROUND if before is not None else 0
    box = Box(int(along[0]) - around, int(down[0]) - around, int(along[-1]) + 1 + around, int(down[-1]) + 1 + around)
    return box.within(columns, rows)


def _insets(box: Box) -> tuple[Box, ...]:
    """``box`` and two smaller ones: the recogniser reads best what fills its line; all that it is sure of counts."""
    wide, high = box.right - box.left, box.bottom - box.top
    found = [box]
    for across, down in ((high // 6, high // 8), (high // 3, high // 5)):
        if wide > 4 * across:
            found.append(Box(box.left + across, box.top + down, box.right - across, box.bottom - down))
    return tuple(found)


def _inside(box: Box, known: Iterable[Box]) -> bool:
    """Whether one of ``known`` covers ``box``."""
    return any(
        other.left <= box.left and other.top <= box.top and box.right <= other.right and box.bottom <= other.bottom
        for other in known
    )


def readings(frame: Frame, layout: Layout, reader: TextReader) -> Iterator[str]:
    """Every text that a reader makes out in ``frame``, for a second reading of what leaves."""
    for picture in pictures(frame, layout):
        for box in reader.find(picture):
            yield reader.read(picture, grown(box))[0]
