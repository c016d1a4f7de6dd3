"""Dummy values are valid for what they stand in (PS3.5 6.2), say nothing, and are documented constants."""

from __future__ import annotations

import re

import pytest
from pydicom.datadict import dictionary_VR

from proxy.deid import dummies
from proxy.deid.encode import Element, Item

#: what docs and readers rely on: a date long past, a time at midnight, zeros, one word
VALUES = {
    "DA": b"19000101", "TM": b"000000", "DT": b"19000101000000", "AS": b"000D", "DS": b"0 ", "IS": b"0 ",
    "OB": b"\0\0", "UN": b"\0\0", "UR": b"urn:removed",
    **dict.fromkeys("AE CS LO LT PN SH ST UC UT".split(), b"REMOVED"),
}  # fmt: skip


@pytest.mark.parametrize("vr", sorted(VALUES))
def test_the_dummy_of_a_vr(vr: str) -> None:
    assert dummies.dummy(0x00080070, vr) == VALUES[vr]


@pytest.mark.parametrize("vr", ["UI", "SQ", "US", "FD", "AT"])
def test_vrs_without_a_dummy(vr: str) -> None:
    assert dummies.dummy(0x00080070, vr) is None


def test_attributes_with_terms_of_their_own() -> None:
    assert re.fullmatch(rb"[+-][0-9]{4}", dummies.dummy(0x00080201, "SH") or b"")
    assert dummies.dummy(0x04000565, "CS") == b"COERCE"
    assert set(dummies.BY_VR) == set(VALUES)


def valid(item: Item) -> dict[int, object]:
    """Tag → value, once each element has the VR of PS3.6 and comes in order, in items too."""
    tags = [each.tag for each in item]
    assert tags == sorted(tags)
    for each in item:
        assert isinstance(each, Element)
        assert each.vr == dictionary_VR(each.tag)
        for below in each.value if each.vr == "SQ" else ():
            valid(below)  # type: ignore[arg-type]  # the items of a sequence
    return {each.tag: each.value for each in item}


@pytest.mark.parametrize("tag", sorted(dummies.SEQUENCES))
def test_sequences_that_do_not_depend_on_the_instance(tag: int) -> None:
    assert dictionary_VR(tag) == "SQ"
    (item,) = dummies.SEQUENCES[tag]
    valid(item)


def test_which_sequences_they_are() -> None:
    """Content, Institution Code, Person Identification Code, Verifying Observer Identification Code."""
    assert set(dummies.SEQUENCES) == {0x0040A730, 0x00080082, 0x00401101, 0x0040A088}


def test_a_code_says_only_that_there_was_one() -> None:
    code = valid(dummies.REMOVED_CODE)
    assert code == {0x00080100: b"REMOVED", 0x00080102: b"99VEIL", 0x00080104: b"Removed"}


def test_the_smallest_content_is_a_comment() -> None:
    """PS3.3 C.17.3: relationship, value type, a concept name and a text."""
    content = valid(dummies.SEQUENCES[0x0040A730][0])
    assert (content[0x0040A010], content[0x0040A040], content[0x0040A160]) == (b"CONTAINS", b"TEXT", b"REMOVED")
    assert set(content) == {0x0040A010, 0x0040A040, 0x0040A043, 0x0040A160}


@pytest.mark.parametrize(("little", "two", "one"), [(True, b"\2\0", b"\1\0"), (False, b"\0\2", b"\0\1")])
def test_one_point_in_a_layer(little: bool, two: bytes, one: bytes) -> None:
    """PS3.3 C.10.5: two dimensions, one point in the corner."""
    (item,) = dummies.graphic_annotation(b"LAYER", little)
    annotation = valid(item)
    assert set(annotation) == {0x00700002, 0x00700009}
    assert annotation[0x00700002] == b"LAYER"
    (point,) = annotation[0x00700009]  # type: ignore[misc]  # a sequence of one item
    assert valid(point) == {
        0x00700005: b"DISPLAY", 0x00700020: two, 0x00700021: one, 0x00700022: bytes(8), 0x00700023: b"POINT",
    }  # fmt: skip
