"""What an instance declares of its private elements (PS3.3 C.12.1), and whose private elements are."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.private import Declaration
from proxy.deid.private_blocks import Blocks, is_creator, is_private_data
from proxy.deid.private_walk import PrivatePlace, declarations
from proxy.deid.said import Said
from proxy.deid.values import DEFAULT
from tests.deid.canary_files import item

CHARACTERISTICS, GROUP, CREATOR, STATUS, NONIDENTIFYING = 0x00080300, 0x00080301, 0x00080302, 0x00080303, 0x00080304


def read(make: ModuleType, *items: Dataset, little: bool = True) -> tuple[Declaration, ...]:
    ds: Dataset = make.dataset(PrivateDataElementCharacteristicsSequence=list(items))
    source = make.source(ds, make.policy())
    root: Any = Said(source._view).root
    return declarations(root, DEFAULT, little)


def declared(**more: Any) -> Dataset:
    characteristics = {
        "PrivateGroupReference": 0x0045, "PrivateCreatorReference": "ACME",
        "BlockIdentifyingInformationStatus": "MIXED",
        "NonidentifyingPrivateElements": [1, 2],
    }  # fmt: skip
    made: Dataset = item(**{**characteristics, **more})
    return made


def test_all_that_one_item_says(make: ModuleType) -> None:
    vrs = ((1, "DS"), (0x1002, "LO"))
    definitions = [item(PrivateDataElement=n, PrivateDataElementValueRepresentation=vr) for n, vr in vrs]
    actions = [item(IdentifyingPrivateElements=[3, 4], DeidentificationAction="X"), item(IdentifyingPrivateElements=5)]
    ds = declared(PrivateDataElementDefinitionSequence=definitions, DeidentificationActionSequence=actions)
    assert read(make, ds) == (
        Declaration(0x0045, "ACME", "MIXED", frozenset({1, 2}), frozenset({3, 4, 5}), {1: "DS", 2: "LO"}),
    )


def test_what_an_item_leaves_out(make: ModuleType) -> None:
    bare = item(PrivateGroupReference=0x0045)
    assert read(make, bare) == (Declaration(0x0045, "", ""),)
    assert read(make, item(PrivateCreatorReference="ACME")) == (), "about no group"
    assert read(make) == ()
    several = declared(PrivateGroupReference=[0x0045, 0x0047])
    assert [each.group for each in read(make, several, declared())] == [0x0045, 0x0047, 0x0045]


def test_a_vr_that_is_not_said(make: ModuleType) -> None:
    (found,) = read(make, declared(PrivateDataElementDefinitionSequence=[item(PrivateDataElement=1)]))
    assert found.vrs == {1: ""}


def test_what_cannot_be_read_declares_nothing(make: ModuleType) -> None:
    creator, group, numbers = declared(), declared(), declared()
    creator.add_new(CREATOR, "SQ", [Dataset()])
    group.add_new(GROUP, "OB", b"\x45\0\x45")
    numbers.add_new(NONIDENTIFYING, "SQ", [Dataset()])
    assert [each.creator for each in read(make, creator)] == [""]
    assert [each.nonidentifying for each in read(make, numbers)] == [frozenset()]
    odd: Any = Odd()
    assert declarations(odd, DEFAULT, True) == ()


class Odd:
    """A root whose group reference has three bytes."""

    def items(self, tag: int) -> list[Any]:
        return [self] if tag == CHARACTERISTICS else []

    def __contains__(self, tag: int) -> bool:
        return tag == GROUP

    def value(self, tag: int) -> tuple[str, bytes]:
        return "US", b"\x45\0\x45"


def test_numbers_in_the_byte_order_of_the_instance(make: ModuleType) -> None:
    (swapped,) = read(make, declared(PrivateGroupReference=struct.unpack("<H", b"\0\x45")[0]), little=False)
    assert swapped.group == 0x0045


@pytest.mark.parametrize(
    ("tag", "creator", "data"),
    [
        (0x00110010, True, False), (0x001100FF, True, False), (0x0011000F, False, False), (0x00110100, False, False),
        (0x00110FFF, False, False), (0x00111000, False, True), (0x0011FFFF, False, True), (0x00100010, False, False),
        (0x00101000, False, False), (0xFFFF1000, False, False), (0xFFFD1000, False, True),
        *((group << 16 | 0x1000, False, False) for group in (1, 3, 5, 7)),
        *((group << 16 | 0x10, False, False) for group in (1, 3, 5, 7)), (0x00091000, False, True),
        (0x00090010, True, False),
    ],
)  # fmt: skip
def test_which_tags_are_private(tag: int, creator: bool, data: bool) -> None:
    """PS3.5 7.8.1."""
    assert (is_creator(tag), is_private_data(tag)) == (creator, data)


def test_blocks_and_what_keeps_them() -> None:
    blocks = Blocks({0x00110010: "ACME ", 0x00110011: "A\\B", 0x00110012: " ", 0x00100010: "no creator"})
    assert [blocks.creator_of(tag) for tag in (0x00111001, 0x00110010, 0x00111101, 0x00111201, 0x00131001)] == [
        "ACME", "ACME", None, None, None,
    ]  # fmt: skip
    assert blocks.still_needed([0x00111001, 0x00111101, 0x00110010]) == {0x00110010}
    assert blocks.still_needed([0x00110010]) == frozenset()
    assert (Blocks.creator_tag(0x0011AB01), Blocks.relative(0x0011AB01)) == (0x001100AB, 0x00110001)


def test_what_a_private_element_is_called() -> None:
    place = PrivatePlace({}, {0x00111001: "ACME"})
    assert place.name_of(0x00111001) == "00110001 ACME"
    assert place.name_of(0x00131001) == "00131001"
    decision, vr = place.decide(0x00131001)
    assert (decision.action, vr) == ("X", "")
