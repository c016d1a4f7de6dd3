"""A picture that shows what is decided of a frame, and nothing that is undecided. For pages that may hold no PHI.

What leaves is shown as it leaves, and is read for text once more, in the very picture that is shown: text that the
rules leave is black here all the same. What is held is shown so coarsely that nothing can be read, or not at all:
not where text or a face is the matter, nor where nothing reads it. Pure; `InstanceHeld` where nothing is to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.access import plain_of
from proxy.deid.decode import Instance, read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.burned_in import SOP_CLASS_UID, decide
from proxy.deid.pixels.faces import face
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.plan import Area, Box, Layout, TextReader, Work
from proxy.deid.pixels.rendering import PNG
from proxy.deid.pixels.rendering_light import light_of
from proxy.deid.pixels.rendering_picture import still
from proxy.deid.pixels.shown import BLACK, COARSE, NOTHING, WHOLE, Mark, Masked
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.texts import Bounded, Texts
from proxy.deid.pixels.tiles import share
from proxy.deid.pixels.views import Picture
from proxy.deid.profile import Policy
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason

#: the longer side of a picture, at least and at most; of a coarse one before it is enlarged; areas that are told
_LEAST, _MOST, _COARSE, _MARKS = 512, 1024, 64, 100
#: pixels that the reader is shown at most
_READING = 40_000_000
#: reasons to hold that say something of the pixels which no coarse picture may tell
_UNSHOWN = {
    Reason.FACE: "it may show a face",
    Reason.BURNED_IN: "text is said to be burned in",
    Reason.TEXT_UNDECIDED: "whether text is burned in is undecided",
    Reason.PIXELS_NOT_CLEAN: "text was left in it",
}
#: how a source of areas begins → its colour
_COLOURS = {"rule": "#ff9d00", "outside": "#00b7ff", "text": "#ff3860"}
_OTHER, _PAPER = "#c56cf0", "#000000"
_FONT, _LABEL = 13, 40


def colour_of(source: str) -> str:
    """Of what ``source`` wants blanked."""
    return next((colour for start, colour in _COLOURS.items() if source.startswith(start)), _OTHER)


def masked(
    data: memoryview, policy: Policy, reader: TextReader | None, frame: int, work: Work | None, held: Reason | None
) -> Masked:
    """Frame ``frame``, from 1, of ``data``: what leaves after ``work``, or the original of what is ``held``."""
    with strict_text():
        instance = read_instance(data, policy)
        if instance.pixels is None:
            return Masked(NOTHING, "there is no pixel data")
        if instance.syntax.handling == "video":
            return Masked(NOTHING, "video is not shown")
        images = images_of(instance, policy)
        layout = images.layout
        if not 1 <= frame <= layout.frames:
            return Masked(NOTHING, "there is no such frame", layout.frames)
        shown, why, areas = _released(work) if held is None and work is not None else _held(instance, policy, held)
        light = light_of(
            images.frame(frame - 1), frame - 1, layout, Header(instance.root, instance.syntax.little), None
        )
    known = [area for area in areas if area.frames is None or frame - 1 in area.frames]
    sheet = _Sheet(light, known)
    if held is not None or work is None or work.looked != "full":
        read = sheet.read(reader, "text" if held is not None else "text that the rules leave")
        if not read and shown != BLACK:
            shown, why = BLACK, "it cannot be read for text"
    return Masked(shown, why, layout.frames, frame, tuple(sheet.marks[:_MARKS]), sheet.drawn(shown))


def _released(work: Work) -> tuple[str, str, Sequence[Area]]:
    if work.decision.face:
        return BLACK, _UNSHOWN[Reason.FACE], work.areas
    return WHOLE, "", work.areas


def _held(instance: Instance, policy: Policy, held: Reason | None) -> tuple[str, str, Sequence[Area]]:
    """How the original may be shown: by why it is held, and by what the header says of text and faces."""
    sop_class = policy.sop_classes.get(plain_of(instance.root, SOP_CLASS_UID) or "")
    if sop_class is None:
        return BLACK, "its SOP class is unknown", ()
    if face(Attributes.of(instance.root, instance.syntax.little), sop_class):
        return BLACK, _UNSHOWN[Reason.FACE], ()
    areas: Sequence[Area] = ()
    try:
        areas = decide(instance.root, sop_class, instance.syntax, policy).areas
    except InstanceHeld as undecided:
        if undecided.reason is not Reason.PIXELS_UNINSPECTED:
            return BLACK, _UNSHOWN.get(undecided.reason, "no rule decides about it"), ()
    if held in _UNSHOWN:
        return BLACK, _UNSHOWN[held], areas
    return COARSE, "it is held", areas


class _Sheet:
    """A frame in the size that it is shown in, with what is black on it."""

    def __init__(self, light: Picture, known: Sequence[Area]) -> None:
        rows, columns = light.shape[:2]
        long = max(rows, columns)
        self._scale = min(max(long, _LEAST), _MOST) / long
        size = tuple(max(round(side * self._scale), 1) for side in (columns, rows))
        self._picture = Image.fromarray(light).convert("RGB").resize((size[0], size[1]), Image.Resampling.BOX)
        self.marks = [Mark(area.source, area.box) for area in known]
        self._boxes = [_scaled(mark.box, self._scale) for mark in self.marks]
        self._blacken()

    def read(self, reader: TextReader | None, source: str) -> bool:
        """Blacken what reads as text; whether all of it could be read."""
        if reader is None:
            return False
        picture = np.asarray(self._picture)
        rows, columns = picture.shape[:2]
        texts = Texts(Bounded(reader, _READING), Layout(rows, columns, 1, 3, 0, 8, 8, 7, False, "RGB"))
        try:
            found = texts.of(picture, self._boxes, whole=True)
        except InstanceHeld:
            return False
        cut = sorted({box for each in found if (box := each.within(columns, rows)) is not None})
        self._boxes += cut
        self.marks += [Mark(source, _scaled(box, 1 / self._scale)) for box in cut]
        self._blacken()
        return True

    def drawn(self, shown: str) -> bytes:
        """As PNG, with a line around each area and what wants it beside."""
        if shown == COARSE:
            size, scale = self._picture.size, _COARSE / max(self._picture.size)
            few = (max(int(size[0] * scale), 1), max(int(size[1] * scale), 1))
            self._picture = self._picture.resize(few, Image.Resampling.BOX).resize(size, Image.Resampling.BILINEAR)
        elif shown == BLACK:
            self._picture.paste(_PAPER, (0, 0, *self._picture.size))
        self._blacken()
        self._inscribe()
        return still(np.asarray(self._picture), PNG, 90)

    def _inscribe(self) -> None:
        """A line around each area, and its number and source where there is room; beside the areas."""
        pen, font, taken = ImageDraw.Draw(self._picture), ImageFont.load_default(_FONT), list[Box]()
        for number, (mark, box) in enumerate(list(zip(self.marks, self._boxes, strict=True))[:_MARKS], 1):
            colour, words = colour_of(mark.source), f"{number} {mark.source}"[:_LABEL]
            pen.rectangle((box.left - 2, box.top - 2, box.right + 1, box.bottom + 1), outline=colour, width=2)
            top = box.top - _FONT - 5 if box.top > _FONT + 5 else box.bottom + 2
            place = Box(box.left, top, box.left + round(pen.textlength(words, font)), top + _FONT + 4)
            if share(place, taken) == 0:
                taken.append(place)
                pen.rectangle((place.left - 2, top - 1, place.right + 2, place.bottom - 1), _PAPER)
                pen.text((place.left, top), words, colour, font=font)

    def _blacken(self) -> None:
        for box in self._boxes:
            self._picture.paste(_PAPER, (box.left, box.top, box.right, box.bottom))


def _scaled(box: Box, scale: float) -> Box:
    """All of ``box`` in a picture of another size."""
    edges = (box.left * scale, box.top * scale, box.right * scale, box.bottom * scale)
    return Box(*map(math.floor, edges[:2]), *map(math.ceil, edges[2:]))
