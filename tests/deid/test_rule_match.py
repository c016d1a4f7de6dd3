"""Which rule is the first about an element, and what it makes of each VR (docs/administration.md, rules)."""

from __future__ import annotations

import pytest

from proxy.deid.decisions import Decision
from proxy.deid.rule_match import Matcher
from proxy.deid.rules import Rule

LO = frozenset({"LO"})
#: action of a rule → VR → action of the walk, "" where the row's own stays
DONE = {
    "keep": {"LO": "keep", "CS": "keep", "SQ": "R", "DA": "keep_date", "TM": "keep_date", "UI": "", "PN": "", "UN": "",
             "": ""},
    "clean": {"LO": "clean", "LT": "clean", "UT": "clean", "CS": "clean_whole", "AE": "clean_whole", "SQ": "R",
              "DS": "", "PN": ""},
    "shift": {"DA": "shift", "DT": "shift", "TM": "", "SQ": "", "LO": ""},
    "truncate": {"DA": "truncate", "DT": "truncate", "TM": "", "SQ": ""},
    "remove": {"LO": "X", "SQ": "X", "UI": "X"}, "empty": {"LO": "Z", "SQ": "Z"},
    "replace": {"LO": "constant", "SQ": ""}, "hash": {"LO": "hash", "SQ": ""},
}  # fmt: skip


class Bare:
    """A level with a modality, and nothing else that a matcher asks for."""

    def __contains__(self, tag: int) -> bool:
        return tag == 0x00080060

    def value(self, tag: int) -> tuple[str, bytes]:
        return "CS", b"CT"


@pytest.mark.parametrize(("do", "vr"), [(do, vr) for do, vrs in DONE.items() for vr in vrs])
def test_what_a_rule_does_to_a_value(do: str, vr: str) -> None:
    normally = Decision("D", "the row")
    made = Rule(3, "p", do, argument="7", tags=frozenset({0x00081030}))
    for moves in (False, True):
        found = Matcher([made], Bare(), "1.2", moves).first(0x00081030, vr, "", normally)
        if not DONE[do][vr] or (moves and do == "keep" and vr in ("DA", "DT")):
            assert found is normally
        else:
            assert found == Decision(DONE[do][vr], "rule 3 of profile p", "", normally, "7")
    assert Matcher([made], Bare(), "1.2", False).first(0x00081040, vr, "", normally) is normally


@pytest.mark.parametrize(
    ("do", "vr", "creator", "normal", "action"),
    [
        ("remove", "LO", "ACME", "keep", "X"),
        ("keep", "LO", "ACME", "X", None),  # only a list of safe elements makes one safe
        ("keep", "LO", "ACME", "clean", "keep"),
        ("keep", "SQ", "ACME", "R", None),
        ("clean", "SQ", "ACME", "R", None),
        ("remove", "SQ", "ACME", "R", "X"),
        ("remove", "LO", "OTHER", "keep", None),
    ],
)
def test_rules_about_private_elements(do: str, vr: str, creator: str, normal: str, action: str | None) -> None:
    normally = Decision(normal, "safe")
    made = Rule(1, "p", do, creators=frozenset({"ACME"}))
    found = Matcher([made], Bare(), "1.2", False).first(0x00191001, vr, creator, normally)
    assert found is normally if action is None else found.action == action


@pytest.mark.parametrize(
    ("made", "about"),
    [
        (Rule(1, "p", "remove", vrs=LO, sop_classes=frozenset({"1.2"})), True),
        (Rule(1, "p", "remove", vrs=LO, sop_classes=frozenset({"1.3"})), False),
        (Rule(1, "p", "remove", vrs=LO, modalities=frozenset({"CT", "MR"})), True),
        (Rule(1, "p", "remove", vrs=LO, modalities=frozenset({"MR"})), False),
        (Rule(1, "p", "remove", vrs=LO, sop_classes=frozenset({"1.2"}), modalities=frozenset({"MR"})), False),
    ],
)
def test_which_instances_a_rule_is_about(made: Rule, about: bool) -> None:
    normally = Decision("D", "the row")
    found = Matcher([made], Bare(), "1.2", False).first(0x00081030, "LO", "", normally)
    assert (found.action == "X") is about
