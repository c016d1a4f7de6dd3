"""The gate's rules about one element of an output, beside what stood in its input."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid import dummies
from proxy.deid.allowed import CONSTANTS, Rules, is_pseudonym
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.pseudonym import check_character
from proxy.deid.reading import Path
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile

CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "2.25." + str(8 << 76 | 4711)
NUMBER = "0123456789ABCDEF"


@lru_cache(maxsize=64)
def named(make: ModuleType, *options: str) -> Policy:
    return site(make, *options)


def site(make: ModuleType, *options: str, **more: Any) -> Policy:
    profile = {**load_profile("basic"), "options": list(options), **more}
    return compile_policy(make.tables(), PolicySpec("research", profile, make.KEY))


def came(make: ModuleType, **attributes: Any) -> Dataset:
    inside = Dataset()
    inside.AccessionNumber, inside.ReferencedSOPInstanceUID = "QX-7712", "1.2.3.77"
    ds: Dataset = make.dataset(
        CT, StudyDate="20240215", StudyTime="101112", AcquisitionDate="20240215", PatientAge="042Y",
        FrameOfReferenceUID="1.2.3.9", StudyDescription="Knee", ReferencedStudySequence=[inside],
        ProtocolName="Knee", PatientSex="F", DeviceSerialNumber="SN1",
    )  # fmt: skip
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def refused(
    make: ModuleType, policy: Policy, tag: int, vr: str, value: bytes, path: Path = (), ds: Dataset | None = None
) -> bool:
    rules = Rules(policy, make.source(ds if ds is not None else came(make), policy))
    try:
        rules.check(make.leaf(tag, vr, value, path))
    except InstanceHeld as held:
        return (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, tag)
    return False


@pytest.mark.parametrize(
    ("tag", "vr", "value", "held"),
    [
        (0x00280010, "US", b"\2\0", False), (0x00280000, "UL", bytes(4), True), (0x00041500, "CS", b"A", True),
        (0x00020010, "UI", b"1.2.840.10008.1.2", True), (0x00080001, "UL", bytes(4), False),
        (0x00090010, "LO", b"ACME", True), (0x50000005, "US", b"\2\0", True), (0x60000010, "US", b"\2\0", True),
        (0x60FE0010, "US", b"\2\0", True), (0x00181FFE, "LO", b"x", True), (0x7FE00010, "OW", b"\0\0", False),
        (0x00280010, "LO", b"2", True), (0x00280010, "SQ", b"", True), (0x00080006, "OB", b"\0\0", True),
        (0x00080006, "SQ", b"", False), (0x00080070, "US", b"\2\0", True), (0x00080070, "LO", b"Acme", False),
        (0x00080070, "SH", b"Acme", False), (0x00281200, "OW", b"\0\0", False),
    ],
)  # fmt: skip
def test_what_may_stand_under_the_basic_profile(make: ModuleType, tag: int, vr: str, value: bytes, held: bool) -> None:
    assert refused(make, named(make), tag, vr, value) is held


def test_pixel_data_inside_a_sequence(make: ModuleType) -> None:
    assert refused(make, named(make), 0x7FE00010, "OW", b"\0\0", (0x00880200, 0))


@pytest.mark.parametrize(
    ("tag", "vr", "value", "held"),
    [
        (0x00200010, "SH", b"", False), (0x00200010, "SH", b"REMOVED", False), (0x00200010, "SH", b"7", True),
        (0x00200010, "SH", b"REMOVED\\7", True), (0x00200010, "SH", b"REMOVED \\REMOVED", False),
        (0x00080020, "DA", b"", False), (0x00080020, "DA", b"19000101", False), (0x00080020, "DA", b"20240215", True),
        (0x00080030, "TM", b"000000", False), (0x00080030, "TM", b"101112", True),
        (0x00101040, "LO", b"", True), (0x00101040, "LO", b"REMOVED", True),
        (0x00080201, "SH", b"", False), (0x00080201, "SH", b"+0000", False), (0x00080201, "SH", b"+0100", True),
        (0x00200052, "UI", UID.encode(), False), (0x00200052, "UI", b"1.2.3.9", True),
        (0x00200052, "UI", b"1.2.826.0.1.3680043.7", True), (0x00200052, "UI", b"1.2.840.10008.1.4.1.1", False),
        (0x00200052, "UI", UID.encode() + b"\\1.2.3.9", True), (0x00200052, "UI", b"", False),
        (0x00200052, "UI", b"2.25.4711", True), (0x00200052, "UI", UID[5:].encode(), True),
        (0x00080016, "UI", CT.encode(), False), (0x00080016, "UI", b"1.2.826.0.1.3680043.7", False),
        (0x00120062, "CS", b"YES", False),
    ],
)  # fmt: skip
def test_what_a_row_of_the_table_leaves(make: ModuleType, tag: int, vr: str, value: bytes, held: bool) -> None:
    """X: nothing, unless an IOD requires the attribute; Z and D: nothing or a constant; U: the standard's or ours."""
    assert refused(make, named(make), tag, vr, value) is held


@pytest.mark.parametrize(
    ("option", "tag", "vr", "value", "held"),
    [
        ("rtn_dev_id", 0x00181000, "LO", b"SN1", False), ("rtn_dev_id", 0x00181000, "LO", b"SN2", True),
        ("rtn_dev_id", 0x00181000, "LO", b"", False), ("rtn_pat_chars", 0x00101010, "AS", b"042Y", False),
        ("rtn_pat_chars", 0x00101010, "AS", b"043Y", True), ("rtn_uids", 0x00200052, "UI", b"1.2.3.9", False),
        ("rtn_uids", 0x00200052, "UI", b"1.2.3.10", True), ("clean_desc", 0x00081030, "LO", b"anything", False),
        ("rtn_dev_id", 0x00081030, "LO", b"anything", True), ("rtn_long_full", 0x00080020, "DA", b"20240215", False),
        ("rtn_long_full", 0x00080020, "DA", b"20240216", True), ("rtn_long_modif", 0x00080020, "DA", b"20240215", True),
        ("rtn_long_modif", 0x00080020, "DA", b"20240216", False), ("rtn_long_modif", 0x00080030, "TM", b"", False),
        ("rtn_long_modif", 0x00080030, "TM", b"101112", False), ("rtn_long_modif", 0x00080030, "TM", b"19520417", True),
        ("rtn_long_modif", 0x00080020, "DA", b"19000101", False),
        ("rtn_long_modif", 0x00080020, "DA", b"20240301\\20240215", False),
    ],
)  # fmt: skip
def test_what_an_option_leaves(make: ModuleType, option: str, tag: int, vr: str, value: bytes, held: bool) -> None:
    """K: what came. C: a text is for the search, a date is another one than in its place."""
    assert refused(make, named(make, option), tag, vr, value) is held


@pytest.mark.parametrize(
    ("unlisted", "options", "vr", "tag", "value", "held"),
    [
        ({}, [], "DA", 0x00141020, b"20240215", True),
        ({"DA": "shift"}, [], "DA", 0x00141020, b"20240216", True),
        ({"DA": "shift"}, ["rtn_long_modif"], "DA", 0x00141020, b"20240216", False),
        ({"DA": "shift"}, ["rtn_long_modif"], "DA", 0x00141020, b"20240215", True),
        ({"DA": "shift"}, ["rtn_long_full"], "DA", 0x00141020, b"20240215", False),
        ({"DA": "shift"}, ["rtn_long_full"], "DA", 0x00141020, b"20240216", True),
        ({}, [], "UI", 0x00200242, b"1.2.3.55", True),
        ({}, [], "UI", 0x00200242, UID.encode(), False),
        ({}, ["rtn_uids"], "UI", 0x00200242, b"1.2.3.55", False),
        ({}, ["rtn_uids"], "UI", 0x00200242, b"1.2.3.56", True),
        ({"SH": "remove"}, [], "LO", 0x00080070, b"Acme", False),
        ({"SH": "remove"}, [], "SH", 0x00080070, b"Acme", True),
        ({"LO": "remove"}, [], "SH", 0x00080070, b"Acme", True),
        ({}, [], "SQ", 0x00080006, b"", False),
    ],
)
def test_what_no_row_names(
    make: ModuleType, unlisted: dict[str, str], options: list[str], vr: str, tag: int, value: bytes, held: bool
) -> None:
    """By the profile's words, both as written and as PS3.6 has it."""
    words = load_profile("basic")["unlisted"]
    policy = site(make, *options, unlisted={**words, "by_vr": {**words["by_vr"], **unlisted}})
    ds = came(make, ExpiryDate="20240215", SourceFrameOfReferenceUID="1.2.3.44")
    ds.add_new(0x00200242, "UI", "1.2.3.55")
    assert refused(make, policy, tag, vr, value, ds=ds) is held


def test_a_rule_removes_what_the_table_would_leave(make: ModuleType) -> None:
    policy = site(make, rules=[{"match": {"tag": "(0008,0070)"}, "do": "remove"}])
    assert refused(make, policy, 0x00080070, "LO", b"Acme")
    assert not refused(make, named(make), 0x00080070, "LO", b"Acme")


def test_in_a_sequence_to_be_replaced_no_text_is_as_it_was(make: ModuleType) -> None:
    """(0040,A073) Verifying Observer Sequence has D, (0008,2112) Source Image Sequence X/Z/U*."""
    replaced, walked, nobody = 0x0040A073, 0x00082112, 0x00082218
    ds, policy = came(make, Manufacturer="Acme"), site(make)
    for opened, path, value, held in (
        ((replaced,), (replaced, 0), b"Acme", True), ((replaced,), (replaced, 0), b"Other", False),
        ((replaced,), (replaced, 0), b"REMOVED", False), ((replaced,), (nobody, 0), b"Acme", False),
        ((replaced,), (replaced, 0, nobody, 0), b"Acme", True), ((replaced,), (nobody, 0, replaced, 0), b"Acme", False),
        ((walked,), (walked, 0), b"Acme", False), ((nobody,), (nobody, 0), b"Acme", False),
    ):  # fmt: skip
        rules = Rules(policy, make.source(ds, policy))
        for tag in opened:
            rules.check(make.leaf(tag, "SQ"))
            assert rules.looks_inside(make.leaf(tag, "SQ")) is (tag == replaced)
        try:
            rules.check(make.leaf(0x00080070, "LO", value, path))
        except InstanceHeld:
            assert held, path
        else:
            assert not held, path


@pytest.mark.parametrize(
    ("value", "prefix", "ours"),
    [
        (NUMBER + check_character(NUMBER), "", True), ("P-" + NUMBER + check_character(NUMBER), "P-", True),
        (NUMBER + check_character(NUMBER), "P-", True), (NUMBER, "", False), (NUMBER + "00", "", False),
        (NUMBER[:-1] + "U" + check_character(NUMBER), "", False), ("", "", False),
    ],
)  # fmt: skip
def test_the_form_of_a_pseudonym(value: str, prefix: str, ours: bool) -> None:
    assert is_pseudonym(value, prefix) is ours


def test_the_constants_that_stand_for_a_removed_value() -> None:
    """Those of `dummies` and of the codes in dummy sequences; no other value is taken for one of ours."""
    texts = {b"REMOVED", b"Removed", b"urn:removed", b"COERCE", b"+0000", b"99VEIL", b"DCM", b""}
    assert texts | {b"19000101", b"19000101000000", b"000000", b"000D", b"0"} == CONSTANTS
    written = {value.strip(b" \0") for value in dummies.BY_VR.values()}
    assert written <= CONSTANTS
    assert {each.value for each in dummies.REMOVED_CODE} <= CONSTANTS  # type: ignore[union-attr]  # of elements


@pytest.mark.parametrize(
    ("tag", "path"),
    [
        (0x04000500, ()), (0x04000510, (0x04000500, 0)), (0x04000520, (0x04000500, 0)), (0x04000520, ()),
        (0x00080070, (0x04000500, 0)), (0x00280010, (0x04000500, 0, 0x00082218, 0)),
    ],
)  # fmt: skip
def test_nothing_stands_in_encrypted_attributes_but_our_envelope(make: ModuleType, tag: int, path: Path) -> None:
    vr, value = ("SQ", b"") if tag == 0x04000500 else ("LO", b"Acme") if tag == 0x00080070 else ("US", b"\2\0")
    rules = Rules(named(make), make.source(came(make), named(make)))
    with pytest.raises(InstanceHeld) as held:
        rules.check(make.leaf(tag, vr, value, path))
    assert held.value.detail.endswith("encrypted attributes that are not ours")
    assert rules.looks_inside(make.leaf(0x04000500, "SQ"))


@pytest.mark.parametrize(
    ("stated", "known", "held"),
    [
        ("LO", "SH", False), ("UI", "LO", False), ("LO", "US", True), ("US", "LO", True), ("SQ", "LO", True),
        ("LO", "SQ", True), ("OB", "SQ", True), ("OB", "US", False), ("SQ", "UN", False), ("LO", "UN", False),
        ("OB", "UN", False), ("US", "US or SS", False),
    ],
)  # fmt: skip
def test_text_stays_text_and_numbers_numbers(make: ModuleType, stated: str, known: str, held: bool) -> None:
    """As written beside as PS3.6 has it; of what it says nothing the rules decide on the tag."""
    policy = site(make, rules=[{"match": {"tag": "(0008,0070)"}, "do": "keep"}])
    rules = Rules(policy, make.source(came(make), policy))
    refusals = []
    try:
        rules.check(make.leaf(0x00080070, stated, b"")._replace(known=known))
    except InstanceHeld as refusal:
        refusals.append(refusal.detail)
    assert any("of another kind than PS3.6 says" in each for each in refusals) is held


@pytest.mark.parametrize(("vr", "number", "value"), [("AS", 4, b"042Y"), ("DA", 1, b"20240215"), ("UI", 7, b"1.2.3.9")])
def test_a_private_element_is_judged_by_its_vr(make: ModuleType, vr: str, number: int, value: bytes) -> None:
    """Ages under words about dates, dates, UIDs; without such words an age of a safe element is no date."""
    rows = [{"creator": "ACME", "tag": f"(0045,xx0{number})", "vr": vr, "note": "needed"}]
    dates = {"dates": "year", "birth_date": "remove", "times": "keep", "ages": "remove"}
    for words, held in (({}, vr != "AS"), ({"dates": dates}, True)):
        options = ["rtn_safe_priv", "rtn_long_modif"] if words else ["rtn_safe_priv"]
        policy = site(make, *options, private=rows, **words)
        ds = came(make)
        ds.add_new(0x00450010, "LO", "ACME")
        ds.add_new(0x00451000 | number, vr, value.decode())
        rules = Rules(policy, make.source(ds, policy))
        rules.check(make.leaf(0x00450010, "LO", b"ACME"))
        try:
            rules.check(make.leaf(0x00451000 | number, vr, value))
        except InstanceHeld:
            assert held
        else:
            assert not held
