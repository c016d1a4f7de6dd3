"""Where the face is in a series of head slices, and which voxels go: a flat cut in patient coordinates.

All slices together make a profile: how much tissue there is at each height (z, up) and depth (y, back) in the patient's
own axes (PS3.3 C.7.6.2.1.1), so that axial, sagittal, coronal and oblique slices give the same. Vertex and forehead are
found in it; below the brows everything in front of a plane behind the eyes goes. What is left is flat and follows no
face. Where the profile is not that of a head: `FaceNotFound`. docs/pixels.md states method and limits. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: bins of the profile, mm
_HEIGHT, _DEPTH = 5.0, 2.0
#: mm2 of tissue in an axial section: a head from here on; so much at the edge says that the vertex is not in view
_HEAD_SECTION, _CUT_SECTION = 1500.0, 9000.0
#: radius of the top of a head, mm: a cap of a section a is a / (2 pi r) high
_CAP = 85.0
#: mm2 of tissue in a coronal section from which on it counts as forehead
_FOREHEAD_SECTION = 150.0
#: an adult head from glabella to occiput, mm; others are scaled, within bounds
_LENGTH, _SCALES = 190.0, (0.6, 1.2)
#: below the vertex, mm of an adult head: where the forehead is measured
_FOREHEAD = (45.0, 85.0)
#: below the vertex → behind the forehead, mm of an adult head: scalp, brows, eyes and all below; straight in between
_BELOW, _BEHIND = (60.0, 90.0, 108.0), (0.0, 8.0, 35.0)
#: behind the foremost point, where the vertex is not in view: a nose's length more
_WITHOUT_VERTEX = 60.0
#: mean width of tissue that the plane has to meet in the face, mm of an adult head: else it runs in front of it
_MET = 40.0
#: width of tissue from which on a head is measured, mm
_EDGE = 8.0
Vector = NDArray[np.float64]


class FaceNotFound(ValueError):
    """The slices are not of a head, or its face cannot be placed; nothing was cleared. Says why without values."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Where one slice lies: the centre of its first pixel, and the steps to the next column and row (LPS, mm)."""

    origin: Vector
    to_column: Vector
    to_row: Vector

    @property
    def area(self) -> float:
        """mm2 of a pixel."""
        return float(np.linalg.norm(np.cross(self.to_column, self.to_row)))

    def heights(self, shape: tuple[int, int]) -> Vector:
        """z of every pixel, up."""
        return self._along(2, shape)

    def depths(self, shape: tuple[int, int]) -> Vector:
        """y of every pixel, back."""
        return self._along(1, shape)

    def _along(self, axis: int, shape: tuple[int, int]) -> Vector:
        rows = self.origin[axis] + self.to_row[axis] * np.arange(shape[0])
        return np.asarray(rows[:, None] + self.to_column[axis] * np.arange(shape[1])[None, :], np.float64)


@dataclass(frozen=True, slots=True)
class Profile:
    """mm3 of tissue by height and depth; where the bins begin, and how high the slices reach (mm)."""

    tissue: NDArray[np.float64]
    bottom: float
    front: float
    top: float

    def section(self, row: int) -> float:
        """mm2 of tissue in the axial section of a row of bins."""
        return float(self.tissue[row].sum()) / _HEIGHT

    def height(self, row: int) -> float:
        """Of the middle of a row of bins."""
        return self.bottom + (row + 0.5) * _HEIGHT

    def rows(self, low: float, high: float) -> slice:
        """The rows of bins between two heights."""
        first, last = ((edge - self.bottom) / _HEIGHT for edge in (low, high))
        return slice(max(int(np.floor(first)), 0), max(int(np.ceil(last)), 0))


@dataclass(frozen=True, slots=True)
class Cut:
    """What is in front of ``depth`` at a height goes. ``vertex`` None: it is not in view, and every height counts."""

    vertex: float | None
    forehead: float
    scale: float

    def depth(self, heights: Vector) -> Vector:
        """y of the plane for each height; -inf where nothing goes."""
        if self.vertex is None:
            return np.full_like(heights, self.forehead + _WITHOUT_VERTEX)
        below = (self.vertex - heights) / self.scale
        return np.where(below > _BELOW[0], self.forehead + np.interp(below, _BELOW, _BEHIND) * self.scale, -np.inf)

    def clears(self, place: Slice, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels of a slice that go."""
        return np.asarray(place.depths(shape) < self.depth(place.heights(shape)))


def profile(slices: Sequence[tuple[Slice, NDArray[np.bool_]]], thickness: float) -> Profile:
    """Of a series: where each slice lies and shows tissue. ``thickness``: mm of the patient that one stands for."""
    corners = [
        (place.heights(tissue.shape)[np.ix_([0, -1], [0, -1])], place.depths(tissue.shape)[np.ix_([0, -1], [0, -1])])
        for place, tissue in slices
    ]
    low, high = (edge([edge(heights) for heights, _ in corners]) for edge in (np.min, np.max))
    front, back = (edge([edge(depths) for _, depths in corners]) for edge in (np.min, np.max))
    shape = int((high - low) // _HEIGHT) + 1, int((back - front) // _DEPTH) + 1
    total = np.zeros(shape[0] * shape[1])
    for place, tissue in slices:
        up = ((place.heights(tissue.shape)[tissue] - low) // _HEIGHT).astype(np.int64)
        behind = ((place.depths(tissue.shape)[tissue] - front) // _DEPTH).astype(np.int64)
        total += np.bincount(up * shape[1] + behind, minlength=total.size) * place.area
    return Profile(_even(total.reshape(shape)) * thickness, float(low), float(front), float(high))


def _even(tissue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Neighbouring bins evened out: voxels and slices are wider than bins, so that some hold two and some one."""
    for axis in (0, 1):
        padded = np.pad(tissue, [(int(axis == each),) * 2 for each in (0, 1)], mode="edge")
        parts = [np.take(padded, range(at, at + tissue.shape[axis]), axis) for at in range(3)]
        tissue = np.mean(parts, axis=0)
    return tissue


def cut_of(found: Profile) -> Cut:
    """The plane for a head of this profile."""
    heads = [row for row in range(len(found.tissue)) if found.section(row) >= _HEAD_SECTION]
    if not heads:
        raise FaceNotFound("there is no section of the size of a head")
    # sections thin out towards the vertex: where the highest is that of a whole head, the vertex is above the slices
    highest = max(found.section(row) for row in heads[-2:])  # the last bin may be filled in part
    if highest >= _CUT_SECTION and found.top - found.height(heads[-1]) < 2 * _HEIGHT:
        return _met(found, Cut(None, _foremost(found, slice(0, len(found.tissue))), 1.0))
    vertex = found.height(heads[-1]) + found.section(heads[-1]) / (2 * np.pi * _CAP)
    scale = _scale(found, vertex)
    return _met(found, Cut(vertex, _foremost(found, found.rows(*_band(vertex, scale, _FOREHEAD))), scale))


def _band(vertex: float, scale: float, below: tuple[float, float]) -> tuple[float, float]:
    return vertex - below[1] * scale, vertex - below[0] * scale


def _scale(found: Profile, vertex: float) -> float:
    """How long the head is, as a part of an adult's; above the brows, where nothing protrudes.

    How far down that is depends on the size again, so it is approached from the smallest head.
    """
    scale = _SCALES[0]
    for _ in range(4):
        rows = found.tissue[found.rows(*_band(vertex, scale, (0.0, _FOREHEAD[1])))]
        length = max((_length(row) for row in rows), default=0.0)
        scale = float(np.clip(length / _LENGTH, *_SCALES))
    return scale


def _length(row: NDArray[np.float64]) -> float:
    """From the foremost to the hindmost tissue of one height, mm."""
    inside = np.flatnonzero(row / (_HEIGHT * _DEPTH) >= _EDGE)
    return float(inside[-1] - inside[0] + 1) * _DEPTH if len(inside) else 0.0


def _foremost(found: Profile, rows: slice) -> float:
    sections = found.tissue[rows].sum(axis=0) / _DEPTH
    tissue = np.flatnonzero(sections >= _FOREHEAD_SECTION)
    if not len(tissue):
        raise FaceNotFound("there is no forehead")
    return found.front + float(tissue[0]) * _DEPTH


def _met(found: Profile, cut: Cut) -> Cut:
    """``cut``, if its plane goes through a head all along the face: ghosts or a holder in front would shift it."""
    heights = np.array([found.height(row) for row in range(len(found.tissue))])
    planes = cut.depth(heights)
    face = [row for row, plane in enumerate(planes) if plane >= cut.forehead + _BEHIND[-1] * cut.scale]
    face = [row for row in face if found.section(row) >= _HEAD_SECTION]
    widths = []
    for row in face:
        column = int((planes[row] - found.front) / _DEPTH)
        band = found.tissue[row, max(column, 0) : column + 3]
        widths.append(float(band.mean()) / (_HEIGHT * _DEPTH) if len(band) else 0.0)
    if not face:
        raise FaceNotFound("the slices end above the face")
    if float(np.mean(widths)) < _MET * cut.scale:
        raise FaceNotFound("the plane does not go through a face")
    return cut
