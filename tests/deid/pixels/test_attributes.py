"""Attributes as text: VRs of text and number, both byte orders, without VR, nested, missing, in other scripts."""

from __future__ import annotations

from types import ModuleType

import pytest
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes


def attributes(make: ModuleType, ds: Dataset, syntax: str) -> Attributes:
    policy = make.policy()
    instance = read_instance(memoryview(make.encode(ds, syntax)), policy)
    return Attributes.of(instance.root, instance.syntax.little)


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_values_read_the_same_in_every_encoding(make: ModuleType, syntax: str) -> None:
    item = Dataset()
    item.CodeMeaning = "second"
    ds = make.dataset(
        Rows=768, ImageType=["ORIGINAL", "PRIMARY "], SliceThickness="1.250", Manufacturer="", PixelSpacing=[0.5, 0.25],
        ExposureTimeInms=2.5, ConceptNameCodeSequence=[Dataset(), item],
        RegionLocationMinX0=70000, PatientName="Doe^Jane",
    )  # fmt: skip
    found = attributes(make, ds, getattr(make, syntax))
    assert found.text((0x00280010,)) == "768"
    assert found.text((0x00080008,)) == "ORIGINAL\\PRIMARY"
    assert found.values(0x00080008) == ["ORIGINAL", "PRIMARY"]
    assert found.text((0x00180050,)) == "1.250"
    assert found.numbers(0x00280030) == [0.5, 0.25]
    assert found.numbers(0x00189328) == [2.5]
    assert found.numbers(0x00186018) == [70000]
    assert found.text((0x00080070,)) == ""
    assert found.text((0x00081090,)) is None
    assert found.text((0x0040A043, 0x00080104)) == "second", "the first item that has it"
    assert found.text((0x0040A043, 0x00080100)) is None
    assert found.text((0x00280010, 0x00080104)) is None, "not a sequence"
    assert found.text((0x0040A043,)) == ""
    assert found.numbers(0x00080008) is None
    assert found.numbers(0x00081090) == []


def test_text_by_its_character_set(make: ModuleType) -> None:
    ds = make.dataset(SpecificCharacterSet="ISO_IR 192", ManufacturerModelName="Gerät Ω")
    assert attributes(make, ds, make.EXPLICIT_LITTLE).text((0x00081090,)) == "Gerät Ω"


def test_private_elements_and_bulk(make: ModuleType) -> None:
    ds = make.dataset()
    ds.add_new(0x00190010, "LO", "MAKER")
    ds.add_new(0x00191002, "LO", "Console 7 ")
    ds.add_new(0x00191003, "OB", b"\1\2")
    found = attributes(make, ds, make.EXPLICIT_LITTLE)
    assert found.text((0x00191002,)) == "Console 7"
    assert found.text((0x00191003,)) == ""
    assert attributes(make, ds, make.IMPLICIT_LITTLE).text((0x00191002,)) == "Console 7"
