"""Golden: every row of PS3.15 Table E.1-1, read from the standard's CSV and not from the code, against the engine."""

from __future__ import annotations

import csv
import io
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag

from proxy.deid import dummies
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile

TABLE = Path(__file__).parents[2] / "rules" / "standard" / "ps3.15-e1-1.csv"
ROWS = list(csv.DictReader(io.StringIO(TABLE.read_text(encoding="utf-8"))))


def number(tag: str) -> int:
    return int(tag[1:5] + tag[6:10], 16)


CONCRETE = [row for row in ROWS if "x" not in row["tag"] and "odd" not in row["tag"]]
#: attributes that are part of every instance and have their own tests in test_engine.py
SPECIAL = {"PatientID", "PatientName", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}
#: a sequence that no row names, where a CT may have anything
PARENT = 0x00082218  # Anatomic Region Sequence
#: VR → a value that must be recognisable if it survives
PLANTED = {
    "AE": b"PLANTED", "AS": b"042Y", "CS": b"PLANTED", "DA": b"19690720", "DT": b"19690720201704",
    "LO": b"Planted^Value", "LT": b"Planted value", "OB": b"PLANTED.", "OB/OW": b"PLANTED.", "PN": b"Planted^Name",
    "SH": b"Planted", "ST": b"Planted value", "TM": b"201704", "UC": b"Planted", "UI": b"1.2.3.4711",
    "UN": b"PLANTED.", "UR": b"http://planted/", "UT": b"Planted value",
    "DS": b"47.11", "IS": b"4711", "US": struct.pack("<H", 4711), "UL": struct.pack("<L", 4711),
    "FD": struct.pack("<d", 47.11), "FL": struct.pack("<f", 47.11),
}  # fmt: skip


def planted(make: ModuleType, row: dict[str, str]) -> bytes:
    """The element of ``row`` with a planted value, encoded by hand: libraries do not know all of these."""
    tag, vr = number(row["tag"]), row["vr"]
    if vr == "SQ":
        inner = make.raw_element(0x00080104, "LO", PLANTED["LO"]) + make.raw_element(0x00081155, "UI", PLANTED["UI"])
        return make.raw_element(tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    return make.raw_element(tag, vr, PLANTED[vr])


def instance(make: ModuleType, element: bytes, tag: int, nested: bool) -> bytes:
    ds = make.dataset()
    base = make.encode(ds)
    if nested:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element
        tag, element = PARENT, make.raw_element(PARENT, "SQ", item)
    return insert(base, tag, element)


def insert(base: bytes, tag: int, element: bytes) -> bytes:
    """Put ``element`` where its tag belongs (explicit VR little endian, no sequences in ``base``)."""
    at = 128 + 4 + 12 + struct.unpack("<I", base[140:144])[0]
    while at < len(base):
        group, elem, _, length = struct.unpack_from("<HH2sH", base, at)
        if (group << 16 | elem) > tag:
            break
        at += 8 + length
    return base[:at] + element + base[at:]


def outcome(make: ModuleType, data: bytes, tag: int, nested: bool, profile: str) -> tuple[Any, bytes]:
    _, out = make.run(data, make.policy(profile))
    ds = dcmread(io.BytesIO(out))
    if nested:
        assert PARENT in ds, "the sequence that no row names was lost"
        ds = ds[PARENT].value[0]
    return ds.get(tag), out


def allowed(basic: str) -> set[str]:
    return {"X/Z/U*": {"R"}, "Z": {"Z", "D"}, "X/Z": {"X", "Z", "D"}}.get(basic, set(basic.split("/")))


def action(element: Any, row: dict[str, str], out: bytes) -> str:
    """Which action the output shows. A planted value in it is none."""
    vr = row["vr"]
    if element is None:
        return "X"
    if vr == "SQ":
        if len(element.value) == 0:
            return "Z"
        assert b"1.2.3.4711" not in out, "a UID inside survived"
        return "R" if b"Planted" in out else "D"
    assert PLANTED[vr] not in out, "the planted value survived"
    if element.value in ("", None, b""):
        return "Z"
    return "U" if vr == "UI" else "D"


@pytest.mark.parametrize("nested", [False, True], ids=["top", "nested"])
@pytest.mark.parametrize("row", CONCRETE, ids=lambda row: f"{row['tag']}{row['keyword']}")
def test_every_row_of_the_table(make: ModuleType, row: dict[str, str], nested: bool) -> None:
    tag = number(row["tag"])
    if row["keyword"] in SPECIAL and not nested:
        return
    if row["keyword"] == "EncapsulatedDocument" and not nested:
        return  # such an instance is held: test_burned_in.py
    data = instance(make, planted(make, row), tag, nested)
    element, out = outcome(make, data, tag, nested, "basic")
    shown = action(element, row, out)
    if tag >> 16 < 0x0008:
        assert shown == "X", "group 0000 to 0006 is no part of a stored data set"
    elif row["keyword"] == "PatientID":
        assert shown == "D"
    elif (row["basic"], row["vr"]) == ("D", "UI"):
        assert shown == "U", "a dummy UID is a pseudonymous one"
    else:
        assert shown in allowed(row["basic"])
    if nested and "/" in row["basic"] and "U" not in row["basic"] and row["keyword"] != "PatientID":
        assert shown == ("X" if "X" in row["basic"] else "Z"), "not in this IOD: type 3"


@pytest.mark.parametrize("row", [r for r in CONCRETE if r["rtn_long_modif"]], ids=lambda row: row["keyword"])
def test_every_row_of_modified_dates(make: ModuleType, row: dict[str, str]) -> None:
    tag, vr = number(row["tag"]), row["vr"]
    data = instance(make, planted(make, row), tag, nested=True)
    element, out = outcome(make, data, tag, True, "research")
    if vr not in ("DA", "DT", "TM"):
        assert action(element, row, out) in allowed(row["basic"])
        return
    value = element.value
    if vr == "TM":
        assert value == "201704"
        return
    assert value != PLANTED[vr].decode()
    assert len(value) == len(PLANTED[vr])
    assert value[8:] == PLANTED[vr].decode()[8:], "the time of day moved"
    assert "19680720" <= value[:8] < "19690720"


@pytest.mark.parametrize("group", [0x5000, 0x5002, 0x501E, 0x6000, 0x6002, 0x601E])
@pytest.mark.parametrize("number", [0x3000, 0x4000, 0x0010, 0x0022, 0x1500])
def test_masked_rows(make: ModuleType, group: int, number: int) -> None:
    tag = group << 16 | number
    data = instance(make, make.raw_element(tag, "OB", b"PLANTED.") + b"", tag, nested=False)
    if number == 0x0010:  # a plane with rows but no data lies in the pixels: see test_burned_in.py
        data = insert(data, group << 16 | 0x3000, make.raw_element(group << 16 | 0x3000, "OB", b"PLANTED."))
    _, out = make.run(data, make.policy())
    assert b"PLANTED" not in out
    assert not [t for t in dcmread(io.BytesIO(out)) if t.tag.group >= 0x5000]


@pytest.mark.parametrize(
    "tag", [0x50200005, 0x60200010, 0x60FF3000, 0x00091001, 0x00090010, 0x7FE11010, 0x00080002, 0x10000010]
)
@pytest.mark.parametrize("nested", [False, True])
def test_private_unknown_and_out_of_range(make: ModuleType, tag: int, nested: bool) -> None:
    data = instance(make, make.raw_element(tag, "LO", b"PLANTED."), tag, nested)
    element, out = outcome(make, data, tag, nested, "research")
    assert element is None
    assert b"PLANTED" not in out


@pytest.mark.parametrize(
    ("tag", "vr", "value", "kept"),
    [
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY", True),
        (0x00180050, "DS", b"2.5471", True),
        (0x00080120, "UR", b"urn:oid:1.2.3", True),  # named in the profile
        (0x0040E010, "UR", b"http://host/x", False),  # Retrieve URI
        (0x00081190, "UR", b"http://host/x", False),  # Retrieve URL
        (0x00081159, "LO", b"planted", False),  # not in PS3.6
        (0x00100033, "LO", b"S45/03/01", False),  # Patient's Birth Date in Alternative Calendar
        (0x30040006, "LO", b"planted", False),  # Dose Comment
        (0x300E000A, "PN", b"Planted^A", False),
        (0x00189803, "PN", b"Planted^X", False),  # a number in PS3.6
        (0x00189803, "LO", b"Planted X", False),
        (0x00280010, "LO", b"Planted X", False),
        (0x00280010, "UN", b"PX", True),  # UN of known VR is that VR
        (0x00081050 + 0x9, "LO", b"planted", False),
    ],
)
def test_unlisted(make: ModuleType, tag: int, vr: str, value: bytes, kept: bool) -> None:
    """Defaults of the profile for what no row names; a wrong kind of VR is removed with its value."""
    data = instance(make, make.raw_element(tag, vr, value), tag, nested=True)
    element, out = outcome(make, data, tag, True, "basic")
    assert (element is not None, value in out) == (kept, kept)


@pytest.mark.parametrize("syntax", ["IMPLICIT_LITTLE", "EXPLICIT_LITTLE"])
def test_attributes_that_the_library_does_not_know(make: ModuleType, syntax: str) -> None:
    """In implicit VR nothing says what they are: they go by tag number alone, with or without `register`."""
    ds = make.dataset()
    young = [row for row in CONCRETE if not dictionary_has_tag(number(row["tag"]))]
    for row in young:
        if row["vr"] == "SQ":
            ds.add_new(number(row["tag"]), "SQ", [make.dataset()])
        else:
            ds.add_new(number(row["tag"]), "UN", b"PLANTED.")
    _, out = make.run(make.encode(ds, getattr(make, syntax)), make.policy())
    assert b"PLANTED" not in out
    left = dcmread(io.BytesIO(out))
    assert not [row["tag"] for row in young if number(row["tag"]) in left]


def test_the_code_of_a_masked_tag(make: ModuleType) -> None:
    """PS3.5 7.6: sixteen even groups each; what lies beyond is named by no row."""
    code = make.policy().code
    for group in [*range(0x5000, 0x5020, 2), *range(0x6000, 0x6020, 2)]:
        assert code(group << 16 | 0x3000) == code(group << 16 | 0x0010) == "X"
    assert code(0x50203000) == code(0x60203000) == code(0x60FE3000) == code(0x50FE3000) == ""
    assert code(0x00091001) == code(0x60013000) == code(0x00020010) == "X"


def test_a_policy_can_be_pickled_and_hides_its_key(make: ModuleType) -> None:
    policy = make.policy("research", key=b"K" * 32)
    again = pickle.loads(pickle.dumps(policy))
    assert again.digest == policy.digest
    assert again.code(0x00100010) == "Z"
    assert "KKKK" not in repr(policy)


def test_the_digest_is_over_everything_but_the_key(make: ModuleType) -> None:
    base = make.policy("research").digest
    assert make.policy("research", key=b"x" * 32).digest == base
    others = [make.policy("basic"), make.policy("research", uninspected_pixels="forward")]
    others += [make.policy("research", patient_id_prefix="A-"), make.policy("research", key_epoch=2)]
    assert len({base, *(other.digest for other in others)}) == 5


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"surprise": 1}, "surprise"),
        ({"options": ["clean_pixel"], "pixels": {"text": "screen"}}, "read in full"),
        ({"options": ["clean_visual_features"]}, "not done in flight"),
        ({"options": ["rtn_long_full", "rtn_long_modif"]}, "exclude each other"),
        ({"names": "Doe"}, "list of names"),
        ({"options": ["rtn_everything"]}, "not an option"),
        ({"options": "rtn_long_modif"}, "list"),
        ({"table": "other"}, "table"),
        ({"version": 2}, "version"),
    ],
)
def test_a_wrong_profile_is_refused(make: ModuleType, change: dict[str, Any], where: str) -> None:
    profile = {**load_profile("basic"), **change}
    with pytest.raises(ConfigError, match=where):
        compile_policy(make.tables(), PolicySpec("p", profile, bytes(32)))


@pytest.mark.parametrize(
    ("vr", "word"),
    [("PN", "keep"), ("UI", "keep"), ("DA", "keep"), ("UN", "keep"), ("LO", "shift"), ("LO", "maybe"), ("ZZ", "keep")],
)
def test_a_default_that_would_leak_is_refused(make: ModuleType, vr: str, word: str) -> None:
    unlisted = load_profile("basic")["unlisted"]
    profile = {**load_profile("basic"), "unlisted": {**unlisted, "by_vr": {**unlisted["by_vr"], vr: word}}}
    with pytest.raises(ConfigError, match=vr):
        compile_policy(make.tables(), PolicySpec("p", profile, bytes(32)))


def test_a_default_that_is_missing_is_refused(make: ModuleType) -> None:
    unlisted = load_profile("basic")["unlisted"]
    by_vr = {vr: word for vr, word in unlisted["by_vr"].items() if vr != "LO"}
    with pytest.raises(ConfigError, match="'LO' is missing"):
        compile_policy(
            make.tables(),
            PolicySpec("p", {**load_profile("basic"), "unlisted": {**unlisted, "by_vr": by_vr}}, bytes(32)),
        )


@pytest.mark.parametrize(
    "wrong",
    [{"root_key": b"short"}, {"blank_patient_id": "merge"}, {"uninspected_pixels": "maybe"}, {"date_shift_days": 0}],
)
def test_a_wrong_spec_is_refused(make: ModuleType, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        compile_policy(
            make.tables(),
            PolicySpec(**{"project": "p", "profile": load_profile("basic"), "root_key": bytes(32), **wrong}),
        )


def test_a_row_that_is_no_tag_must_be_a_mask_that_the_code_knows(make: ModuleType) -> None:
    rows = make.tables().attributes
    odd = replace(rows[0], tag="(70xx,0001)")
    with pytest.raises(ConfigError, match="70xx"):
        compile_policy(
            replace(make.tables(), attributes=(*rows, odd)), PolicySpec("p", load_profile("basic"), bytes(32))
        )


def test_nothing_planted_here_is_a_dummy() -> None:
    assert not set(dummies.BY_VR.values()) & set(PLANTED.values())
