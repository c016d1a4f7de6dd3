"""What a defacing has to know of the slices of a series: where they lie, where they show tissue, what air is in them.

Refuses what is no plain stack of CT or MR slices, with `FaceNotFound`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.deface import Cut, FaceNotFound, Slice, cut_of, profile
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.plan import Layout

#: SOP classes with one slice an instance
CT = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.3"})
MR = frozenset({"1.2.840.10008.5.1.4.1.1.4"})
_POSITION, _ORIENTATION, _SPACING = 0x00200032, 0x00200037, 0x00280030
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
#: Hounsfield units: what goes is air; tissue is denser than this
_AIR, _TISSUE = -1000.0, -250.0
#: tissue in MR is brighter than this part of its brightest hundredth
_BRIGHT = 0.15
_FEWEST = 10
#: how far from unit length and right angles directions may be; how far slices from parallel
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class SliceImage:
    """One instance of a series: its decoded frame of stored values, and what its header says of them."""

    frame: Frame
    layout: Layout
    place: Slice
    slope: float
    intercept: float


def slice_image(frame: Frame, layout: Layout, root: Attributes) -> SliceImage:
    """Check one instance."""
    if layout.frames != 1 or layout.samples != 1 or layout.shift or not layout.photometric.startswith("MONOCHROME"):
        raise FaceNotFound("an instance is not one greyscale slice")
    slope, intercept = (root.numbers(tag) or [default] for tag, default in ((_SLOPE, 1.0), (_INTERCEPT, 0.0)))
    if slope[0] <= 0:
        raise FaceNotFound("a slice with a rescale slope that is not positive")
    return SliceImage(frame, layout, _place(root), slope[0], intercept[0])


def _place(root: Attributes) -> Slice:
    position, orientation, spacing = (root.numbers(tag) or [] for tag in (_POSITION, _ORIENTATION, _SPACING))
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        raise FaceNotFound("a slice does not say where it lies in the patient")
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    gram = np.array([across @ across - 1, down @ down - 1, across @ down])
    if not np.all(np.abs(gram) < _TOLERANCE):
        raise FaceNotFound("a slice with directions that are not at right angles")
    # Pixel Spacing is that between rows, then that between columns (PS3.3 10.7.1.3)
    return Slice(np.array(position), across * spacing[1], down * spacing[0])


def thickness(places: Sequence[Slice]) -> float:
    """mm between slices; less where several slices lie in one place (echoes, phases)."""
    normal = np.cross(places[0].to_column, places[0].to_row)
    normal /= np.linalg.norm(normal)
    for place in places:
        across = max(
            abs(float(normal @ step)) / float(np.linalg.norm(step)) for step in (place.to_column, place.to_row)
        )
        if across > _TOLERANCE:
            raise FaceNotFound("the slices are not parallel")
    along = np.unique(np.round([float(normal @ place.origin) for place in places], 2))
    if len(along) < _FEWEST:
        raise FaceNotFound(f"fewer than {_FEWEST} slices")
    return float(np.median(np.diff(along))) * len(along) / len(places)


def cut_through(images: Sequence[SliceImage], hounsfield: bool) -> Cut:
    """The plane for a series; ``hounsfield``: CT."""
    least = _TISSUE if hounsfield else _BRIGHT * _brightest(images)
    slices = [(image.place, image.frame * image.slope + image.intercept > least) for image in images]
    return cut_of(profile(slices, thickness([image.place for image in images])))


def _brightest(images: Sequence[SliceImage]) -> float:
    every = np.concatenate([image.frame[::4, ::4].ravel() * image.slope + image.intercept for image in images])
    return float(np.percentile(every, 99))


def without_face(image: SliceImage, cut: Cut, hounsfield: bool) -> tuple[Frame, int]:
    """The slice with air (CT) or black in front of the plane, and how many pixels that were."""
    gone = cut.clears(image.place, (image.layout.rows, image.layout.columns))
    filling = _air(image) if hounsfield else black_of(image.layout)[0]
    made: NDArray[np.generic] = np.where(gone, np.array(filling, image.frame.dtype), image.frame)
    return made, int(gone.sum())


def _air(image: SliceImage) -> int:
    stored = round((_AIR - image.intercept) / image.slope)
    return max(image.layout.lowest, min(stored, image.layout.highest))
