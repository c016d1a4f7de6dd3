"""Private elements on their way: dates as elsewhere, rules by creator, items and VRs that implicit VR hides."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.engine import explain
from proxy.deid.private import Declaration
from proxy.deid.private_walk import declarations
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.values import DEFAULT
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile

GATE = Gate(bytes(32))
CREATOR = 0x00450010
#: (0045,xx..) of ACME, safe by the project's own list
LISTED = {0x01: "DA", 0x02: "DT", 0x03: "TM", 0x04: "AS", 0x05: "LO", 0x06: "CS", 0x07: "UI", 0x08: "SQ", 0x09: "IS"}
VALUES = {
    0x01: "20240229", 0x02: "20240229101500", 0x03: "101500", 0x04: "045Y", 0x05: "left nodule Zwetschgenmann",
    0x06: "HEAD", 0x07: "1.2.3.9", 0x09: "7",
}  # fmt: skip


def policy(make: ModuleType, *options: str, **more: Any) -> Policy:
    rows = [
        {"creator": "ACME", "tag": f"(0045,xx{low:02X})", "vr": vr, "note": "read by our physicist"}
        for low, vr in LISTED.items()
    ]
    profile = {**load_profile("basic"), "options": ["rtn_safe_priv", *options], "private": rows, **more}
    return compile_policy(make.tables(), PolicySpec("research", profile, make.KEY))


def private(make: ModuleType, *lows: int, block: int = 0x10) -> Dataset:
    ds = make.dataset(StudyDate="20240229", PatientName="Zwetschgenmann^Q")
    ds.add_new(0x00450000 | block, "LO", "ACME")
    for low in lows or VALUES:
        ds.add_new(0x00450000 | block << 8 | low, LISTED[low], VALUES[low])
    return ds  # type: ignore[no-any-return]


def released(make: ModuleType, ds: Dataset, under: Policy, syntax: str = "EXPLICIT_LITTLE") -> Dataset:
    data = make.encode(ds, getattr(make, syntax))
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    return dcmread(io.BytesIO(out))


def left(out: Dataset, block: int = 0x10) -> dict[int, Any]:
    """Low byte → value, of the elements of ACME that are still there."""
    base = 0x00450000 | block << 8
    return {low: out[base | low].value for low in LISTED if base | low in out}


# ---- dates

KEEP = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}
CUT = {"dates": "remove", "birth_date": "remove", "times": "hour", "ages": "cap"}


@pytest.mark.parametrize(
    ("options", "more", "dates", "said"),
    [
        ((), {}, {}, "REMOVED"),
        (("rtn_pat_chars",), {}, {0x04: "045Y"}, "REMOVED"),
        (("rtn_long_full",), {}, {0x01: "20240229", 0x02: "20240229101500", 0x03: "101500"}, "UNMODIFIED"),
        (("rtn_long_full",), {"dates": KEEP}, {n: VALUES[n] for n in (1, 2, 3, 4)}, "UNMODIFIED"),
        (("rtn_long_modif",), {"dates": CUT}, {0x03: "100000", 0x04: "045Y"}, "MODIFIED"),
    ],
)
def test_private_dates_are_treated_as_dates_are(
    make: ModuleType, options: tuple[str, ...], more: dict[str, Any], dates: dict[int, str], said: str
) -> None:
    out = released(make, private(make, 1, 2, 3, 4), policy(make, *options, **more))
    assert left(out) == dates
    assert out.LongitudinalTemporalInformationModified == said
    assert (CREATOR in out) is bool(dates)


def test_private_dates_move_with_the_patient_s(make: ModuleType) -> None:
    out = released(make, private(make, 1, 2, 3, 4), policy(make, "rtn_long_modif"))
    moved = out.StudyDate
    assert moved != "20240229"
    assert left(out) == {0x01: moved, 0x02: moved + "101500", 0x03: "101500"}


def test_private_uids_are_retained_with_the_others(make: ModuleType) -> None:
    ds = private(make, 7)
    ds.FrameOfReferenceUID = VALUES[7]
    assert left(released(make, ds, policy(make, "rtn_uids"))) == {7: "1.2.3.9"}
    out = released(make, ds, policy(make))
    assert left(out) == {7: out.FrameOfReferenceUID}


# ---- rules


def rule(do: str, match: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"match": {"creator": "ACME", **(match or {})}, "do": do, **more}


@pytest.mark.parametrize(
    ("made", "low", "after"),
    [
        (rule("keep", {"vr": "CS"}), 0x06, "HEAD"),
        (rule("empty", {"vr": "LO"}), 0x05, ""),
        (rule("empty", {"mask": "(0045,xx09)"}), 0x09, None),
        (rule("replace", {"mask": "(0045,xx05)"}, **{"with": "SITE 7"}), 0x05, "SITE 7"),
        (rule("clean", {"vr": "CS"}), 0x06, "HEAD"),
        (rule("remove", {"vr": ["LO", "CS"]}), 0x05, "gone"),
        (rule("remove"), 0x09, "gone"),
        (rule("shift", {"vr": "DA"}), 0x09, 7),  # does nothing for a number: options and table decide
        (rule("hash", {"vr": "IS"}), 0x09, 7),
        ({"match": {"creator": "SOMEONE"}, "do": "remove"}, 0x09, 7),
        ({"match": {"vr": "IS"}, "do": "remove"}, 0x09, 7),  # without a creator: not about private elements
    ],
)
def test_rules_by_creator(make: ModuleType, made: dict[str, Any], low: int, after: Any) -> None:
    found = left(released(make, private(make), policy(make, rules=[made])))
    assert found.get(low, "gone") == after


def test_a_kept_text_is_not_cleaned_and_may_not_name_the_patient(make: ModuleType) -> None:
    under = policy(make, rules=[rule("keep", {"vr": "LO"})])
    ds = private(make, 5)
    ds[0x00451005].value = "left nodule Qxyzzy"
    assert left(released(make, ds, under)) == {5: "left nodule Qxyzzy"}
    assert left(released(make, ds, policy(make))) == {5: "left nodule"}
    with pytest.raises(InstanceHeld) as held:
        released(make, private(make, 5), under)
    assert held.value.reason is Reason.IDENTIFIER_REMAINS


@pytest.mark.parametrize("do", ["shift", "truncate"])
def test_dates_by_rule(make: ModuleType, do: str) -> None:
    made = rule(do, {"vr": "DA"}, **({"to": 15} if do == "truncate" else {}))
    out = released(make, private(make, 1), policy(make, "rtn_long_modif", rules=[made]))
    assert left(out) == {1: out.StudyDate if do == "shift" else out.StudyDate[:6] + "15"}
    with_full = left(released(make, private(make, 1), policy(make, "rtn_long_full", rules=[made])))
    assert with_full[1] != "20240229"


def test_a_hash_does_not_depend_on_the_block(make: ModuleType) -> None:
    under = policy(make, rules=[rule("hash", {"vr": "LO"})])
    here, there = (left(released(make, private(make, 5, block=n), under), n)[5] for n in (0x10, 0x2A))
    assert here == there
    assert len(here) == 16


@pytest.mark.parametrize("do", ["keep", "clean", "empty", "hash"])
def test_no_rule_makes_a_private_element_safe(make: ModuleType, do: str) -> None:
    ds = private(make, 9)
    ds.add_new(0x00451077, "LO", "planted")
    assert 0x00451077 not in released(make, ds, policy(make, rules=[rule(do)]))
    dated = private(make, 1)
    assert left(released(make, dated, policy(make, rules=[rule(do)]))) == {}


@pytest.mark.parametrize(("match", "stays"), [({}, False), ({"vr": "LO"}, True)])
def test_a_creator_goes_with_the_last_of_its_elements(make: ModuleType, match: dict[str, Any], stays: bool) -> None:
    out = released(make, private(make, 5, 9), policy(make, rules=[rule("remove", match)]))
    assert (CREATOR in out) is stays
    assert (0x00451009 in out) is stays


def test_a_rule_by_creator_can_refuse(make: ModuleType) -> None:
    for under in (policy(make, rules=[rule("refuse", {"vr": "IS"})]), policy(make, rules=[rule("refuse")])):
        with pytest.raises(InstanceHeld) as held:
            make.run(make.encode(private(make)), under)
        assert held.value.reason is Reason.REFUSED_BY_RULE


def test_explain_names_the_rule(make: ModuleType) -> None:
    data = memoryview(make.encode(private(make, 5, 9)))
    steps = {step.tag: step for step in explain(data, Claimed(), policy(make, rules=[rule("empty", {"vr": "LO"})]))}
    assert (steps[0x00451005].action, steps[0x00451005].rule) == ("empty", "rule 1 of profile basic")
    assert steps[0x00451009].rule == "option rtn_safe_priv: keep"


@pytest.mark.parametrize(
    "made",
    [rule("remove", {"vr": "IS"}), rule("empty", {"vr": "LO"}), rule("replace", {"vr": "LO"}, **{"with": "SITE 7"})],
)
def test_the_gate_reads_rules_by_creator_too(make: ModuleType, made: dict[str, Any]) -> None:
    ds = private(make, 5, 9)
    ds[0x00451005].value = "left nodule"
    data = make.encode(ds)
    result, _ = make.run(data, policy(make))
    ruled = policy(make, rules=[made])
    if made["do"] == "remove":
        with pytest.raises(InstanceHeld, match="a rule of the profile removes it"):
            GATE.verify(memoryview(data), result, ruled)
    else:  # another value than the rule's is judged as without the rule: it is a cleaned text
        GATE.verify(memoryview(data), result, replace(ruled, methods=policy(make).methods))


# ---- implicit VR


def declaring(make: ModuleType, vr: str, value: Any) -> Dataset:
    """(0045,xx31) of ACME, which no list has, declared safe by the instance."""
    ds = make.dataset(PatientName="Zwetschgenmann^Q")
    definition = Dataset()
    definition.PrivateDataElement, definition.PrivateDataElementValueRepresentation = 0x31, vr
    about = Dataset()
    about.PrivateGroupReference, about.PrivateCreatorReference = 0x0045, "ACME"
    about.BlockIdentifyingInformationStatus = "SAFE"
    about.PrivateDataElementDefinitionSequence = [definition]
    ds.PrivateDataElementCharacteristicsSequence = [about]
    ds.add_new(CREATOR, "LO", "ACME")
    ds.add_new(0x00451031, vr, value)
    return ds  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE"])
@pytest.mark.parametrize(
    ("vr", "value", "bytes_"),
    [("DS", "1.5", b"1.5 "), ("FD", 0.5, struct.pack("<d", 0.5)), ("LO", "left Zwetschgenmann", b"left")],
)
def test_what_an_instance_declares_holds_in_implicit_vr_too(
    make: ModuleType, vr: str, value: Any, bytes_: bytes, syntax: str
) -> None:
    out = released(make, declaring(make, vr, value), policy(make), syntax)
    assert 0x00451031 in out
    tail = struct.pack("<HHI", 0x0045, 0x1031, len(bytes_)) if syntax == "IMPLICIT_LITTLE" else b""
    buffer = io.BytesIO()
    out.save_as(buffer)
    assert tail + bytes_ in buffer.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_declared_vr_is_judged_in_implicit_vr(make: ModuleType) -> None:
    """A UID is replaced, and one that was not is found by the gate, which reads the declaration itself."""
    ds = declaring(make, "UI", "1.2.9")
    data = make.encode(ds, make.IMPLICIT_LITTLE)
    result, out = make.run(data, policy(make))
    GATE.verify(memoryview(data), result, policy(make))
    head = struct.pack("<HH", 0x0045, 0x1031)
    at = out.index(head)
    forged = out[:at] + head + struct.pack("<I", 6) + b"1.2.7\0" + out[at + 8 + out[at + 4] :]
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(forged,)), policy(make))
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def nested(make: ModuleType) -> Dataset:
    ds = private(make, 9)
    inner = Dataset()
    inner.PatientName, inner.Rows = "Zwetschgenmann^Q", 7
    inner.ReferencedSOPInstanceUID = "1.2.3.8"
    inner.add_new(CREATOR, "LO", "ACME")
    inner.add_new(0x00451001, "DA", "20240229")
    inner.add_new(0x00451009, "IS", "8")
    ds.add_new(0x00451008, "SQ", [inner])
    return ds


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_safe_private_sequences_are_items_for_every_reader(make: ModuleType, syntax: str) -> None:
    out = released(make, nested(make), policy(make), syntax)
    element = out[0x00451008]
    if element.VR == "SQ":
        (inside,) = element.value
        assert inside.ReferencedSOPInstanceUID.startswith("2.25.")
        assert (inside.Rows, 0x00451001 in inside, CREATOR in inside) == (7, False, True)
        assert "Zwetschgenmann" not in str(inside)
    if syntax == "IMPLICIT_LITTLE":
        assert element.VR == "SQ", "an undefined length says that it is one"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_gate_reads_the_items_of_private_sequences_in_implicit_vr(make: ModuleType) -> None:
    data = make.encode(nested(make), make.IMPLICIT_LITTLE)
    under = policy(make)
    result, out = make.run(data, under)
    uid = next(part for part in out.split(b"\x08\x00\x55\x11")[1:])  # (0008,1155) inside the item
    length = uid[0]
    value = uid[4 : 4 + length]
    foreign = b"1.2.3.77".ljust(length, b"\0")
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(out.replace(value, foreign),)), under)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def test_the_gate_refuses_items_that_only_a_list_says_are_items(make: ModuleType) -> None:
    data = make.encode(nested(make), make.IMPLICIT_LITTLE)
    under = policy(make)
    result, out = make.run(data, under)
    head = struct.pack("<HHI", 0x0045, 0x1008, 0xFFFFFFFF)
    at, end = out.index(head), out.index(bytes.fromhex("feffdde000000000"))
    value = out[at + 8 : end]
    forged = out[:at] + head[:4] + struct.pack("<I", len(value)) + value + out[end + 8 :]
    with pytest.raises(InstanceHeld, match="safe as what it is"):
        GATE.verify(memoryview(data), replace(result, chunks=(forged,)), under)


# ---- what an instance declares of its private elements (PS3.3 C.12.1), as plain values


def numbers(*each: int) -> bytes:
    return struct.pack(f"<{len(each)}H", *each)


def declaration(make: ModuleType, *changes: tuple[int, str, bytes], action: bytes = b"") -> tuple[Declaration, ...]:
    """What one item of (0008,0300) says after ``changes``."""
    item_ = {0x00080301: ("US", numbers(0x45)), 0x00080302: ("LO", b"ACME"), 0x00080303: ("CS", b"MIXED "),
             0x00080304: ("US", numbers(0x31, 0x32))}  # fmt: skip
    definition = {0x00080308: ("US", numbers(0x1031)), 0x0008030A: ("CS", b"LO")}
    for tag, vr, value in changes:
        (definition if tag >= 0x00080308 else item_)[tag] = (vr, value)

    def coded(elements: dict[int, tuple[str, bytes]]) -> bytes:
        inside = b"".join(make.raw_element(tag, vr, value) for tag, (vr, value) in sorted(elements.items()))
        return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(inside)) + inside

    item_[0x00080305] = ("SQ", coded({0x00080306: ("US", action)}) if action else b"")
    item_[0x00080310] = ("SQ", coded(definition))
    data = make.encode(make.dataset())
    at = data.index(b"\x10\x00\x10\x00PN")
    instance = read_instance(
        memoryview(data[:at] + make.raw_element(0x00080300, "SQ", coded(item_)) + data[at:]), make.policy()
    )
    return declarations(instance.root, DEFAULT, True)


def test_a_declaration_is_read_as_it_is_said(make: ModuleType) -> None:
    said = Declaration(0x45, "ACME", "MIXED", frozenset({0x31, 0x32}), frozenset({0x33}), {0x31: "LO"})
    assert declaration(make, action=numbers(0x33)) == (said,)
    assert declaration(make) == (replace(said, identifying=frozenset()),)
    both = declaration(make, (0x00080301, "US", numbers(0x45, 0x47)), action=numbers(0x33))
    assert both == (said, replace(said, group=0x47)), "one for each group"


@pytest.mark.parametrize(
    ("change", "field", "left"),
    [
        ((0x00080302, "LO", b""), "creator", ""), ((0x00080303, "CS", b"SAFE"), "status", "SAFE"),
        ((0x00080304, "OB", b"\x31\0\x32"), "nonidentifying", frozenset({0x31, 0x2032})),
        ((0x00080304, "US", b""), "nonidentifying", frozenset()), ((0x00080308, "US", b""), "vrs", {}),
        ((0x00080308, "US", numbers(0x1031, 0x12)), "vrs", {0x31: "LO", 0x12: "LO"}),
        ((0x0008030A, "CS", b""), "vrs", {0x31: ""}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_declares_nothing(
    make: ModuleType, change: tuple[int, str, bytes], field: str, left: object
) -> None:
    (found,) = declaration(make, change)
    assert getattr(found, field) == left


def test_without_a_group_nothing_is_declared(make: ModuleType) -> None:
    assert declaration(make, (0x00080301, "US", b"")) == ()
    assert declaration(make, (0x00080301, "SQ", b"")) == ()
