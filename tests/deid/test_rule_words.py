"""A site's rules as they are written in a profile: what each word becomes, and which words refuse to load."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.deid.rule_words import read_rules
from proxy.deid.rules import Condition, Rule
from proxy.errors import ConfigError

DATE, MAKER, COMMENT = 0x00080020, 0x00080070, 0x00204000


def read(*rules: Any) -> tuple[Rule, ...]:
    return read_rules("here", "p", list(rules))


def one(do: str, match: Any, **more: Any) -> Rule:
    (only,) = read({"do": do, "match": match, **more})
    return only


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"tag": "(0008,0070)"}, {"tags": {MAKER}}), ({"keyword": "Manufacturer"}, {"tags": {MAKER}}),
        ({"tag": "Manufacturer"}, {"tags": {MAKER}}),
        ({"tag": ["(0008,0070)", "(0020,4000)"]}, {"tags": {MAKER, COMMENT}}),
        ({"tag": "(0008,0070)", "keyword": "ImageComments"}, {"tags": {MAKER, COMMENT}}),
        ({"mask": "(0018,xxxx)"}, {"masks": ((0xFFFF0000, 0x00180000),)}),
        ({"mask": "(60xx,3000)"}, {"masks": ((0xFF00FFFF, 0x60003000),)}),
        ({"mask": ["(0020,xxxx)", "(0018,9xxx)"]}, {"masks": ((0xFFFF0000, 0x00200000), (0xFFFFF000, 0x00189000))}),
        ({"vr": ["LO", "SH"]}, {"vrs": {"LO", "SH"}}), ({"creator": "ACME"}, {"creators": {"ACME"}}),
        ({"creator": "ACME", "mask": "(0019,xx0C)"}, {"creators": {"ACME"}, "masks": ((0xFFFF00FF, 0x0019000C),)}),
        ({"vr": "LO", "sop_class": "1.2.3"}, {"vrs": {"LO"}, "sop_classes": {"1.2.3"}}),
        ({"vr": "LO", "modality": ["CT", "MR"]}, {"vrs": {"LO"}, "modalities": {"CT", "MR"}}),
    ],
)  # fmt: skip
def test_what_is_matched(match: dict[str, Any], expected: dict[str, Any]) -> None:
    found = one("remove", match)
    assert (found.number, found.profile, found.do, found.argument, found.when) == (1, "p", "remove", "", ())
    nothing: dict[str, Any] = {
        "tags": set(), "masks": (), "vrs": set(), "creators": set(), "sop_classes": set(), "modalities": set()
    }  # fmt: skip
    for name, value in {**nothing, **expected}.items():
        assert getattr(found, name) == value, name


@pytest.mark.parametrize(
    ("do", "more", "argument"),
    [
        ("truncate", {"to": "year"}, "0"), ("truncate", {"to": 1}, "1"), ("truncate", {"to": 31}, "31"),
        ("replace", {"with": "20240101"}, "20240101"), ("replace", {"with": 20240101}, "20240101"),
        ("remove", {}, ""), ("empty", {}, ""), ("shift", {}, ""), ("keep", {}, ""), ("hash", {"note": "why"}, ""),
        ("clean", {}, ""),
    ],
)  # fmt: skip
def test_what_is_done(do: str, more: dict[str, Any], argument: str) -> None:
    found = one(do, {"tag": "(0008,0020)"}, **more)
    assert (found.do, found.argument) == (do, argument)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("present", Condition(MAKER, "present")), ("absent", Condition(MAKER, "absent")),
        ({"value": "Acme"}, Condition(MAKER, "value", ("Acme",))),
        ({"value": ["B", "A"]}, Condition(MAKER, "value", ("A", "B"))),
        ({"regex": "A.*"}, Condition(MAKER, "regex", ("A.*",))),
        ({"value": "("}, Condition(MAKER, "value", ("(",))),
    ],
)  # fmt: skip
def test_conditions(written: Any, expected: Condition) -> None:
    for name in ("(0008,0070)", "Manufacturer"):
        assert one("remove", {"vr": "LO"}, when={name: written}).when == (expected,)


def test_rules_are_numbered_as_they_stand() -> None:
    found = read({"do": "remove", "match": {"vr": "LO"}}, {"do": "refuse", "when": {"Manufacturer": "present"}})
    assert [each.number for each in found] == [1, 2]
    assert [each.of_instances for each in found] == [False, True]
    assert read() == ()


def test_an_instance_is_refused_by_class_modality_or_condition() -> None:
    assert one("refuse", {"sop_class": "1.2.3"}).of_instances
    assert one("refuse", {"modality": "CT"}).of_instances
    assert not one("refuse", {"tag": "(0008,0070)"}).of_instances


TAG = {"tag": "(0008,0070)"}
WRONG: list[tuple[Any, str]] = [
    ("remove", "here"), ({"do": "remove", "match": TAG, "more": 1}, "rule 1.more"), ({"match": TAG}, "rule 1.do"),
    ({"do": "delete", "match": TAG}, "rule 1.do"), ({"do": "remove", "match": ["tag"]}, "rule 1.match"),
    ({"do": "remove", "match": {"tags": "(0008,0070)"}}, "match.tags"), ({"do": "remove"}, "match"),
    ({"do": "remove", "match": {"modality": "CT"}}, "match"), ({"do": "refuse"}, "rule 1"),
    ({"do": "remove", "match": {"vr": "XX"}}, "match.vr"), ({"do": "remove", "match": {"vr": []}}, "match.vr"),
    ({"do": "remove", "match": {"vr": " "}}, "match.vr"), ({"do": "remove", "match": {"vr": 7}}, "match.vr"),
    ({"do": "refuse", "match": {"sop_class": "CT"}}, "match.sop_class"),
    ({"do": "refuse", "match": {"sop_class": ["1.2", "CT"]}}, "match.sop_class"),
    ({"do": "refuse", "match": {"sop_class": "7"}}, "match.sop_class"),
    ({"do": "remove", "match": {**TAG, "creator": "ACME"}}, "rule 1.match"),
    ({"do": "remove", "match": {"tag": "(0010,0020)"}}, "rule 1.match"),
    ({"do": "remove", "match": {"tag": "PixelData"}}, "rule 1.match"),
    ({"do": "keep", "match": {"tag": "(0020,0052)"}}, "rule 1"),
    ({"do": "keep", "match": {"tag": "(0008,0090)"}}, "rule 1"),
    ({"do": "keep", "match": {"vr": ["LO", "UI"]}}, "rule 1"), ({"do": "keep", "match": {"vr": "PN"}}, "rule 1"),
    ({"do": "keep", "match": {"vr": "UN"}}, "rule 1"), ({"do": "shift", "match": TAG}, "rule 1"),
    ({"do": "truncate", "match": TAG, "to": "year"}, "rule 1"),
    ({"do": "shift", "match": {"tag": "(0008,0030)"}}, "rule 1"),
    ({"do": "truncate", "match": {"tag": "(0008,0020)"}}, "rule 1.to"),
    ({"do": "remove", "match": TAG, "to": 1}, "rule 1.to"),
    ({"do": "remove", "match": TAG, "with": "x"}, "rule 1.with"), ({"do": "replace", "match": TAG}, "rule 1.with"),
    *(
        ({"do": "truncate", "match": {"tag": "(0008,0020)"}, "to": to}, "rule 1.to")
        for to in (0, 32, "15", True, "month", 1.0)
    ),
    *(
        ({"do": "replace", "match": TAG, "with": text}, "rule 1.with")
        for text in ("", "a\\b", " a", "a ", "ä", "a\n", "x" * 65)
    ),
    ({"do": "replace", "match": {"tag": "(0008,0020)"}, "with": "today"}, "rule 1.with"),
    ({"do": "remove", "match": {"keyword": "Nonsense"}}, "rule 1.match"),
    ({"do": "remove", "match": {"keyword": "(0008,0070)"}}, "rule 1.match"),
    ({"do": "remove", "match": {"tag": "Nonsense"}}, "rule 1.match"),
    ({"do": "remove", "match": {"tag": "(0008,0071)"}}, "rule 1.match"),
    ({"do": "remove", "match": {"tag": "(0002,0010)"}}, "rule 1.match"),
    ({"do": "remove", "match": {"mask": "(0018,0010)"}}, "match.mask"),
    ({"do": "remove", "match": {"mask": "0018,xxxx"}}, "match.mask"),
    ({"do": "remove", "match": {"mask": "(0018,xxxg)"}}, "match.mask"),
    *(({"do": "remove", "match": TAG, "when": when}, "rule 1.when") for when in (
        ["Manufacturer"], {"Nonsense": "present"}, {"ReferencedStudySequence": "present"}, {"Manufacturer": "here"},
        {"Manufacturer": {}}, {"Manufacturer": {"value": "a", "regex": "b"}}, {"Manufacturer": {"is": "a"}},
        {"Manufacturer": {"value": []}}, {"Manufacturer": {"value": ["a", ""]}}, {"Manufacturer": {"regex": "("}},
        {"Manufacturer": {"regex": ["a", "["]}}, {"(0002,0010)": "present"},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("written", "where"), WRONG, ids=lambda value: str(value)[:60])
def test_what_refuses_to_load(written: Any, where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(written)
    assert where in str(refused.value).partition(": it")[0]


@pytest.mark.parametrize("listed", [None, {}, "remove", 7])
def test_what_is_no_list(listed: Any) -> None:
    with pytest.raises(ConfigError, match="list of rules"):
        read_rules("here", "p", listed)
