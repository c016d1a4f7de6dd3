"""An attribute that no row of Table E.1-1 names: its word by VR, and which VR may stand for the one of PS3.6."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import pytest
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.unlisted import unlisted_word

VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SS ST SV TM UC UL UR US UT UV".split()
_TEXTS, _NUMBERS = "AE CS LO LT PN SH ST UC UR UT", "AT OW SL SS UL US"
#: VR in PS3.6, an attribute of it that neither the table nor the basic profile names, and the VRs that may stand for it
KINDS = [
    ("LO", 0x00080070, _TEXTS), ("CS", 0x00080008, _TEXTS), ("UR", 0x00080407, _TEXTS), ("DS", 0x00101022, "DS IS"),
    ("IS", 0x00081160, "DS IS"), ("DA", 0x00141020, "DA DT TM"), ("DT", 0x00080404, "DA DT TM"),
    ("TM", 0x00140103, "DA DT TM"), ("US", 0x00080040, _NUMBERS), ("SS", 0x00189219, _NUMBERS),
    ("UL", 0x00080309, _NUMBERS), ("SL", 0x00186020, _NUMBERS), ("AT", 0x00209165, _NUMBERS),
    ("US or SS", 0x00189810, _NUMBERS), ("US or OW", 0x00283006, _NUMBERS), ("US or SS or OW", 0x00281200, _NUMBERS),
    ("OW", 0x00281201, f"{_NUMBERS} OB"), ("OB", 0x00080202, "OB OW"), ("OB or OW", 0x00143050, "OB OW"),
    ("FD", 0x00081163, "FD"), ("UV", 0x0008040C, "UV"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "tag", "accepted"), KINDS, ids=lambda value: str(value)[:20])
def test_a_vr_in_the_file_stands_for_one_of_its_kind_only(
    make: ModuleType, known: str, tag: int, accepted: str
) -> None:
    """A text in an attribute of numbers is nothing that the profile had in mind."""
    policy = make.policy("research")
    assert DicomDictionary.get(tag, (known,))[0] == known
    for vr in {*VRS, known} - {"US or SS", "US or OW", "US or SS or OW", "OB or OW"}:
        normally = policy.unlisted.by_vr[vr]
        assert unlisted_word(policy, tag, vr, True) == (normally if vr in accepted.split() else "remove", vr)


@pytest.mark.parametrize(("known", "tag"), [row[:2] for row in KINDS], ids=lambda value: str(value)[:20])
def test_without_a_vr_in_the_file_the_one_of_the_dictionary_counts(make: ModuleType, known: str, tag: int) -> None:
    policy = make.policy("research")
    normally = policy.unlisted.by_vr.get(known, "keep")
    assert unlisted_word(policy, tag, "", True) == (normally, known)
    assert unlisted_word(policy, tag, "UN", True) == ("remove" if " or " in known else normally, known)
    assert unlisted_word(policy, tag, "UN", False)[0] == "remove", "UN is little endian whatever stands around it"


def test_an_ambiguous_vr_has_the_default_of_its_parts_where_they_agree(make: ModuleType) -> None:
    policy = make.policy("basic")
    words = {**policy.unlisted.by_vr, "SS": "remove"}
    closed = dataclasses.replace(policy, unlisted=dataclasses.replace(policy.unlisted, by_vr=words))
    assert unlisted_word(policy, 0x00189810, "", True)[0] == "keep"
    assert unlisted_word(closed, 0x00189810, "", True)[0] == "remove"
    assert unlisted_word(closed, 0x00189810, "US", True)[0] == "keep"
    silent = dataclasses.replace(policy, unlisted=dataclasses.replace(policy.unlisted, by_vr={}))
    assert unlisted_word(silent, 0x00189810, "US", True)[0] == "remove"


def test_sequences_are_walked_unless_the_profile_removes_them(make: ModuleType) -> None:
    policy = make.policy("basic")
    assert unlisted_word(policy, 0x00080006, "SQ", True) == ("walk", "SQ")
    assert unlisted_word(policy, 0x00080006, "", True) == ("walk", "SQ")
    assert unlisted_word(policy, 0x00080051, "SQ", True) == ("remove", "SQ")
    assert unlisted_word(policy, 0x00080006, "LO", True) == ("remove", "LO")


def test_what_the_profile_says_of_one_attribute_comes_before_its_vr(make: ModuleType) -> None:
    policy = make.policy("basic")
    assert unlisted_word(policy, 0x00080117, "UI", True) == ("keep", "UI")
    assert unlisted_word(policy, 0x0040A160, "UT", True) == ("dummy", "UT")


def test_what_ps3_6_lacks_is_removed(make: ModuleType) -> None:
    assert unlisted_word(make.policy("basic"), 0x00181FFE, "LO", True) == ("remove", "LO")
