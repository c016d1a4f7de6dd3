"""Which elements an instance from a de-identified PACS may have under a profile; what it says of itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile

GATE = Gate(bytes(32))
Change = Callable[[Dataset], Any]


@lru_cache(maxsize=1)
def base(make: ModuleType) -> bytes:
    """Released under the basic profile."""
    ds = make.dataset(PatientID="7", Modality="CT", StudyDate="20240215")
    return bytes(make.run(make.encode(ds), make.worded())[1])


def changed(make: ModuleType, *changes: Change) -> bytes:
    ds, out = dcmread(io.BytesIO(base(make))), io.BytesIO()
    for change in changes:
        change(ds)
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def put(tag: int, vr: str, value: Any) -> Change:
    return lambda ds: ds.add_new(tag, vr, value)


def inside(tag: int, vr: str, value: Any) -> Change:
    """In an item of (0008,2218) Anatomic Region Sequence."""

    def change(ds: Dataset) -> None:
        item = Dataset()
        item.add_new(tag, vr, value)
        ds.AnatomicRegionSequence = [item]

    return change


def passes(data: bytes, policy: Policy, tag: int = 0) -> bool:
    """Whether it passes; not, because of ``tag``."""
    try:
        GATE.let_pass(memoryview(data), Claimed(), policy, True)
    except InstanceHeld as held:
        return not (held.reason is Reason.ELEMENT_NOT_ALLOWED and tag in (0, held.tag))
    return True


def site(make: ModuleType, *options: str, **more: Any) -> Policy:
    profile = {**load_profile("basic"), "options": list(options), **more}
    return compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))


def rule(do: str, tag: str = "(0008,0070)", **more: Any) -> dict[str, Any]:
    return {"do": do, "match": {"tag": tag}, **more}


@pytest.mark.parametrize(
    ("tag", "vr", "value", "fine"),
    [
        (0x00081030, "LO", "Knee", False), (0x00081030, "LO", "", True), (0x00081030, "LO", "  ", True),
        (0x0008103E, "LO", "Knee", True), (0x00080070, "LO", "Acme", True), (0x00280010, "US", 2, True),
        (0x00181FFE, "LO", "x", False), (0x00280000, "UL", 2, True), (0x00141020, "DA", "20240215", False),
        (0x04000500, "SQ", [Dataset()], False), (0x00080006, "SQ", [Dataset()], True), (0x60000010, "US", 2, False),
        (0x00420011, "OB", b"%PDF", False), (0x60003000, "OW", b"\1\2", False), (0x00100032, "TM", "1011", False),
    ],
)  # fmt: skip
def test_an_element_under_the_basic_profile(make: ModuleType, tag: int, vr: str, value: Any, fine: bool) -> None:
    """X that no IOD requires, and what the profile's words remove; what is empty tells nothing."""
    if tag & 0xFFFF:
        assert passes(changed(make, put(tag, vr, value)), site(make), tag) is fine
    assert passes(changed(make, put(0x00280010, "US", 2)), site(make))


def test_pixel_data_is_at_the_top_only(make: ModuleType) -> None:
    assert not passes(changed(make, inside(0x7FE00010, "OW", b"\1\2")), site(make), 0x7FE00010)
    assert not passes(changed(make, inside(0x00081030, "LO", "Knee")), site(make), 0x00081030)
    assert passes(changed(make, inside(0x00080070, "LO", "Acme")), site(make))


@pytest.mark.parametrize(("length", "fine"), [(1024, True), (1026, False)])
def test_how_much_of_a_value_is_looked_at_for_blanks(make: ModuleType, length: int, fine: bool) -> None:
    assert passes(changed(make, put(0x00104000, "LT", " " * length)), site(make)) is fine


@pytest.mark.parametrize(
    ("option", "keyword", "value"),
    [
        ("clean_desc", "StudyDescription", "Knee"),
        ("rtn_pat_chars", "PatientAge", "042Y"),
        ("rtn_inst_id", "InstitutionAddress", "x"),
    ],
)
def test_an_option_lets_one_stay(make: ModuleType, option: str, keyword: str, value: str) -> None:
    data = changed(make, lambda ds: setattr(ds, keyword, value))
    assert passes(data, site(make, option))
    assert passes(data, site(make)) is (keyword not in ("StudyDescription", "InstitutionAddress", "PatientAge"))


def test_words_about_dates_let_dates_and_ages_stay(make: ModuleType) -> None:
    worded = make.worded("rtn_long_full", ages="keep", birth_date="keep")
    for tag, vr, value in ((0x00100032, "TM", "1011"), (0x00101010, "AS", "042Y")):
        data = changed(make, put(tag, vr, value))
        assert passes(data, worded)
        assert not passes(data, make.worded("rtn_long_full"), tag)


def test_words_about_what_no_row_names(make: ModuleType) -> None:
    data = changed(make, put(0x00280008, "IS", "7"))
    assert not passes(data, make.worded(by_vr={"IS": "remove"}), 0x00280008)
    words = load_profile("basic")["unlisted"]
    for said, fine in (("remove", False), ("keep", True)):
        by_vr = {**words["by_vr"], "IS": "remove" if fine else "keep"}
        policy = site(make, unlisted={**words, "by_vr": by_vr, "attributes": {"(0028,0008)": said}})
        assert passes(data, policy) is fine
    ambiguous = changed(make, put(0x00189810, "US", 7))
    assert passes(ambiguous, make.worded(by_vr={"US": "remove"})), "it may have been SS"
    assert not passes(ambiguous, make.worded(by_vr={"US": "remove", "SS": "remove"}), 0x00189810)


@pytest.mark.parametrize(
    ("rules", "fine"),
    [
        ([rule("remove")], False), ([rule("remove", when={"Modality": {"value": "CT"}})], True),
        ([rule("remove", match={"tag": "(0008,0070)", "modality": "CT"})], True),
        ([rule("remove", match={"tag": "(0008,0070)", "sop_class": "1.2.3"})], True), ([rule("empty")], True),
        ([rule("keep"), rule("remove")], True), ([rule("remove", "(0008,1090)")], True),
    ],
)  # fmt: skip
def test_a_rule_removes_always_or_sometimes(make: ModuleType, rules: list[dict[str, Any]], fine: bool) -> None:
    data = changed(make, put(0x00080070, "LO", "Acme"))
    assert passes(data, site(make, rules=rules), 0x00080070) is fine


@pytest.mark.parametrize(("do", "fine"), [("keep", True), ("clean", True), ("hash", True), ("empty", False)])
def test_a_rule_lets_one_stay(make: ModuleType, do: str, fine: bool) -> None:
    data = changed(make, put(0x00081030, "LO", "Knee"))
    assert passes(data, site(make, rules=[rule(do, "(0008,1030)")])) is fine


ROWS = [{"creator": "ACME", "tag": "(0011,xx01)", "vr": "LO", "note": "needed"}]
OURS = {"creator": "ACME", "mask": "(0011,xx01)"}


@pytest.mark.parametrize(
    ("creator", "tag", "more", "fine"),
    [
        ("ACME", 0x00111001, {"private": ROWS}, True), ("ACME ", 0x00111001, {"private": ROWS}, True),
        ("ACME", 0x00111002, {"private": ROWS}, False), ("OTHER", 0x00111001, {"private": ROWS}, False),
        ("ACME", 0x00111101, {"private": ROWS}, False), ("ACME", 0x00110001, {"private": ROWS}, False),
        ("ACME", 0x001110FF, {"private": [{**ROWS[0], "tag": "(0011,xxFF)"}]}, True),
        ("ACME", 0x00111001, {"rules": [{"do": "clean", "match": OURS}]}, True),
        ("OTHER", 0x00111001, {"rules": [{"do": "clean", "match": OURS}]}, False),
        ("ACME", 0x00111001, {"rules": [{"do": "empty", "match": OURS}]}, False),
        ("ACME", 0x00111001, {"private": ROWS, "rules": [{"do": "remove", "match": OURS}]}, False),
        ("ACME", 0x00111001, {"private": ROWS, "rules": [
            {"do": "remove", "match": OURS, "when": {"Modality": {"value": "MR"}}}]}, True),
        ("ACME", 0x00111001, {}, False),
    ],
)  # fmt: skip
def test_a_private_element(make: ModuleType, creator: str, tag: int, more: dict[str, Any], fine: bool) -> None:
    data = changed(make, put(0x00110010, "LO", creator), put(tag, "LO", "nodule"))
    assert passes(data, site(make, "rtn_safe_priv", **more), tag) is fine
    assert not passes(data, site(make), tag)


@pytest.mark.parametrize(("number", "fine"), [(0x0F, False), (0x10, True), (0xFF, True)])
def test_a_creator_alone_tells_nothing(make: ModuleType, number: int, fine: bool) -> None:
    assert passes(changed(make, put(0x00110000 | number, "LO", "ACME")), site(make)) is fine


def test_private_file_meta_information(make: ModuleType) -> None:
    for tag, vr, value in ((0x00020100, "UI", "1.2.3"), (0x00020102, "OB", b"\0\1")):

        def meta(ds: Dataset, tag: int = tag, vr: str = vr, value: Any = value) -> None:
            ds.file_meta.PrivateInformationCreatorUID = UID("1.2.3")
            ds.file_meta.add_new(tag, vr, value)

        assert not passes(changed(make, meta), site(make), 0x00020100)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [(0x21000040, "DA", "20240215"), (0x21000050, "TM", "1011"), (0x00440004, "DT", "20240215")],
)
def test_under_words_about_dates_no_date_is_removed_for_certain(
    make: ModuleType, tag: int, vr: str, value: str
) -> None:
    """Docs: dates.md. Which ones stay is told by their values; other attributes with X go as ever."""
    worded, data = make.worded("rtn_long_full", ages="keep"), changed(make, put(tag, vr, value))
    assert passes(data, worded)
    assert not passes(data, make.worded(), tag)
    assert not passes(changed(make, put(0x00081030, "LO", "Knee")), worded, 0x00081030)


def test_what_nobody_claims_stays_for_nobody(make: ModuleType) -> None:
    """A private element without a creator is not one of a creator whose name is a word of ours."""
    for name in ("x", "X"):
        rules = [{"do": "clean", "match": {"creator": name, "mask": "(0011,xx01)"}}]
        data = changed(make, put(0x00111001, "LO", "nodule"))
        assert not passes(data, site(make, "rtn_safe_priv", rules=rules), 0x00111001)
