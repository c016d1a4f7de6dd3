"""What the gate says of a value that a site's rule is about: as it says, against it, or a matter of the table."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.allowed_rules import RuleCheck
from proxy.deid.rules import Condition, Rule

DESCRIPTION, LABEL, DATE = 0x00081030, 0x00281055, 0x00080020
HASH = b"0123456789ABCDEF"


def verdict(
    make: ModuleType, made: Rule, tag: int, vr: str, value: bytes, *, came: bool = False, moves: bool = False,
    creator: str = "", **attributes: Any,
) -> bool | None:  # fmt: skip
    ds: Dataset = make.dataset(**{"Modality": "CT", "StudyDate": "20240215", "StudyDescription": "Knee", **attributes})
    asked = RuleCheck([made], make.source(ds, make.policy()), lambda leaf: came, moves)
    answer: bool | None = asked.verdict(make.leaf(tag, vr, value), vr, creator)
    return answer


def rule(do: str, argument: str = "", **more: Any) -> Rule:
    return Rule(1, "p", do, argument, **more)


@pytest.mark.parametrize(
    ("do", "argument", "vr", "value", "as_said"),
    [
        ("empty", "", "LO", b"", True), ("empty", "", "LO", b"  ", True), ("empty", "", "LO", b"x", None),
        ("replace", "PHANTOM", "LO", b"PHANTOM ", True), ("replace", "PHANTOM", "LO", b"PHANTOM 2", None),
        ("hash", "", "LO", HASH, True), ("hash", "", "LO", HASH + b"\\" + HASH + b" ", True),
        ("hash", "", "LO", b"", True), ("hash", "", "LO", HASH + b"0", None), ("hash", "", "LO", HASH[1:], None),
        ("hash", "", "LO", HASH + b"\\Knee", None), ("hash", "", "UI", HASH, None),
        ("clean", "", "LO", b"anything", True), ("clean", "", "UT", b"anything", True),
        ("clean", "", "LT", b"x", True), ("clean", "", "SH", b"x", True), ("clean", "", "ST", b"x", True),
        ("clean", "", "UC", b"x", True), ("clean", "", "PN", b"x", None), ("clean", "", "DS", b"1", None),
        ("truncate", "0", "DA", b"20240101", True), ("truncate", "0", "DA", b"2024", True),
        ("truncate", "0", "DA", b"202401", True), ("truncate", "0", "DA", b"2024.01.01", True),
        ("truncate", "0", "DA", b"20240102", None), ("truncate", "0", "DT", b"2024010110", None),
        ("truncate", "15", "DA", b"20240215", True), ("truncate", "15", "DA", b"20240215\\20240314", None),
        ("truncate", "15", "DA", b"202402", True), ("truncate", "15", "DA", b"\\20240215 ", True),
        ("truncate", "15", "DA", b"20240228", None), ("truncate", "15", "DT", b"2024021512", None),
        ("truncate", "31", "DA", b"20240229", True), ("truncate", "31", "DA", b"20240430", True),
        ("truncate", "29", "DA", b"20230228", True), ("truncate", "29", "DA", b"20240430", None),
        ("truncate", "28", "DA", b"20240228", True), ("truncate", "31", "DA", b"20240427", None),
        ("shift", "", "DA", b"20240101", True), ("shift", "", "DA", b"20240215", None),
        ("shift", "", "DA", b"", True), ("shift", "", "DA", b"20240101\\20240215", True),
        ("shift", "", "DT", b"20240101", True), ("shift", "", "TM", b"10", None),
        ("remove", "", "LO", b"", False), ("refuse", "", "LO", b"x", False),
        ("keep", "", "SQ", b"", True), ("clean", "", "SQ", b"", True), ("hash", "", "SQ", b"", None),
        ("empty", "", "SQ", b"", None),
    ],
)  # fmt: skip
def test_the_value_that_an_action_leaves(
    make: ModuleType, do: str, argument: str, vr: str, value: bytes, as_said: bool | None
) -> None:
    tag = DATE if vr in ("DA", "DT", "TM") else LABEL
    assert verdict(make, rule(do, argument, tags=frozenset({tag})), tag, vr, value) is as_said


def test_a_shift_is_compared_value_by_value(make: ModuleType) -> None:
    made = rule("shift", tags=frozenset({DATE}))
    for value, moved in ((b"20240216\\20240215", True), (b"20240301\\20240216", None), (b"20240215", None)):
        assert verdict(make, made, DATE, "DA", value, StudyDate=["20240215", "20240216"]) is moved


@pytest.mark.parametrize(
    ("do", "vr", "moves", "kept"),
    [
        ("keep", "LO", False, True), ("keep", "DA", False, True), ("keep", "DA", True, None),
        ("keep", "DT", True, None), ("keep", "TM", True, True), ("keep", "UI", False, None),
        ("keep", "PN", False, None), ("keep", "UN", False, None), ("clean", "AE", False, True),
        ("clean", "CS", False, True),
    ],
)  # fmt: skip
def test_what_is_kept_is_what_came(make: ModuleType, do: str, vr: str, moves: bool, kept: bool | None) -> None:
    """But no names, no UIDs, nothing of unknown kind, and no date where the others move."""
    made = rule(do, tags=frozenset({LABEL}))
    assert verdict(make, made, LABEL, vr, b"x", came=True, moves=moves) is kept
    assert verdict(make, made, LABEL, vr, b"x", came=False, moves=moves) is None


@pytest.mark.parametrize(
    ("more", "reached"),
    [
        ({"tags": frozenset({LABEL})}, True), ({"tags": frozenset({DESCRIPTION})}, False),
        ({"vrs": frozenset({"LO"})}, True), ({"vrs": frozenset({"SH"})}, False),
        ({"vrs": frozenset({"LO"}), "tags": frozenset({LABEL})}, True),
        ({"masks": ((0xFFFF0000, 0x00280000),)}, True), ({"masks": ((0xFFFF0000, 0x00290000),)}, False),
        ({"masks": ((0xFFFF0000, 0x00290000), (0xFFFF, 0x1055))}, True),
        ({"tags": frozenset({LABEL}), "masks": ((0xFFFF0000, 0x00290000),)}, True),
        ({"tags": frozenset({LABEL}), "sop_classes": frozenset({"1.2.840.10008.5.1.4.1.1.2"})}, True),
        ({"tags": frozenset({LABEL}), "sop_classes": frozenset({"1.2.840.10008.5.1.4.1.1.4"})}, False),
        ({"tags": frozenset({LABEL}), "modalities": frozenset({"CT", "MR"})}, True),
        ({"tags": frozenset({LABEL}), "modalities": frozenset({"MR"})}, False),
        ({"sop_classes": frozenset({"1.2.840.10008.5.1.4.1.1.2"})}, False),
        ({"tags": frozenset({LABEL}), "creators": frozenset({"ACME"})}, False),
    ],
)  # fmt: skip
def test_what_a_rule_is_about(make: ModuleType, more: dict[str, Any], reached: bool) -> None:
    assert (verdict(make, rule("remove", **more), LABEL, "LO", b"x") is False) is reached


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition(DESCRIPTION, "present"), True), (Condition(LABEL, "present"), False),
        (Condition(DESCRIPTION, "absent"), False), (Condition(LABEL, "absent"), True),
        (Condition(DESCRIPTION, "value", ("Hip", "Knee")), True), (Condition(DESCRIPTION, "value", ("Kne",)), False),
        (Condition(DESCRIPTION, "regex", ("Hip", "K.*")), True), (Condition(DESCRIPTION, "regex", ("K",)), False),
        (Condition(0x00080008, "value", ("SECONDARY",)), True), (Condition(LABEL, "regex", (".*",)), False),
        (Condition(0x00080008, "value", ("DERIVED",)), True),
        (Condition(0x00080050, "present"), False), (Condition(0x00080104, "present"), False),
    ],
)  # fmt: skip
def test_on_what_condition(make: ModuleType, condition: Condition, holds: bool) -> None:
    """At the top of the instance: what stands in an item does not count, nor what is empty."""
    inside = Dataset()
    inside.CodeMeaning = "Knee"
    found = verdict(
        make, rule("remove", tags=frozenset({LABEL}), when=(condition,)), LABEL, "LO", b"x",
        ImageType=["DERIVED ", "SECONDARY"], AccessionNumber="", AnatomicRegionSequence=[inside],
    )  # fmt: skip
    assert (found is False) is holds


def test_private_elements_have_rules_of_their_own(make: ModuleType) -> None:
    ours = rule("remove", creators=frozenset({"ACME"}))
    assert verdict(make, ours, 0x00191001, "LO", b"x", creator="ACME") is False
    assert verdict(make, ours, 0x00191001, "LO", b"x", creator="OTHER") is None
    assert verdict(make, rule("remove", vrs=frozenset({"LO"})), 0x00191001, "LO", b"x", creator="ACME") is None


def test_no_rule_reaches_the_identity_of_the_instance(make: ModuleType) -> None:
    assert verdict(make, rule("remove", vrs=frozenset({"LO"})), 0x00100020, "LO", b"x") is None
    assert verdict(make, rule("keep", tags=frozenset({0x00100020})), 0x00100020, "LO", b"4711", came=True) is None


def test_the_first_rule_that_is_about_an_element_decides(make: ModuleType) -> None:
    source = make.source(make.dataset(Modality="CT"), make.policy())
    other, first = (
        rule("remove", modalities=frozenset({"MR"}), vrs=frozenset({"LO"})),
        rule("clean", vrs=frozenset({"LO"})),
    )
    asked = RuleCheck([other, first, rule("remove", vrs=frozenset({"LO"}))], source, lambda leaf: False, False)
    assert asked.verdict(make.leaf(LABEL, "LO", b"x"), "LO") is True
    assert RuleCheck([], source, lambda leaf: False, False).verdict(make.leaf(LABEL, "LO", b"x"), "LO") is None


def test_rules_about_others_are_passed_over(make: ModuleType) -> None:
    """Another attribute, another VR, another creator, private or not: the rule behind them is asked all the same."""
    source, every = make.source(make.dataset(), make.policy()), ((0x0000FFFF, 0x1001),)
    others = [
        rule("keep", tags=frozenset({DESCRIPTION})), rule("keep", vrs=frozenset({"SH"})),
        rule("keep", creators=frozenset({"OTHER"}), masks=every), rule("keep", masks=((0xFFFF0000, 0x00100000),)),
    ]  # fmt: skip
    ours = rule("remove", creators=frozenset({"ACME"}), masks=every)
    plain = rule("remove", tags=frozenset({LABEL}))
    for rules in ([*others, ours, plain], [*others, plain, ours]):
        asked = RuleCheck(rules, source, lambda leaf: True, False)
        assert asked.verdict(make.leaf(0x00191001, "LO", b"x"), "LO", "ACME") is False
        assert asked.verdict(make.leaf(LABEL, "LO", b"x"), "LO") is False
        assert asked.verdict(make.leaf(0x00280010, "US", b"\2\0"), "US") is None
