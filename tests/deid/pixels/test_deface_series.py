"""The slices of a series: geometry from the header, thickness with gaps and repeats, what is tissue, what is air."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.deface import Cut, FaceNotFound, Slice
from proxy.deid.pixels.deface_series import slice_image, thickness, without_face
from proxy.deid.pixels.plan import Layout

LAYOUT = Layout(4, 6, 1, 1, 0, 16, 12, 11, False, "MONOCHROME2")
FRAME = np.arange(24, dtype=np.uint16).reshape(4, 6)
PLACE = {"ImagePositionPatient": [10, 20, 30], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [2, 0.5]}


def image(make: ModuleType, layout: Layout = LAYOUT, **said: Any) -> Any:
    instance = read_instance(memoryview(make.encode(make.dataset(**{**PLACE, **said}))), make.policy())
    return slice_image(FRAME, layout, Attributes.of(instance.root, True))


def stack(*along: float, normal: tuple[float, float, float] = (0, 0, 1)) -> list[Slice]:
    return [Slice(np.array(normal) * z, np.array([1.0, 0, 0]), np.array([0, 1.0, 0])) for z in along]


def test_pixel_spacing_is_rows_first(make: ModuleType) -> None:
    place = image(make).place
    assert place.to_column.tolist() == [0.5, 0, 0]
    assert place.to_row.tolist() == [0, 2, 0]
    assert place.area == 1.0
    assert place.depths((4, 6))[3, 5] == 26
    assert place.heights((4, 6)).tolist() == [[30.0] * 6] * 4


@pytest.mark.parametrize(
    "said",
    [{"ImagePositionPatient": [1, 2]}, {"PixelSpacing": [0, 1]}, {"ImageOrientationPatient": [1, 0, 0, 0, 2, 0]},
     {"ImageOrientationPatient": [1, 0, 0, 0.6, 0.8, 0]}, {"RescaleSlope": 0}],
    ids=str,
)  # fmt: skip
def test_geometry_that_is_none(make: ModuleType, said: dict[str, Any]) -> None:
    with pytest.raises(FaceNotFound):
        image(make, **said)


def test_only_single_grey_slices(make: ModuleType) -> None:
    for layout in (
        Layout(4, 6, 2, 1, 0, 16, 12, 11, False, "MONOCHROME2"),
        Layout(4, 6, 1, 3, 0, 8, 8, 7, False, "RGB"),
        Layout(4, 6, 1, 1, 0, 16, 12, 15, False, "MONOCHROME2"),
    ):
        with pytest.raises(FaceNotFound):
            image(make, layout)


def test_thickness() -> None:
    assert thickness(stack(*range(0, 40, 2))) == 2
    assert thickness(stack(*reversed(range(0, 40, 2)))) == 2
    assert thickness(stack(*[*range(0, 40, 2)] * 3)) == pytest.approx(2 / 3), "three echoes of one place"
    with pytest.raises(FaceNotFound, match="fewer"):
        thickness(stack(*range(9)))
    tilted = stack(*range(20))
    tilted[7] = Slice(tilted[7].origin, np.array([1.0, 0, 0]), np.array([0, 0.8, 0.6]))
    with pytest.raises(FaceNotFound, match="parallel"):
        thickness(tilted)


@pytest.mark.parametrize(
    ("said", "hounsfield", "filling"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": -1024}, True, 24),
        ({"RescaleSlope": 2, "RescaleIntercept": -1024}, True, 12),
        ({"RescaleIntercept": -500}, True, 0),
        ({"RescaleIntercept": -9000}, True, 4095),
        ({}, False, 0),
    ],
)
def test_what_goes_becomes_air_or_black(make: ModuleType, said: dict[str, Any], hounsfield: bool, filling: int) -> None:
    found, count = without_face(image(make, **said), Cut(None, -36.0, 1.0), hounsfield)
    assert count == 12, "two rows in front of y 24"
    assert found.dtype == FRAME.dtype
    assert (found[:2] == filling).all()
    assert (found[2:] == FRAME[2:]).all()
