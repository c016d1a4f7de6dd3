"""What passes at a glance passes the rules too: for every attribute, VR, kind of value, profile and option."""

from __future__ import annotations

import random
import struct
from types import ModuleType
from typing import Any

import pytest

from proxy.deid.allowed import CONSTANTS, Rules
from proxy.deid.allowed_content import ASKED
from proxy.deid.facts import Facts, facts_of
from proxy.deid.glance import ANYTHING, EMPTY, MOVED, OWN_UIDS, PSEUDONYM, TIME, Glance
from proxy.deid.glance import CONSTANTS as CONSTANTS_OF_OURS
from proxy.deid.glance_values import left, table_of
from proxy.deid.original import Source
from proxy.deid.part10 import LONG_VRS, VRS, Limits
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.rows import FORM, read_rows
from proxy.deid.sieve import Sieve
from proxy.deid.view import View
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile

OWN = "2.25.281129270705075792245363778294501953573"
#: of an earlier pass: pseudonyms in the input are original values like all others
EARLIER = "2.25.150000000000000000000000000000000000000"
VALUES = [
    b"", b"REMOVED", b"1.2.3.4.5", b"1.2.840.10008.1.2", OWN.encode(), EARLIER.encode(), b"20200229", b"20200301",
    b"20200229\t", b"20200301\\20200302", b"101112", b"101112.5 ", b"991112", b"0900", b"042Y", b"lung", b"REMOVED\\x",
    b"\\", b" ", b"DCM\\121106", b"1.2.840.100081", b"2.25.7", b"1", b"\x00\x01", b"+0000", b"19000101",
]  # fmt: skip
NAMES = ["basic", "research", "mammography", "uids", "full", "cleaned", "all kept", "ruled"]
OPTIONS = {
    "uids": ("rtn_uids", "rtn_long_modif"),
    "full": ("rtn_long_full", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars"),
    "cleaned": ("clean_desc", "clean_struct", "clean_graph", "rtn_long_modif"),
    "all kept": (
        "rtn_safe_priv", "rtn_uids", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "rtn_long_full", "clean_desc",
        "clean_struct", "clean_graph",
    ),
}  # fmt: skip
RULES: list[dict[str, Any]] = [
    {"match": {"vr": "LO"}, "do": "remove"},
    {"match": {"tag": "(0018,0015)"}, "do": "remove"},
    {"match": {"mask": "(0028,xxxx)"}, "do": "remove"},
]


def policy_of(make: ModuleType, name: str) -> Policy:
    if name in OPTIONS:
        found: Policy = make.optioned(*OPTIONS[name], base="research" if name == "full" else "basic")
    elif name == "ruled":
        profile = {**load_profile("research"), "rules": RULES}
        found = compile_policy(make.tables(), PolicySpec("research", profile, make.KEY, patient_id_prefix="P-"))
    else:
        found = make.policy(name)
    return found


def data_set(elements: dict[int, tuple[str, bytes]]) -> bytes:
    out = []
    for tag, (vr, value) in sorted(elements.items()):
        content = b"" if vr == "SQ" else value + b"\0" * (len(value) % 2)
        size = struct.pack("<xxI", len(content)) if vr.encode() in LONG_VRS else struct.pack("<H", len(content))
        out.append(struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode()) + size + content)
    return b"".join(out)


def view(elements: dict[int, tuple[str, bytes]], facts: Facts) -> View:
    data = memoryview(data_set(elements))
    rows = read_rows(data, 0, implicit=False, little=True, facts=facts, limits=Limits())
    return View(data, rows, facts)


def passing(before: View, after: View, policy: Policy) -> list[int]:
    """Rows that neither a glance nor the sieve stops, once the rules have said so too."""
    asked, sieve = left(after, before, table_of(policy)), Sieve(before, uids="rtn_uids" not in policy.options)
    suspects = sieve.suspects(after)
    found = [n for n in range(len(after.rows)) if after.rows[n, FORM] < 0 and not asked[n] and not suspects[n]]
    rules = Rules(policy, Source(before, sieve.rows))
    for row in found:
        leaf = after.leaf(row)
        try:
            rules.check(leaf)
        except InstanceHeld as held:
            raise AssertionError(f"{leaf.tag:08X} {leaf.vr} {bytes(leaf.value)!r}: {held.detail}") from None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_passes_at_a_glance_passes_the_rules(make: ModuleType, name: str) -> None:
    policy = policy_of(make, name)
    facts, rnd, vrs = facts_of(policy), random.Random(name), sorted(VRS.values())
    passed = 0
    for _ in range(14):
        after, before = {}, {}
        for tag in (tag for tag in facts.tags if tag >> 16 != 0xFFFE):
            known = facts.vr_of(tag).split(" or ")
            vr = rnd.choice([*known, rnd.choice(vrs)])
            vr = vr if vr.encode() in VRS else "UN"
            after[tag] = (vr, b"" if "SQ" in (*known, vr) else rnd.choice(VALUES))
            if rnd.random() < 0.7 and "SQ" not in (*known, vr):
                same = rnd.random() < 0.5
                before[tag] = (vr, after[tag][1] if same else rnd.choice(VALUES))
        before[0x00080005] = after[0x00080005] = ("CS", b"ISO_IR 100")  # else all is suspected
        passed += len(passing(view(before, facts), view(after, facts), policy))
    assert passed > len(facts.tags)  # otherwise the glance would be of no use


@pytest.mark.parametrize("prefix", ["", "P-"])
def test_a_pseudonym_passes_where_it_is_new(make: ModuleType, prefix: str) -> None:
    policy = make.policy("basic", patient_id_prefix=prefix)
    facts, provider = facts_of(policy), policy.pseudonyms()
    new, old = (provider.patient_id("", text).encode() for text in ("1", "2"))
    for tag in (0x00100010, 0x00100020):
        for vr in ("LO", "PN", "UN", "UT"):
            for first in (tag, 0x00081070):  # where it stood does not count
                before = view({first: (vr, old), 0x00104000: ("LT", b"x")}, facts)
                assert passing(before, view({tag: ("LO", new)}, facts), policy) == [0]
                if first == tag:
                    assert passing(before, view({tag: ("LO", old)}, facts), policy) == []
        for wrong in (
            new[:-1],
            new + b"0",
            new[:-1] + bytes([new[-1] ^ 1]),
            b"X-" + new,
            new.lower(),
            new + b"\\" + new,
        ):
            assert passing(view({}, facts), view({tag: ("LO", wrong)}, facts), policy) == []


@pytest.mark.parametrize(("uid", "passes"), [
    (OWN, True), (EARLIER, False), ("1.2.840.10008", True), ("1.2.840.10008.5", True), ("1.2.840.100085", False),
    ("2.25.", False), ("2.25.1.2", False), ("2.25." + "9" * 40, False), ("2.25.0", False), (f"{OWN}\\", True),
    (f"{OWN}\\1.2.3", False), (f"{OWN}\\{OWN}", True), ("", True),
])  # fmt: skip
def test_uids(make: ModuleType, uid: str, passes: bool) -> None:
    policy = make.policy("basic")
    facts = facts_of(policy)
    found = passing(view({}, facts), view({0x00200052: ("UI", uid.encode())}, facts), policy)
    assert bool(found) is passes


@pytest.mark.parametrize(
    "number", [8 << 76, 8 << 76 | 1, 9 << 76, (1 << 128) - 1, 8 << 76 | 1 << 127, 7 << 76, 8 << 72]
)
def test_the_version_of_a_pseudonymous_uid(make: ModuleType, number: int) -> None:
    """As `allowed` reads it, with numbers of any size."""
    policy = make.policy("basic")
    facts = facts_of(policy)
    found = passing(view({}, facts), view({0x00200052: ("UI", f"2.25.{number}".encode())}, facts), policy)
    assert bool(found) is (number >> 76 & 15 == 8)


@pytest.mark.parametrize(("time", "passes"), [
    ("10", True), ("1011", True), ("101112", True), ("101112.1", True), ("101112.123456", True),
    ("101112.1234567", False),
    ("101112.", False), ("1", False), ("101", False), ("301112", False), ("106112", False), ("101172", False),
    ("101112x1", False), ("10:11:12", False), ("", True), ("101112 ", True),
])  # fmt: skip
def test_times(make: ModuleType, time: str, passes: bool) -> None:
    policy = make.policy("research")
    facts = facts_of(policy)
    found = passing(view({}, facts), view({0x00080033: ("TM", time.encode())}, facts), policy)
    assert bool(found) is passes


def test_dates_are_held_against_those_at_the_same_place(make: ModuleType) -> None:
    policy = make.policy("research")
    facts = facts_of(policy)

    def ask(value: bytes, *before: bytes) -> bool:
        source = {0x00080023: ("DA", before[0])} if before else {}
        return bool(passing(view(source, facts), view({0x00080023: ("DA", value)}, facts), policy))

    assert ask(b"20200229")
    assert ask(b"20200228", b"20200229")
    assert ask(b"20200229", b"20200229\\20200301") is False  # several values are for the rules
    assert not ask(b"20200229", b"20200229")
    assert not ask(b"20200229", b" 20200229 ")
    assert not ask(b"20200229\t", b"20200229")
    assert ask(b"19000101", b"19000101")  # a constant of ours


def test_what_tells_the_concept_of_a_content_item_is_always_asked(make: ModuleType) -> None:
    """The rules have to see it in document order, where content items are judged."""
    for options, asked in (((), False), (("clean_struct",), True)):
        glance = Glance(make.optioned(*options))
        assert {glance.case(tag) is None for tag in ASKED} == {asked}


def test_constants_are_known(make: ModuleType) -> None:
    policy = make.policy("basic")
    facts = facts_of(policy)
    for constant in CONSTANTS:
        assert passing(view({}, facts), view({0x00200010: ("SH", constant)}, facts), policy) == [0]
    assert passing(view({}, facts), view({0x00200010: ("SH", b"REMOVE")}, facts), policy) == []
    assert passing(view({}, facts), view({0x00200010: ("SH", b"REMOVEDX")}, facts), policy) == []


UNCHANGED = EMPTY | CONSTANTS_OF_OURS
DATE, AT_LENGTH, AGE, NAME, DESCRIPTION = 0x00080020, 0x00181012, 0x00101010, 0x00100010, 0x00081030
TIME_OF_STUDY, ANY_UID, CLASS_UID, SEQUENCE, REPLACED = 0x00080030, 0x00200052, 0x00081150, 0x00081140, 0x00400275


@pytest.mark.parametrize(
    ("options", "tag", "vr", "values"),
    [
        ("", DATE, "DA", UNCHANGED), ("rtn_long_modif", DATE, "DA", MOVED | CONSTANTS_OF_OURS),
        ("rtn_long_full", DATE, "DA", UNCHANGED), ("", AT_LENGTH, "DA", 0), ("rtn_long_full", AT_LENGTH, "DA", EMPTY),
        ("rtn_long_modif", AT_LENGTH, "DA", MOVED | CONSTANTS_OF_OURS), ("rtn_long_modif", TIME_OF_STUDY, "TM", TIME),
        ("rtn_long_modif", 0x0040A13A, "DT", MOVED | CONSTANTS_OF_OURS), ("", 0x0040A13A, "DT", UNCHANGED),
        ("", AGE, "AS", 0), ("rtn_pat_chars", AGE, "AS", EMPTY), ("rtn_pat_chars", 0x00100040, "CS", UNCHANGED),
        ("", NAME, "PN", UNCHANGED | PSEUDONYM), ("", NAME, "CS", UNCHANGED), ("", 0x00081070, "PN", UNCHANGED),
        ("", 0x00100020, "LO", UNCHANGED | PSEUDONYM), ("", DESCRIPTION, "LO", 0), ("clean_desc", DESCRIPTION, "LO", 0),
        ("", ANY_UID, "UI", OWN_UIDS), ("rtn_uids", ANY_UID, "UI", EMPTY), ("rtn_uids", 0x00080018, "UI", EMPTY),
        ("", CLASS_UID, "UI", ANYTHING), ("rtn_uids", CLASS_UID, "UI", ANYTHING),
        ("", SEQUENCE, "SQ", ANYTHING), ("", REPLACED, "SQ", 0), ("clean_desc", REPLACED, "SQ", ANYTHING),
        ("", 0x0018A001, "SQ", ANYTHING), ("", 0x00280010, "US", ANYTHING), ("", 0x00280010, "LO", 0),
        ("", 0x00280010, "SQ", 0), ("", 0x00080063, "SH", 0), ("", 0x00141020, "DA", 0),
        ("", 0x00080070, "LO", ANYTHING),
    ],
)  # fmt: skip
def test_which_values_pass(make: ModuleType, options: str, tag: int, vr: str, values: int) -> None:
    """By the rows of Table E.1-1; what is kept as it came passes at a glance only where it is empty."""
    glance = Glance(make.optioned(*options.split()))
    case = glance.case(tag)
    assert case is not None
    assert glance.passes(case, vr) == values


@pytest.mark.parametrize(
    "tag", [0x00080000, 0x00070010, 0x00090010, 0x50000010, 0x601E0010, 0x7FE00010, 0x00420011, 0x04000500, 0x0018FFFE]
)
def test_what_always_needs_a_thought(make: ModuleType, tag: int) -> None:
    """Group lengths, private elements, curves, overlays, pixels, documents, originals, what nobody knows."""
    assert Glance(make.optioned()).case(tag) is None


def test_words_about_dates_are_thought_about_and_all_else_is_not(make: ModuleType) -> None:
    """Docs: dates.md. Under such words no date passes at a glance, whichever of its two VRs says that it is one."""
    plain, worded = Glance(make.worded("rtn_long_modif")), Glance(make.worded("rtn_long_modif", dates="year"))
    for tag, vr in ((DATE, "DA"), (TIME_OF_STUDY, "TM"), (0x0040A13A, "DT"), (DATE, "LO"), (0x00080050, "DA")):
        case = plain.case(tag)
        assert case is not None
        assert plain.passes(case, vr)
        assert worded.passes(case, vr) == 0
    for tag, vr in ((0x00080050, "SH"), (0x00080070, "LO"), (ANY_UID, "UI")):
        case = plain.case(tag)
        assert case is not None
        assert worded.passes(case, vr) == plain.passes(case, vr) != 0


@pytest.mark.parametrize(
    ("match", "case", "passes"),
    [
        ({"tag": "(0008,0050)"}, False, False), ({"tag": "(0008,0050)", "vr": "SH"}, False, False),
        ({"mask": "(0008,xxxx)"}, False, False), ({"vr": "SH"}, True, False), ({"vr": "LO"}, True, True),
        ({"tag": "(0008,0051)"}, True, True), ({"mask": "(0010,xxxx)"}, True, True),
        ({"creator": "ACME", "mask": "(0009,xx50)"}, True, True),
    ],
)  # fmt: skip
def test_what_a_site_s_rule_is_about_needs_a_thought(
    make: ModuleType, match: dict[str, str], case: bool, passes: bool
) -> None:
    profile = {**load_profile("basic"), "options": ["rtn_safe_priv"], "rules": [{"match": match, "do": "empty"}]}
    glance = Glance(compile_policy(make.tables(), PolicySpec("p", profile, make.KEY)))
    found = glance.case(0x00080050)
    assert (found is not None) is case
    assert bool(found is not None and glance.passes(found, "SH")) is passes
