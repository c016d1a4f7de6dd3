"""The cut through a synthetic head: the same in every orientation, the face in front of it, the brain behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from proxy.deid.pixels.deface import Cut, FaceNotFound, Slice, cut_of, profile

#: centre and semi-axes, mm in LPS: cranium, jaws, nose, neck. Vertex at z 110, forehead at y -95, pupils at z -5
HEAD = (
    ((0, 0, 30), (75, 95, 80)),
    ((0, -30, -40), (60, 62, 80)),
    ((0, -95, -15), (12, 25, 20)),
    ((0, 25, -110), (55, 55, 90)),
)
#: in the face, and in the brain
NOSE, CHIN, LIPS, EYES = (0, -118, -15), (0, -88, -60), (0, -90, -45), [(-32, -75, -5), (32, -75, -5)]
BRAIN = [(0, -70, 50), (0, 0, 100), (-60, 0, 40), (0, 80, 30), (0, -40, 15), (50, -20, -5), (0, 20, -20)]
Points = NDArray[np.float64]
AXIAL = ((1, 0, 0), (0, 1, 0))
ORIENTATIONS: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "axial": AXIAL,
    "axial from the other side": ((-1, 0, 0), (0, 1, 0)),
    "axial, prone": ((-1, 0, 0), (0, -1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "coronal, upside down": ((1, 0, 0), (0, 0, 1)),
    "oblique": ((0.8, 0.6, 0), (-0.48, 0.64, 0.6)),
}


def tissue(points: Points, scale: float = 1.0) -> NDArray[np.bool_]:
    """Whether points (..., 3) are in the head."""
    inside = np.zeros(points.shape[:-1], bool)
    for centre, axes in HEAD:
        inside |= (((points / scale - np.array(centre)) / np.array(axes)) ** 2).sum(-1) <= 1
    return inside


@cache
def series(
    orientation: str, spacing: float = 3.0, reach: float = 150.0, scale: float = 1.0
) -> list[tuple[Slice, NDArray[np.bool_]]]:
    """Slices of the head that fill a cube around it."""
    across, down = (np.array(direction, float) for direction in ORIENTATIONS[orientation])
    normal = np.cross(across, down)
    count = int(2 * reach / spacing) + 1
    corner = np.array([0.0, 0.0, -10.0]) * scale - reach * (across + down + normal)
    made = []
    for number in range(count):
        place = Slice(corner + normal * number * spacing, across * spacing, down * spacing)
        made.append((place, tissue(points_of(place, (count, count)), scale)))
    return made


def points_of(place: Slice, shape: tuple[int, int]) -> Points:
    rows, columns = np.arange(shape[0])[:, None, None], np.arange(shape[1])[None, :, None]
    return place.origin + columns * place.to_column + rows * place.to_row


def cleared(cut: Cut, point: Sequence[float]) -> bool:
    at = Slice(np.array(point, float), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    return bool(cut.clears(at, (1, 1))[0, 0])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_face_goes_and_the_brain_stays(orientation: str) -> None:
    slices = series(orientation)
    cut = cut_of(profile(slices, 3.0))
    assert cut.vertex == pytest.approx(110, abs=5)
    assert cut.forehead == pytest.approx(-95, abs=3)
    assert cut.scale == pytest.approx(1, abs=0.03)
    for point in (NOSE, CHIN, LIPS, *EYES):
        assert cleared(cut, point), point
    for point in BRAIN:
        assert not cleared(cut, point), point


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_voxels_go_where_they_lie_in_the_patient(orientation: str) -> None:
    """The cut of the axial series, asked for every voxel's place, is what each orientation clears."""
    reference = cut_of(profile(series("axial"), 3.0))
    slices = series(orientation, spacing=4.0)
    cut = cut_of(profile(slices, 4.0))
    differing = total = 0
    for place, inside in slices:
        points = points_of(place, inside.shape)
        wanted = points[..., 1] < reference.depth(points[..., 2])
        differing += int(((cut.clears(place, inside.shape) != wanted) & inside).sum())
        total += int((wanted & inside).sum())
    assert total > 3000
    assert differing < 0.12 * total, "bins and voxels of some millimetres"


def test_what_is_left_of_the_face_is_flat() -> None:
    cut = cut_of(profile(series("axial"), 3.0))
    low = cut.depth(np.array([-10.0, -40.0, -80.0]))
    assert np.ptp(low) == 0


@pytest.mark.parametrize("scale", [0.7, 0.85, 1.1])
def test_small_and_large_heads(scale: float) -> None:
    cut = cut_of(profile(series("axial", scale=scale), 3.0))
    assert cut.scale == pytest.approx(scale, abs=0.05)
    for point in (NOSE, CHIN, LIPS, *EYES):
        assert cleared(cut, [each * scale for each in point]), point
    for point in BRAIN:
        assert not cleared(cut, [each * scale for each in point]), point


def lying(
    slices: list[tuple[Slice, NDArray[np.bool_]]], low: float, high: float
) -> list[tuple[Slice, NDArray[np.bool_]]]:
    return [each for each in slices if low <= each[0].origin[2] <= high]


def test_a_vertex_that_is_almost_in_view() -> None:
    cut = cut_of(profile(lying(series("axial"), -200, 100), 3.0))
    assert cut.vertex == pytest.approx(110, abs=6)


def test_without_the_vertex_all_heights_lose_their_front() -> None:
    cut = cut_of(profile(lying(series("axial"), -100, 20), 3.0))
    assert cut.vertex is None
    for point in (NOSE, CHIN, LIPS, *EYES):
        assert cleared(cut, point), point
    assert not cleared(cut, (0, 20, 0))


def test_slices_that_end_above_the_face() -> None:
    with pytest.raises(FaceNotFound, match="above the face"):
        cut_of(profile(lying(series("axial"), 30, 200), 3.0))


def test_nothing_of_the_size_of_a_head() -> None:
    with pytest.raises(FaceNotFound, match="size of a head"):
        cut_of(profile(series("axial", scale=0.1), 3.0))


def test_something_in_front_of_the_face_shifts_the_plane_and_is_refused() -> None:
    """A ghost or a holder 50 mm in front: the plane behind it would leave the face."""
    slices = [(place, inside.copy()) for place, inside in series("axial")]
    for place, inside in slices:
        points = points_of(place, inside.shape)
        inside |= (abs(points[..., 1] + 142) < 4) & (abs(points[..., 0]) < 40) & (abs(points[..., 2] - 40) < 40)
    with pytest.raises(FaceNotFound, match="does not go through"):
        cut_of(profile(slices, 3.0))
