"""Sequence of Ultrasound Regions: inclusive bounds, regions that are text, regions that do not fit."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.ultrasound import regions
from proxy.errors import InstanceHeld, Reason


def region(*bounds: int, form: int | None = 1, data: int | None = 1) -> Dataset:
    item = Dataset()
    if form is not None:
        item.RegionSpatialFormat = form
    if data is not None:
        item.RegionDataType = data
    names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    for name, value in zip(names, bounds, strict=False):
        setattr(item, name, value)
    return item


def found(make: ModuleType, *items: Dataset, size: tuple[int, int] = (64, 48), **said: Any) -> tuple[Box, ...]:
    ds = make.dataset(SequenceOfUltrasoundRegions=list(items), **said)
    instance = read_instance(memoryview(make.encode(ds)), make.policy())
    return regions(Attributes.of(instance.root, True), *size)


def test_bounds_are_inside(make: ModuleType) -> None:
    assert found(make, region(4, 8, 40, 47)) == (Box(4, 8, 41, 48),)
    assert found(make, region(0, 0, 63, 47)) == (Box(0, 0, 64, 48),)


def test_one_past_the_edge_is_cut(make: ModuleType) -> None:
    """As a bundled file has it: 800 columns, last column 800."""
    assert found(make, region(4, 8, 64, 48)) == (Box(4, 8, 64, 48),)


def test_no_sequence(make: ModuleType) -> None:
    assert found(make) == ()


@pytest.mark.parametrize(
    "bad",
    [
        region(4, 8, 65, 47), region(4, 8, 40, 49), region(40, 8, 4, 47), region(4, 47, 40, 8), region(4, 8, 4, 47),
        region(0, 0, 0, 0), region(4, 8, 40), region(), region(100, 100, 200, 200), region(4, 8, 40, 8), Dataset(),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_does_not_fit_is_held(make: ModuleType, bad: Dataset) -> None:
    for items in ([bad], [region(4, 8, 40, 47), bad]):
        if bad == Dataset() and len(items) > 1:
            continue  # without format and data type it is no region
        with pytest.raises(InstanceHeld) as held:
            found(make, *items)
        assert held.value.reason is Reason.PIXEL_RULE_MISMATCH


@pytest.mark.parametrize("form", [0, 5, None])
@pytest.mark.parametrize("data", [0, None])
def test_regions_without_data_may_be_text(make: ModuleType, form: int | None, data: int | None) -> None:
    assert found(make, region(4, 8, 40, 47), region(0, 0, 63, 7, form=form, data=data)) == (Box(4, 8, 41, 48),)
    with pytest.raises(InstanceHeld):
        found(make, region(0, 0, 63, 7, form=form, data=data))


@pytest.mark.parametrize(("form", "data"), [(0, 13), (5, 14), (4, 10), (3, 3)])
def test_bars_and_traces_are_regions(make: ModuleType, form: int, data: int) -> None:
    assert found(make, region(4, 8, 40, 47, form=form, data=data)) == (Box(4, 8, 41, 48),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OBXXXX1A.dcm", (Box(120, 60, 800, 519), Box(176, 522, 744, 577))),
        ("examples_palette.dcm", None),  # cut to 350 rows, its regions were not
        ("examples_ybr_color.dcm", None),  # scaled to half
        ("examples_rgb_color.dcm", ()),
    ],
)
def test_bundled_files(make: ModuleType, name: str, expected: tuple[Box, ...] | None) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not bundled")
    ds = dcmread(path, stop_before_pixels=True)
    items = list(ds.get("SequenceOfUltrasoundRegions", []))
    if expected is None:
        with pytest.raises(InstanceHeld):
            found(make, *items, size=(ds.Columns, ds.Rows))
        return
    assert found(make, *items, size=(ds.Columns, ds.Rows)) == expected
