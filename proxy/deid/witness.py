"""The gate's reading of pixels: what was to be blanked is black, nothing hides beside the image, no claim is too much.

Reads the output as it will leave: its own header, its own fragments, decoded again. What was asked for comes with the
result; whether it was done is judged here. Pure; `PIXELS_NOT_CLEAN` for what was not, `InstanceHeld` for what cannot
be read.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from proxy.deid.identity import identity_of
from proxy.deid.level import Level
from proxy.deid.pixels import codecs, hidden, truth, unpack
from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.encapsulated import read_fragments, stream_of
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.legible import finds
from proxy.deid.pixels.plan import LOOKS, Area, Layout, TextReader, Work
from proxy.deid.profile import Policy
from proxy.deid.reading import Leaf
from proxy.deid.tables import TransferSyntax
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason

CLEAN_PIXELS = b"113101"
#: bytes of what an instance says of its changed pixels, at most
_LONGEST = 1024
_CODES, _CODE_VALUE = (b"113047", b"DCM", b"Pixel by pixel mask"), frozenset({0x00080100, 0x00080102, 0x00080104})


@dataclass(frozen=True, slots=True)
class _Pixels:
    """The pixel data of an output."""

    value: memoryview
    layout: Layout
    syntax: TransferSyntax
    #: code streams by frame, () where native
    streams: tuple[bytes | memoryview, ...]

    def frame(self, index: int) -> Frame:
        if not self.streams:
            return unpack.frame_at(self.value, self.layout, index)
        return self.opened(index).frame()

    def opened(self, index: int) -> codecs.Opened:
        return codecs.Opened(self.streams[index], self.layout, self.syntax.uid)


def check_pixels(root: Level, found: Leaf | None, syntax: TransferSyntax, work: Work) -> None:
    """Raises unless the pixel data ``found`` in an output is what ``work`` says of it; ``root``: what describes it."""
    if found is None:
        if work.areas or work.clean:
            raise _not_clean("pixels are said to be clean and there are none")
        return
    _check_demands(work)
    if syntax.handling == "video":
        return  # nothing here reads it: the decision answers for it, and asks for no areas
    pixels = read_pixels(found, root, syntax)
    _check_covered(work, pixels.layout.columns, pixels.layout.rows, pixels.layout.frames)
    if not pixels.streams and (hiding := hidden.hidden(pixels.value, pixels.layout)):
        raise _not_clean(hiding[0])
    touched = _touched(work.areas, pixels.layout.frames)
    if any(index >= pixels.layout.frames for index in touched):
        raise _not_clean("an area of a frame that is not there")
    for index in range(pixels.layout.frames) if pixels.streams else sorted(touched):
        opened = _check_hiding(pixels.opened(index)) if pixels.streams else None
        if index in touched:
            _check_black(opened.frame() if opened else pixels.frame(index), index, work.areas, pixels.layout)


def named(root: Level, policy: Policy) -> tuple[str, ...]:
    """What an input says of people, places and numbers: PHI, to be compared with what is read."""
    with strict_text():
        known = identity_of(root, policy.vrs)
    return (*known.names, *known.numbers, *known.places, *known.dates)


def check_legible(
    root: Level, found: Leaf, syntax: TransferSyntax, reader: TextReader | None, known: Sequence[str]
) -> None:
    """Strict: reads every frame of the output and raises where a text names what ``known`` says of the input."""
    if syntax.handling == "video" or reader is None:
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, "a strict profile, and nothing can read these pixels", found.tag)
    pixels = read_pixels(found, root, syntax)
    if finds(pixels.frame, pixels.layout, reader, known):
        raise _not_clean("a second reading finds an identifier of the input")


def _check_demands(work: Work) -> None:
    """What the decision asked for was done, and no more is claimed than that."""
    decision = work.decision
    if LOOKS.index(work.looked) < LOOKS.index(decision.look):
        raise _not_clean("pixels were not read as they should have been")
    if decision.insist and not work.areas:
        raise _not_clean("text is said to be burned in, and nothing was blanked")
    if work.clean and not (decision.covered or work.looked == "full"):
        raise _not_clean("pixels are said to be clean, and nobody looked")


def read_pixels(leaf: Leaf, root: Level, syntax: TransferSyntax) -> _Pixels:
    """The pixel data ``leaf`` of the data set ``root``, with its frames found."""
    layout = layout_of(root, syntax, leaf.tag, "" if syntax.implicit else leaf.vr)
    if syntax.handling == "native":
        return _Pixels(leaf.value, layout, syntax, ())
    offsets, lengths = (_bytes(root, tag) for tag in truth.OFFSETS)
    found = read_fragments(leaf.value, 0, len(leaf.value), layout.frames, syntax.uid, offsets, lengths)
    if found.wrong:
        raise _not_clean(found.wrong[0])
    return _Pixels(leaf.value, layout, syntax, tuple(stream_of(leaf.value, frame) for frame in found.frames))


def _check_hiding(opened: codecs.Opened) -> codecs.Opened:
    if names := opened.hides():
        raise _not_clean(names[0])
    if opened.stripped() is not None:
        raise _not_clean("data in a code stream beside the image")
    return opened


def _touched(areas: Sequence[Area], frames: int) -> Set[int]:
    if any(area.frames is None for area in areas):
        return frozenset(range(frames))
    return {frame for area in areas for frame in area.frames or ()}


def _check_black(frame: Frame, index: int, areas: Sequence[Area], layout: Layout) -> None:
    black = np.array(black_of(layout), layout.dtype)
    for area in areas:
        if area.frames is not None and index not in area.frames:
            continue
        box = area.box.within(layout.columns, layout.rows)
        if box is None:
            raise _not_clean("an area outside the image")
        if not (frame[box.top : box.bottom, box.left : box.right] == black).all():
            raise _not_clean("a pixel of an area that was to be blanked is not black")


def _check_covered(work: Work, columns: int, rows: int, frames: int) -> None:
    """Raises unless every area that the decision asked for lies in areas that were blanked."""
    for asked in work.decision.areas:
        box = asked.box.within(columns, rows)
        if box is None:
            continue
        for frame in range(frames) if asked.frames is None else asked.frames:
            left = np.ones((box.bottom - box.top, box.right - box.left), bool)
            for area in work.areas:
                if area.frames is None or frame in area.frames:
                    done = area.box
                    rows_done = slice(max(done.top - box.top, 0), max(done.bottom - box.top, 0))
                    left[rows_done, max(done.left - box.left, 0) : max(done.right - box.left, 0)] = False
            if left.any():
                raise _not_clean("an area that was to be blanked was not")
            if asked.frames is None and all(area.frames is None for area in work.areas):
                break


def is_told(leaf: Leaf, work: Work) -> bool:
    """Whether ``leaf`` is what an instance says of its own changed pixels: a constant of ours (`pixels.truth`)."""
    if len(leaf.value) > _LONGEST:
        return False  # pixel data: not to be copied
    value = bytes(leaf.value).strip(b" \0")
    if leaf.tag == truth.DERIVATION_DESCRIPTION and not leaf.path:
        return bool(work.areas or work.recoded) and value in (truth.DESCRIPTION, truth.RECODED)
    if leaf.path[:1] == (truth.DERIVATION_CODE_SEQUENCE,) and len(leaf.path) == 2 and leaf.tag in _CODE_VALUE:
        return bool(work.areas) and value in _CODES
    return False


def check_claims(burned_in: str, methods: Set[bytes], came: tuple[str, bool], work: Work) -> None:
    """Burned In Annotation and the method code say no more than was done, here or before this instance ``came``."""
    if burned_in == "NO" and not work.clean and came[0] != "NO":
        raise _not_clean("Burned In Annotation is NO, and nobody looked")
    if CLEAN_PIXELS in methods and not work.clean and not came[1]:
        raise _not_clean("the method says clean pixels, and nobody looked")


def _bytes(root: Level, tag: int) -> bytes:
    value = root.value(tag)[1] if tag in root else b""
    return value if isinstance(value, bytes) else b""


def _not_clean(detail: str) -> InstanceHeld:
    return InstanceHeld(Reason.PIXELS_NOT_CLEAN, detail, 0x7FE00010)
