"""Safe private elements are known by creator and place; everything else goes, whatever it says of itself."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.deid.private import Blocks, Declaration, PrivateAction, SafePrivate, is_creator, project_rows, safe_rows
from proxy.errors import ConfigError

CSV = Path(__file__).parents[2] / "rules" / "standard" / "ps3.15-e3.10-1-safe-private.csv"
with CSV.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))
SAFE = safe_rows(ROWS)
SIEMENS, GE = "SIEMENS MR HEADER", "GEMS_PARM_01"
#: VR in the table → action and VR for an element that states the same
EXPECTED = {
    **dict.fromkeys(["FL", "FD", "US", "UL", "SS", "SL", "IS", "DS", "AT", "CS", "OB", "OW"], "keep"),
    **dict.fromkeys(["LO", "SH", "ST", "LT"], "clean"),
    "UI": "remap",
    "SQ": "recurse",
    "": "remove",
}


def tag_of(row: Mapping[str, str], block: int) -> int:
    return int(row["tag"][1:5], 16) << 16 | block << 8 | int(row["tag"][8:10], 16)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['private_creator']} {row['tag']}")
@pytest.mark.parametrize("block", [0x10, 0xAB, 0xFF])
def test_every_row_of_table_e3_10_1(row: Mapping[str, str], block: int) -> None:
    creator, tag = row["private_creator"], tag_of(row, block)
    blocks = Blocks({tag & 0xFFFF0000 | block: creator})
    found = blocks.creator_of(tag)
    assert found == creator
    vr = row["vr"] if row["vr"] != "OW/OB" else "OW"
    assert SAFE.decide(found, tag, vr) == PrivateAction(EXPECTED[vr], vr)
    named = row["vr"] if row["vr"] != "OW/OB" else "OB"
    for unnamed in ("", "UN"):
        action = SAFE.decide(found, tag, unnamed)
        assert action == PrivateAction(EXPECTED[named], named or unnamed)
    assert SAFE.decide("ANOTHER", tag, vr).action == "remove"
    assert SAFE.decide(found, tag, "PN").action == "remove"
    neighbour = tag ^ 0x00020000
    if (creator, neighbour >> 16, tag & 0xFF) not in SAFE.elements:
        assert SAFE.decide(found, neighbour, vr).action == "remove"


def test_the_table_is_whole() -> None:
    assert len(SAFE.elements) == len(ROWS) == 479


def test_b_values_and_suv_inputs_stay() -> None:
    for creator, tag, vr in [
        (SIEMENS, 0x0019100C, "IS"),
        (SIEMENS, 0x0019100E, "FD"),
        (SIEMENS, 0x00191027, "FD"),
        (GE, 0x00431039, "IS"),
        ("Philips Imaging DD 001", 0x20011003, "FL"),
        ("Philips PET Private Group", 0x70531000, "DS"),
        ("Philips PET Private Group", 0x70531009, "DS"),
    ]:
        assert SAFE.decide(creator, tag, vr) == PrivateAction("keep", vr)
        assert SAFE.decide(creator, tag, "UN") == PrivateAction("keep", vr)


@pytest.mark.parametrize(
    ("known", "stated", "expected"),
    [
        ("DS", "IS", ("keep", "IS")),
        ("DS", "LO", ("remove", "LO")),
        ("DS", "PN", ("remove", "PN")),
        ("DS", "OB", ("remove", "OB")),
        ("DS", "DA", ("remove", "DA")),
        ("LO", "SH", ("clean", "SH")),
        ("LO", "CS", ("clean", "CS")),
        ("CS", "LO", ("clean", "LO")),
        ("CS", "CS", ("keep", "CS")),
        ("UI", "LO", ("remove", "LO")),
        ("SQ", "OB", ("remove", "OB")),
        ("SQ", "UN", ("recurse", "SQ")),
        ("OB", "OW", ("keep", "OW")),
        ("OW/OB", "OB", ("keep", "OB")),
        ("OW/OB", "US", ("remove", "US")),
        ("", "FD", ("keep", "FD")),
        ("", "LO", ("clean", "LO")),
        ("", "UI", ("remap", "UI")),
        ("", "PN", ("remove", "PN")),
        ("", "UN", ("remove", "UN")),
        ("DA", "DA", ("shift", "DA")),
        ("DA", "LO", ("remove", "LO")),
        ("AS", "AS", ("shift", "AS")),
    ],
)
def test_the_vr_in_the_file_counts_where_it_is_of_the_same_kind(
    known: str, stated: str, expected: tuple[str, str]
) -> None:
    listed = SafePrivate({("ACME", 0x0011, 0x01): known})
    assert listed.decide("ACME", 0x00111001, stated) == PrivateAction(*expected)


@pytest.mark.parametrize(
    ("action", "vrs"),
    [
        ("keep", "AT CS DS FD FL IS OB OD OF OL OV OW SL SS SV UL US UV"),
        ("clean", "LO LT SH ST UC UT"),
        ("shift", "AS DA DT TM"),
        ("remap", "UI"),
        ("recurse", "SQ"),
        ("remove", "AE PN UN UR XX"),
    ],
)
def test_every_vr_of_a_safe_element(action: str, vrs: str) -> None:
    for vr in vrs.split():
        assert SafePrivate({("ACME", 0x0011, 0x01): vr}).decide("ACME", 0x00111001, vr).action == action
        assert SafePrivate({("ACME", 0x0011, 0x01): vr}).decide("ACME", 0x00111001, "").action == action
        assert SafePrivate({("ACME", 0x0011, 0x01): ""}).decide("ACME", 0x00111001, vr).action == action


def test_blocks() -> None:
    blocks = Blocks({0x00190010: SIEMENS, 0x00190011: GE, 0x00430010: GE})
    assert blocks.creator_of(0x0019100C) == SIEMENS
    assert blocks.creator_of(0x0019110C) == GE
    assert blocks.creator_of(0x0043100C) == GE
    assert blocks.creator_of(0x00190011) == GE
    assert Blocks.relative(0x0019AB0C) == 0x0019000C
    assert Blocks.creator_tag(0x0019AB0C) == 0x001900AB


@pytest.mark.parametrize("tag", [0x0019120C, 0x00190012, 0x0021100C, 0x0019000C, 0x00190210, 0x00180010])
def test_an_element_that_nobody_claims(tag: int) -> None:
    assert Blocks({0x00190010: SIEMENS, 0x00180010: GE}).creator_of(tag) is None


@pytest.mark.parametrize("name", ["", "   ", "\0", "SIEMENS MR HEADER\\GEMS_PARM_01", "\\"])
def test_a_creator_element_of_no_name_or_two_claims_nothing(name: str) -> None:
    blocks = Blocks({0x00190010: name})
    assert blocks.creator_of(0x0019100C) is None
    assert blocks.still_needed([0x0019100C]) == frozenset()


@pytest.mark.parametrize("name", [SIEMENS + " ", SIEMENS + "\0", "  " + SIEMENS + "   "])
def test_padding_does_not_make_another_creator(name: str) -> None:
    assert Blocks({0x00190010: name}).creator_of(0x0019100C) == SIEMENS
    assert SAFE.decide(name, 0x0019100C, "IS").action == "keep"


@pytest.mark.parametrize("name", ["Siemens MR Header", "SIEMENS  MR HEADER", "SIEMENS MR HEADER 2", "SIEMENS"])
def test_another_spelling_is_another_creator(name: str) -> None:
    found = Blocks({0x00190010: name}).creator_of(0x0019100C)
    assert found == name
    assert SAFE.decide(name, 0x0019100C, "IS").action == "remove"


def test_one_creator_in_two_blocks_is_read_in_both() -> None:
    blocks = Blocks({0x00190010: SIEMENS, 0x00190020: SIEMENS + " "})
    assert blocks.creator_of(0x0019100C) == blocks.creator_of(0x0019200C) == SIEMENS
    assert blocks.still_needed([0x0019200C]) == {0x00190020}


def test_a_block_that_keeps_nothing_loses_its_creator() -> None:
    blocks = Blocks({0x00190010: SIEMENS, 0x00190011: GE, 0x00430010: GE})
    assert blocks.still_needed([0x0019100C, 0x0019100E, 0x00431039, 0x00080018]) == {0x00190010, 0x00430010}
    assert blocks.still_needed([0x00190010, 0x00190011]) == frozenset()
    assert blocks.still_needed([0x0019120C]) == frozenset()
    assert blocks.still_needed([]) == frozenset()


@pytest.mark.parametrize("group", [0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF, 0x0008])
def test_groups_that_are_not_private(group: int) -> None:
    assert not is_creator(group << 16 | 0x10)
    assert Blocks({group << 16 | 0x10: GE}).creator_of(group << 16 | 0x1001) is None
    assert SafePrivate({(GE, group, 1): "US"}).decide(GE, group << 16 | 0x1001, "US").action == "remove"


def test_a_creator_element_is_not_a_safe_element() -> None:
    listed = SafePrivate({(GE, 0x0043, 0x10): "LO"})
    assert listed.decide(GE, 0x00430010, "LO").action == "remove"
    assert listed.decide(GE, 0x00431010, "LO").action == "clean"


def declared(status: str, **more: frozenset[int]) -> Declaration:
    return Declaration(0x0011, "ACME ", status, **more, vrs={0x0A: "FD", 0x0B: "LO", 0x0C: "OB"})


TAG = 0x00111001


@pytest.mark.parametrize(
    ("vr", "action"),
    [
        *(("US", "keep"), ("FD", "keep"), ("DS", "keep"), ("DA", "shift"), ("AS", "shift"), ("UI", "remap")),
        *(("SQ", "recurse"), ("LO", "clean"), ("UT", "clean"), ("CS", "clean"), ("OB", "remove"), ("OW", "remove")),
        *(("OF", "remove"), ("UN", "remove"), ("", "remove"), ("PN", "remove"), ("AE", "remove"), ("UR", "remove")),
    ],
)
def test_what_a_block_that_calls_itself_safe_gets(vr: str, action: str) -> None:
    assert SAFE.decide("ACME", TAG, vr, [declared("SAFE")]).action == action


def test_a_declared_vr_helps_where_the_file_has_none() -> None:
    said = [declared("SAFE")]
    assert SAFE.decide("ACME", 0x0011100A, "", said) == PrivateAction("keep", "FD")
    assert SAFE.decide("ACME", 0x0011100A, "UN", said) == PrivateAction("keep", "FD")
    assert SAFE.decide("ACME", 0x0011100A, "LO", said).action == "remove"
    assert SAFE.decide("ACME", 0x0011100B, "UN", said) == PrivateAction("clean", "LO")
    assert SAFE.decide("ACME", 0x0011100B, "CS", said).action == "clean"
    assert SAFE.decide("ACME", 0x0011100C, "UN", said).action == "remove"
    other = Declaration(0x0011, "ACME", "SAFE", vrs={0x0A: "UL"})
    assert SAFE.decide("ACME", 0x0011100A, "", [*said, other]).action == "remove"


def test_mixed_means_the_listed_elements() -> None:
    said = [declared("MIXED ", nonidentifying=frozenset({0x01, 0x02}), identifying=frozenset({0x02}))]
    assert SAFE.decide("ACME", 0x00111001, "US", said).action == "keep"
    assert SAFE.decide("ACME", 0x00112001, "US", said).action == "keep"
    assert SAFE.decide("ACME", 0x00111002, "US", said).action == "remove"
    assert SAFE.decide("ACME", 0x00111003, "US", said).action == "remove"


@pytest.mark.parametrize("status", ["UNSAFE", "", "safe", "SAFE\\SAFE", "MIXED"])
def test_no_other_word_makes_safe(status: str) -> None:
    assert SAFE.decide("ACME", TAG, "US", [declared(status)]).action == "remove"


def test_identifying_wins_over_safe_whatever_the_block() -> None:
    said = [declared("SAFE", identifying=frozenset({0x1001}))]
    assert SAFE.decide("ACME", 0x00111001, "US", said).action == "remove"
    assert SAFE.decide("ACME", 0x00111002, "US", said).action == "keep"


def test_a_declaration_is_for_its_creator_and_group_only() -> None:
    assert SAFE.decide("ACME 2", TAG, "US", [declared("SAFE")]).action == "remove"
    assert SAFE.decide("ACME", 0x00131001, "US", [declared("SAFE")]).action == "remove"
    assert SAFE.decide("", TAG, "US", [Declaration(0x0011, "", "SAFE")]).action == "remove"


def test_the_instance_can_take_away_what_the_table_gives() -> None:
    unsafe = Declaration(0x0019, SIEMENS, "UNSAFE")
    assert SAFE.decide(SIEMENS, 0x0019100C, "IS", [unsafe]).action == "remove"
    safe = Declaration(0x0019, SIEMENS, "SAFE")
    assert SAFE.decide(SIEMENS, 0x0019100C, "IS", [safe, unsafe]).action == "remove"
    assert SAFE.decide(SIEMENS, 0x0019100C, "IS", [safe]).action == "keep"
    assert SAFE.decide(GE, 0x00431039, "IS", [unsafe]).action == "keep"


ROW = {"creator": "ACME MR 1 ", "tag": "(0011,xx0A)", "vr": "FD", "note": "field strength"}


def test_a_projects_own_list() -> None:
    listed = SAFE.extended(project_rows([ROW], "projects.a.safe_private"), "projects.a.safe_private")
    assert listed.decide("ACME MR 1", 0x0011FF0A, "UN") == PrivateAction("keep", "FD")
    assert listed.decide(SIEMENS, 0x0019100C, "IS").action == "keep"
    assert SAFE.decide("ACME MR 1", 0x0011FF0A, "FD").action == "remove"


def test_a_projects_list_names_a_vr_the_table_lacks_but_contradicts_none() -> None:
    creator = "SIEMENS Ultrasound SC2000"
    named = project_rows([{**ROW, "creator": creator, "tag": "(0119,xx11)"}], "x")
    assert SAFE.extended(named, "x").decide(creator, 0x01191011, "") == PrivateAction("keep", "FD")
    contrary = project_rows([{**ROW, "creator": SIEMENS, "tag": "(0019,xx0C)"}], "x")
    with pytest.raises(ConfigError, match=r"x: \(0019,000C\) of SIEMENS MR HEADER has another VR"):
        SAFE.extended(contrary, "x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": "(0011,100A)"},
        {"tag": "(0010,xx0A)"},
        {"tag": "(0007,xx0A)"},
        {"tag": "(FFFF,xx0A)"},
        {"tag": "(0011,xx0a)"},
        {"vr": "PN"},
        {"vr": "UN"},
        {"vr": "ZZ"},
        {"vr": "OW/OB"},
        {"vr": ""},
        {"note": " "},
        {"note": 1},
        {"creator": ""},
        {"creator": "A\\B"},
        {"more": "x"},
    ],
)
def test_a_wrong_entry_is_refused(wrong: Mapping[str, object]) -> None:
    with pytest.raises(ConfigError):
        project_rows([{**ROW, **wrong}], "x")


@pytest.mark.parametrize("listed", [[ROW, ROW], [{"creator": "A"}], ["A"], "A", {"A": "B"}])
def test_a_wrong_list_is_refused(listed: object) -> None:
    with pytest.raises(ConfigError):
        project_rows(listed, "x")


@pytest.mark.parametrize("cell", [("tag", "(0019,xxxx)"), ("vr", "XX"), ("private_creator", " ")])
def test_a_wrong_row_of_the_table_is_refused(cell: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"e3\.10-1"):
        safe_rows([{**ROWS[0], cell[0]: cell[1]}])
    with pytest.raises(ConfigError, match="twice"):
        safe_rows([ROWS[0], ROWS[0]])
