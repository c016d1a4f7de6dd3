"""The frames of one instance, however they are coded: decoded one at a time, and written back where they changed.

`stage` knows no coding: it asks what is here. Native frames are below, coded ones in `coded_images`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.deid.decode import Instance, Pixels
from proxy.deid.encode import bulk_head
from proxy.deid.pixels import hidden
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.native import blank_native
from proxy.deid.pixels.plan import Area, Layout
from proxy.deid.pixels.truth import Coded
from proxy.deid.pixels.unpack import frame_at
from proxy.deid.tables import TransferSyntax
from proxy.deid.types import Chunk, Slice


@dataclass(frozen=True, slots=True)
class Written:
    """The pixel data element as chunks over the instance's body; ``areas`` as they were blanked, grown where needed.

    ``coded`` is None where the data set need not know. ``cleared`` names what hid there.
    """

    chunks: tuple[Chunk, ...]
    syntax: TransferSyntax
    areas: tuple[Area, ...] = ()
    cleared: tuple[str, ...] = ()
    coded: Coded | None = None


class Images(Protocol):
    """The frames of one instance."""

    layout: Layout

    def frame(self, index: int) -> Frame:
        """Decoded, as `codecs.decode` gives it: stored values, not to be written to."""
        ...

    def written(self, areas: Sequence[Area]) -> Written:
        """Everything that hides beside the pixels cleared, and ``areas`` blanked."""
        ...


class NativeImages:
    """Frames as PS3.5 8.1 lays them out, in one value."""

    def __init__(self, instance: Instance, pixels: Pixels, layout: Layout) -> None:
        self.layout = layout
        self._syntax, self._pixels = instance.syntax, pixels
        self._value = instance.body[pixels.value : pixels.end]

    def frame(self, index: int) -> Frame:
        """As `Images.frame`."""
        return frame_at(self._value, self.layout, index)

    def written(self, areas: Sequence[Area]) -> Written:
        """As `Images.written`; memory follows what changes."""
        pixels, found = self._pixels, hidden.hidden(self._value, self.layout)
        if not areas and not found:
            return Written((Slice(pixels.offset, pixels.end - pixels.offset),), self._syntax)
        pieces, done = blank_native(self._value, self.layout, areas, found)
        length = sum(piece.length if isinstance(piece, Slice) else len(piece) for piece in pieces)
        head = bulk_head(
            pixels.tag, pixels.vr or "OW", length, implicit=self._syntax.implicit, little=self._syntax.little
        )
        moved = (Slice(p.offset + pixels.value, p.length) if isinstance(p, Slice) else p for p in pieces)
        return Written((head, *moved), self._syntax, done, found)
