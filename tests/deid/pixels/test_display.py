"""How stored values become light, read from the header."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.deid.pixels.display import Display, Window, display_of
from proxy.errors import InstanceHeld
from tests.deid.pixels.headers import SYNTAXES, dataset, header
from tests.deid.pixels.matrix import BIG, EXPLICIT


def display(syntax: str = EXPLICIT, *, signed: bool = False, **attributes: Any) -> Display:
    return display_of(header(dataset(**attributes), syntax), signed=signed)


def lut(descriptor: list[int], data: bytes, vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, vr, descriptor)
    item.add_new(0x00283006, "OW", data)
    return Sequence([item])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_nothing_said(syntax: str) -> None:
    assert display(syntax) == Display()


def test_rescale_windows_and_presentation() -> None:
    found = display(
        RescaleSlope="2.5", RescaleIntercept="-1024", WindowCenter=["40", "-600"], WindowWidth=["400", "1500"],
        PresentationLUTShape="INVERSE",
    )  # fmt: skip
    assert (found.slope, found.intercept, found.inverse) == (2.5, -1024.0, True)
    assert found.windows == (Window(40, 400), Window(-600, 1500))


@pytest.mark.parametrize(
    "said",
    [
        {"WindowCenter": ["40", "50"], "WindowWidth": "400"},
        {"WindowCenter": "40", "WindowWidth": "0"},
        {"WindowCenter": "40", "WindowWidth": "400", "VOILUTFunction": ["LINEAR", "SIGMOID"]},
        {"WindowCenter": "40", "WindowWidth": "-1"},
    ],
    ids=str,
)
def test_a_window_that_makes_no_sense_is_none(said: dict[str, Any]) -> None:
    assert display(**said).windows == ()


def test_a_window_that_is_no_number_is_none_but_a_slope_has_to_be_one() -> None:
    ds = dataset()
    ds.add_new(0x00281050, "LO", "4O")
    ds.add_new(0x00281051, "DS", "400")
    assert display_of(header(ds), signed=False).windows == ()
    ds.add_new(0x00281053, "LO", "1")
    with pytest.raises(InstanceHeld):
        display_of(header(ds), signed=False)


@pytest.mark.parametrize("said", [{"RescaleSlope": [1, 2]}, {"RescaleSlope": "1", "RescaleIntercept": [1, 2]}])
def test_two_slopes_are_held(said: dict[str, Any]) -> None:
    with pytest.raises(InstanceHeld):
        display(**said)


def test_a_width_of_1_is_a_step() -> None:
    assert display(WindowCenter="40", WindowWidth="1").windows == (Window(40, 1),)


def test_a_slope_without_intercept() -> None:
    assert display(RescaleSlope="2").intercept == 0


def test_a_slope_of_0_says_nothing() -> None:
    assert display(RescaleSlope="0", RescaleIntercept="5").slope == 1


def test_windows_of_functional_groups_count() -> None:
    voi, shared = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = "10", "20", "LINEAR_EXACT"
    shared.FrameVOILUTSequence = Sequence([voi])
    assert display(SharedFunctionalGroupsSequence=Sequence([shared])).windows == (Window(10, 20, "LINEAR_EXACT"),)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_lookup_tables(syntax: str) -> None:
    data = b"\0\1\0\2\0\3" if syntax == BIG else b"\1\0\2\0\3\0"
    table = lut([3, 0xFFFE, 16], data)
    modality = display(syntax, ModalityLUTSequence=table).modality
    assert modality is not None
    assert (modality.first, modality.entries.tolist()) == (0xFFFE, [1, 2, 3])
    (voi,) = display(syntax, signed=True, VOILUTSequence=lut([3, -2, 16], data, "SS")).tables
    assert voi.first == -2
    (voi,) = display(syntax, RescaleSlope="1", RescaleIntercept="-10", VOILUTSequence=table).tables
    assert voi.first == -2
    (voi,) = display(syntax, RescaleSlope="1", RescaleIntercept="0", VOILUTSequence=table).tables
    assert voi.first == 0xFFFE
    (voi,) = display(syntax, signed=True, VOILUTSequence=lut([3, -32768, 16], data, "SS")).tables
    assert voi.first == -32768


def test_a_lookup_table_of_0_entries_has_65536() -> None:
    modality = display(ModalityLUTSequence=lut([0, 0, 16], bytes(131072))).modality
    assert modality is not None
    assert len(modality.entries) == 65536


def test_a_lookup_table_of_8_bits() -> None:
    modality = display(ModalityLUTSequence=lut([3, 0, 8], b"\1\2\3\0")).modality
    assert modality is not None
    assert modality.entries.tolist() == [1, 2, 3]


def test_a_lookup_table_without_descriptor_is_held() -> None:
    table = lut([3, 0, 16], b"\1\0\2\0\3\0")
    del table[0][0x00283002]
    with pytest.raises(InstanceHeld):
        display(VOILUTSequence=table)


@pytest.mark.parametrize("table", [lut([3, 0, 16], b"\1\0\2\0"), lut([3, 0], b"\1\0\2\0\3\0")])
def test_a_lookup_table_that_does_not_add_up_is_held(table: Sequence) -> None:
    with pytest.raises(InstanceHeld):
        display(VOILUTSequence=table)


def test_two_modality_luts_are_held() -> None:
    table = lut([1, 0, 16], b"\1\0")[0]
    with pytest.raises(InstanceHeld):
        display(ModalityLUTSequence=Sequence([table, table]))
