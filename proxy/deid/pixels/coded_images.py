"""The frames of encapsulated pixel data: decoded one at a time; written back where they changed, others as they came.

Nothing is coded with new loss: JPEG of a DCT process is edited in its coefficients where it can be, whatever else
changes is encoded without loss, in the same transfer syntax or, where nothing writes that, in its lossless relative.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from proxy.deid.access import PIXEL_DATA
from proxy.deid.decode import Instance, Pixels
from proxy.deid.encode import bulk_head
from proxy.deid.pixels import codecs, jpeg
from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.code_stream import no_codec
from proxy.deid.pixels.encapsulated import Encapsulated, read_fragments, stream_of
from proxy.deid.pixels.fragments import write_fragments
from proxy.deid.pixels.frames import Frame, blank
from proxy.deid.pixels.images import Written
from proxy.deid.pixels.native import grown
from proxy.deid.pixels.plan import Area, Box, Layout
from proxy.deid.pixels.truth import METHODS, OFFSETS, Coded
from proxy.deid.tables import TransferSyntax
from proxy.deid.types import Slice
from proxy.errors import InstanceHeld, Reason

_UNDEFINED = 0xFFFFFFFF
#: JPEG processes whose coefficients can be edited
_DCT = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
METADATA = "data in a code stream beside the image"


@dataclass(slots=True)
class _Result:
    """New code streams by frame, the areas as they were blanked, what was cleared."""

    streams: dict[int, bytes] = field(default_factory=dict)
    areas: list[Area] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)


class CodedImages:
    """Implements `images.Images`."""

    def __init__(
        self, instance: Instance, pixels: Pixels, layout: Layout, syntaxes: Mapping[str, TransferSyntax]
    ) -> None:
        """``syntaxes``: by UID, to write in another one where nothing writes that of the instance."""
        self.layout = layout
        self._body, self._pixels, self._syntax, self._syntaxes = instance.body, pixels, instance.syntax, syntaxes
        offsets, lengths = (_bytes(instance, tag) for tag in OFFSETS)
        self._found: Encapsulated = read_fragments(
            instance.body, pixels.value, pixels.end, layout.frames, instance.syntax.uid, offsets, lengths
        )

    def frame(self, index: int) -> Frame:
        """As `Images.frame`."""
        return self._open(index).frame()

    def written(self, areas: Sequence[Area]) -> Written:
        """As `Images.written`."""
        cut = [area for each in areas if (area := grown(each, self.layout)) is not None]
        wiped = self._wiped(cut) if cut and self._syntax.uid in _DCT else None
        if wiped is not None:
            self._strip(wiped)
            return self._assembled(wiped, self._syntax, self.layout)
        result, uid, layout = self._edited(cut)
        return self._assembled(result, self._syntaxes[uid], layout)

    def _stream(self, index: int) -> bytes | memoryview:
        return stream_of(self._body, self._found.frames[index])

    def _boxes(self, areas: Sequence[Area]) -> dict[int, list[Box]]:
        found: dict[int, list[Box]] = {}
        for area in areas:
            for frame in range(self.layout.frames) if area.frames is None else area.frames:
                found.setdefault(frame, []).append(area.box)
        return found

    def _open(self, index: int) -> codecs.Opened:
        return codecs.Opened(self._stream(index), self.layout, self._syntax.uid)

    def _wiped(self, areas: Sequence[Area]) -> _Result | None:
        """Blanked in the DCT domain; None where that cannot be, or something hides, which only encoding anew clears."""
        if any(self._open(index).hides() for index in range(self.layout.frames)):
            return None
        try:
            return self._wipe(areas)
        except InstanceHeld as held:
            if held.reason is not Reason.NO_CODEC:
                raise
            return None

    def _wipe(self, areas: Sequence[Area]) -> _Result:
        """Boxes grow with each frame's own MCUs, so the areas are by frame then."""
        black, result = black_of(self.layout), _Result()
        darkest: jpeg.Darkest = "low" if self.layout.samples == 3 or black[0] == self.layout.lowest else "high"
        if self.layout.samples == 1 and black[0] not in (self.layout.lowest, self.layout.highest):
            raise no_codec("the darkest value is at neither end")
        grown: dict[tuple[Area, Box], list[int]] = {}
        for frame, boxes in self._boxes(areas).items():
            mine = [area for area in areas if area.frames is None or frame in area.frames]
            result.streams[frame], done = jpeg.wipe(self._stream(frame), boxes, darkest, self.layout)
            for area, box in zip(mine, done, strict=True):
                grown.setdefault((area, box), []).append(frame)
        for (area, box), frames in grown.items():
            every = area.frames is None and len(frames) == self.layout.frames
            result.areas.append(Area(box, area.source, None if every else tuple(frames)))
        return result

    def _edited(self, areas: list[Area]) -> tuple[_Result, str, Layout]:
        """Blanked frames and those in which something hides encoded anew, the others as they came, but for metadata."""
        result, boxes = _Result(areas=areas), self._boxes(areas)
        anew, target, layout = self._target()
        for index in range(self.layout.frames):
            opened = self._open(index)
            hiding = opened.hides()
            if hiding or index in boxes or (anew and boxes):
                result.cleared |= set(hiding)
                result.streams[index] = self._encoded(opened, boxes.get(index, ()), target)
            elif (stripped := opened.stripped()) is not None:
                result.streams[index] = stripped
                result.cleared.add(METADATA)
        coded = bool(boxes) or bool(result.cleared - {METADATA})
        if coded and anew and not boxes:  # what hides in one frame makes all of them be written in another form
            for index in range(self.layout.frames):
                result.streams[index] = self._encoded(self._open(index), (), target)
        return (result, target, layout) if coded else (result, self._syntax.uid, self.layout)

    def _target(self) -> tuple[bool, str, Layout]:
        """Whether all frames have to be encoded when one is, the transfer syntax ("" for none) and layout they get."""
        target = codecs.lossless_syntax(self._syntax.uid)
        layout = codecs.coded_layout(self.layout, target) if target else self.layout
        return target != self._syntax.uid or layout.photometric != self.layout.photometric, target, layout

    def _encoded(self, opened: codecs.Opened, boxes: Sequence[Box], uid: str) -> bytes:
        if not uid:
            raise no_codec("nothing here writes this transfer syntax without loss")
        frame = np.array(opened.frame())
        blank(frame, boxes, self.layout)
        return codecs.encode(frame, self.layout, uid)

    def _strip(self, result: _Result) -> None:
        for index in range(self.layout.frames):
            if index not in result.streams and (stripped := self._open(index).stripped()) is not None:
                result.streams[index] = stripped
                result.cleared.add(METADATA)

    def _assembled(self, result: _Result, syntax: TransferSyntax, layout: Layout) -> Written:
        pixels, wrong = self._pixels, self._found.wrong
        if not result.streams and not wrong:
            return Written((Slice(pixels.offset, pixels.end - pixels.offset),), syntax)
        written = write_fragments(self._found, result.streams)
        head = bulk_head(pixels.tag, "OB", _UNDEFINED, implicit=False, little=True)
        changed = layout.photometric != self.layout.photometric or syntax.uid != self._syntax.uid
        planar = layout.planar if changed and layout.samples > 1 else None
        photometric = layout.photometric if changed else ""
        coded = Coded(photometric, planar, self._ratio(), True, written.offsets, written.lengths)
        cleared = (*sorted(result.cleared), *wrong)
        return Written((head, *written.chunks), syntax, tuple(result.areas), cleared, coded)

    def _ratio(self) -> float:
        """Native by coded bytes of the input where its coding was lossy (PS3.3 C.7.6.1.1.5.2), else 0."""
        if self._syntax.uid not in METHODS:
            return 0.0
        coded = sum(run.length for frame in self._found.frames for run in frame)
        return (
            self.layout.rows
            * self.layout.columns
            * self.layout.samples
            * self.layout.frames
            * (max(self.layout.allocated, 8) // 8)
            / max(coded, 1)
        )


def _bytes(instance: Instance, tag: int) -> bytes:
    if tag in PIXEL_DATA or tag not in instance.root:
        return b""
    _, value = instance.root.value(tag)
    return bytes(value) if isinstance(value, bytes) else b""
