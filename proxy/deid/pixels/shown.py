"""A picture of a frame without what may not be seen (`masked` makes it), as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.deid.pixels.plan import Box

#: how a frame is shown
WHOLE, COARSE, BLACK, NOTHING = "whole", "coarse", "black", "nothing"


@dataclass(frozen=True, slots=True)
class Mark:
    """An area that is black in the picture, in pixels of the image; ``source``: which rule or reader wants it."""

    source: str
    box: Box


@dataclass(frozen=True, slots=True)
class Masked:
    """``shown``: one of the words above, ``why`` it is no more. ``frame``: from 1. ``png`` is empty for `NOTHING`."""

    shown: str
    why: str
    frames: int = 0
    frame: int = 0
    marks: tuple[Mark, ...] = ()
    png: bytes = field(default=b"", repr=False)
