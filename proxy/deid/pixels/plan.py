"""What the pixel stages hand to each other: where to blank, what is to be looked at, what an image is made of.

Plain, frozen values; coordinates are columns and rows from the top left of a frame, right and bottom excluded. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.display import Display

#: how a decision wants pixels read: not at all, by the screen and then where it suspects, each frame by the detector
LOOKS = ("no", "screen", "full")


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Pixels ``left <= column < right`` and ``top <= row < bottom`` of a frame."""

    left: int
    top: int
    right: int
    bottom: int

    def within(self, columns: int, rows: int) -> Box | None:
        """This box cut to a frame; None when nothing of it lies inside."""
        cut = Box(max(self.left, 0), max(self.top, 0), min(self.right, columns), min(self.bottom, rows))
        return cut if cut.left < cut.right and cut.top < cut.bottom else None


@dataclass(frozen=True, slots=True)
class Area:
    """A box to blank. ``frames``: counted from 0, None for all; ``source``: which rule or reader wants it."""

    box: Box
    source: str
    frames: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the header says about the pixels (`burned_in.decide`); what must not leave raises `InstanceHeld` instead.

    ``look`` is one of `LOOKS`. ``why`` and ``rule`` name tables and rules, never values. ``covered``: device rules
    answer for all text that there is, besides ``areas`` nothing has to be sought. ``insist``: the instance says that
    text is burned in; where neither rule nor reading finds any, or nothing can read it, it is held, whatever
    uninspected_pixels says. ``hidden``: an overlay plane lies in unused bits and has to be cleared, which takes a
    decoding of every frame. ``face``: forwarded although it may show a face, so that (0028,0302) is YES.
    """

    areas: tuple[Area, ...] = ()
    look: str = "no"
    why: str = ""
    rule: str = ""
    covered: bool = False
    insist: bool = False
    hidden: bool = False
    face: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The Image Pixel module (PS3.3 C.7.6.3) of one instance: what a codec or kernel has to know.

    ``kind``: integer (7FE0,0010), float (7FE0,0008) or double (7FE0,0009). ``words``: VR OW, which swaps bytes in big
    endian. ``padding``: (0028,0120) Pixel Padding Value as a stored value, None when absent or out of their range.
    ``lut``: red, green, blue entries of a palette, shape (3, entries), uint16, with the first mapped value; None where
    there is none. ``coloured``: stored values from here on have colours of a supplemental palette, None without one.
    ``light`` reads ``display``. ``native``: frames lie as PS3.5 8.1 says, in one value or one in each fragment.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    planar: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    kind: str = "integer"
    little: bool = True
    words: bool = True
    padding: int | float | None = None
    lut: NDArray[np.uint16] | None = field(default=None, compare=False, repr=False)
    first_mapped: int = 0
    coloured: int | None = None
    light: Callable[[], Display] = field(default=Display, compare=False, repr=False)
    native: bool = True

    @property
    def display(self) -> Display:
        """How stored values of a greyscale image become light; only who blanks or shows them asks."""
        return self.light()

    @property
    def ambiguous(self) -> bool:
        """Native samples whose bytes writers order in two ways: in big endian, words of 32 bits and wide ones in OB.

        PS3.5 packs 32 bits into two words of VR OW, the lower one first; most writers put the most significant byte
        first. Where this is true no sample can be read or written.
        """
        return not self.little and self.kind == "integer" and self.allocated > (16 if self.words else 8)

    @property
    def halved(self) -> bool:
        """Whether two neighbours share their chrominance, so that neither can be blanked alone."""
        return self.native and self.photometric.endswith("_422")

    @property
    def shift(self) -> int:
        """Unused bits below the stored ones (High Bit is not Bits Stored - 1)."""
        return self.high_bit - self.stored + 1

    @property
    def lowest(self) -> int:
        """The smallest integer that can be stored."""
        return -(1 << (self.stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The largest integer that can be stored."""
        return (1 << (self.stored - self.signed)) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a sample in a decoded frame, in this machine's byte order; uint8 for 1-bit images."""
        if self.kind != "integer":
            return np.dtype(np.float32 if self.kind == "float" else np.float64)
        return np.dtype(f"{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame; frames of 1-bit images follow each other without padding (PS3.5 8.1.1).

        YBR_FULL_422 and YBR_PARTIAL_422 carry two samples a pixel when native.
        """
        samples = 2 if self.photometric.endswith("_422") and self.samples == 3 else self.samples
        return self.rows * self.columns * samples * self.allocated


@dataclass(frozen=True, slots=True)
class Work:
    """What was done to the pixels of one instance, for the markers, the report and the gate. No values of the input.

    ``decision``: what was asked for; the gate holds the rest against it.
    ``areas``: all that was blanked (after detection, cut to the frame, grown to what the codec can blank alone).
    ``looked``: how frames were read, one of `LOOKS`. ``cleared``: names of hidden channels that held something.
    ``chunks``: first and past-last index, in the output's chunks, of those that make the pixel data element; (0, 0)
    where it left as one slice. ``recoded``: the transfer syntax before, "" when it is the same. ``clean``: a device
    rule or a full reading has answered for all that is burned in, so that the instance may say so (PS3.15 E.3.1).
    """

    decision: Decision = field(default_factory=Decision)
    areas: tuple[Area, ...] = ()
    looked: str = "no"
    cleared: tuple[str, ...] = ()
    chunks: tuple[int, int] = (0, 0)
    recoded: str = ""
    clean: bool = False


def summary(work: Work) -> str:
    """``work`` on one line, for reports and explanations: counts, sources and names of ours only."""
    said = [f"{len(work.areas)} areas blanked ({', '.join(sorted({area.source for area in work.areas}))})"]
    if not work.areas:
        said = ["nothing blanked"]
    if work.looked != "no":
        said.append(f"read for text: {work.looked}")
    if work.cleared:
        said.append(f"cleared: {', '.join(work.cleared)}")
    if work.recoded:
        said.append("re-encoded in another transfer syntax")
    return "; ".join(said)


class TextReader(Protocol):
    """Finds text in pictures. Made outside the core (models are files), given to the engine; deterministic."""

    def find(self, image: NDArray[np.uint8]) -> tuple[Box, ...]:
        """Boxes around whatever may be text in ``image``, (rows, columns) or (rows, columns, 3). Any size.

        Raises `InstanceHeld` when it takes too long.
        """
        ...

    def read(self, image: NDArray[np.uint8], box: Box) -> tuple[str, float]:
        """The text in ``box`` and how sure the reader is, 0 to 1; ("", 0.0) when it cannot be read."""
        ...
