"""What would be blanked in one instance and why, with the picture to see it on. For the eyes of an administrator.

The picture is the original, so it holds what the original holds; nothing of it leaves through here. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from proxy.deid.decode import read_instance
from proxy.deid.engine import transform
from proxy.deid.pixels.plan import Area, TextReader, Work, summary
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.views import pictures
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason


@dataclass(frozen=True, slots=True)
class Preview:
    """``picture``: (rows, columns, 3) of the frame before anything is blanked; ``held`` is why nothing would leave."""

    picture: NDArray[np.uint8] = field(repr=False)
    frames: int
    work: Work
    held: InstanceHeld | None

    def areas(self, frame: int) -> tuple[Area, ...]:
        """Those that are blanked in ``frame``, counted from 0."""
        return tuple(area for area in self.work.areas if area.frames is None or frame in area.frames)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is done and why, without values."""
        if self.held is not None:
            return (f"held: {self.held}",)
        why = self.work.decision.why
        return (summary(self.work), *((f"because: {why}",) if why else ()))


def preview(data: memoryview, policy: Policy, reader: TextReader | None, frame: int) -> Preview:
    """Look at frame ``frame`` (from 0) of ``data``; `InstanceHeld` only where there is no picture to show."""
    with strict_text():
        instance = read_instance(data, policy)
        images = images_of(instance, policy)
        if not 0 <= frame < images.layout.frames:
            raise InstanceHeld(Reason.PIXELS_UNREADABLE, f"there are {images.layout.frames} frames")
        shown = pictures(images.frame(frame), images.layout)[0]
        picture = shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)
        try:
            work, held = transform(instance, Claimed(), policy, reader).work, None
        except InstanceHeld as error:
            work, held = Work(), error
    return Preview(picture, images.layout.frames, work, held)
