"""Every row of Table E.3.4-1 under every option, concepts in other spellings and dresses, and what no row names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydicom.sr._snomed_dict import mapping as snomed

from proxy.deid.structured import OPTIONS, RETIRED, ContentAction, ContentRow, ContentRules, content_rules
from proxy.errors import ConfigError

CSV = Path(__file__).parents[2] / "rules" / "standard" / "ps3.15-e3.4-1-clean-structured-content.csv"
with CSV.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))
RULES = content_rules(ROWS)
REFERRING = ("COMPOSITE", "IMAGE", "UIDREF", "WAVEFORM")
NONE: frozenset[str] = frozenset()


def decide(code: str, scheme: str, kind: str, *options: str) -> str:
    return RULES.decide(code, scheme, kind, frozenset(options)).action


def name(row: Mapping[str, str]) -> str:
    return f"{row['code_value']} {row['scheme']} {row['value_type']}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_every_row_of_table_e3_4_1(row: Mapping[str, str]) -> None:
    basic = "X" if row["basic"] == "X" else "U" if row["value_type"] in REFERRING else "D"
    code, scheme, kind = row["code_value"], row["scheme"].split(" [")[0], row["value_type"]
    found = RULES.decide(code, scheme, kind, NONE)
    assert found.action == basic
    assert found.row is not None
    assert (found.row.meaning, found.row.value_type) == (row["code_meaning"], kind)
    for option in OPTIONS:
        assert decide(code, scheme, kind, option) == (row[option] or basic)
    words = {row[option] for option in OPTIONS}
    assert decide(code, scheme, kind, *OPTIONS) == ("C" if "C" in words else "K" if "K" in words else basic)
    assert decide(f"{code.lower()} ", f" {row['scheme'].swapcase()}\0", f"{kind} ") == basic


def test_the_table_is_whole() -> None:
    assert sum(len(rows) for rows in RULES.rows.values()) == len(ROWS) == 214


def test_retired_codes_are_those_of_snomed_rt() -> None:
    wanted = {row["code_value"] for row in ROWS if row["scheme"] == "SCT"}
    assert {old: new for old, new in snomed["SRT"].items() if new in wanted} == RETIRED


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM", "srt "])
@pytest.mark.parametrize("old", RETIRED)
def test_retired_codes_are_recognised(old: str, scheme: str) -> None:
    rows = [row for row in ROWS if row["code_value"] == RETIRED[old]]
    assert rows
    for row in rows:
        for option in (*OPTIONS, ""):
            assert decide(old, scheme, row["value_type"], option) == decide(
                RETIRED[old], "SCT", row["value_type"], option
            )
            assert RULES.decide(old, scheme, row["value_type"], frozenset({option})).row is not None
    assert RULES.decide(old, "SCT", "TEXT", NONE).row is None
    assert RULES.decide(old, "99ACME", "TEXT", NONE).row is None


@pytest.mark.parametrize(
    ("kind", "options", "action"),
    [
        *((kind, (), "K") for kind in ("CONTAINER", "NUM", "CODE", "SCOORD", "SCOORD3D", "TCOORD")),
        *((kind, (), "U") for kind in REFERRING),
        *((kind, ("rtn_uids",), "K") for kind in REFERRING),
        ("TEXT", (), "D"),
        ("TEXT", ("rtn_long_full", "rtn_uids", "rtn_dev_id"), "D"),
        ("TEXT", ("clean_desc",), "C"),
        ("PNAME", tuple(OPTIONS), "D"),
        *((kind, (), "D") for kind in ("DATE", "TIME", "DATETIME")),
        *((kind, ("rtn_long_full",), "K") for kind in ("DATE", "TIME", "DATETIME")),
        *((kind, ("rtn_long_modif",), "C") for kind in ("DATE", "TIME", "DATETIME")),
        ("DATE", ("rtn_long_full", "rtn_long_modif"), "C"),
        *((kind, tuple(OPTIONS), "X") for kind in ("", "TABLE", "text", "NUM\\TEXT", "NAME")),
    ],
)
@pytest.mark.parametrize("concept", [("", ""), ("112039", "DCM"), ("121071", "99ACME"), ("4711", "99ACME")])
def test_a_concept_that_no_row_names(
    concept: tuple[str, str], kind: str, options: tuple[str, ...], action: str
) -> None:
    assert RULES.decide(*concept, kind, frozenset(options)) == ContentAction(action, None)


@pytest.mark.parametrize(
    ("concept", "kind", "options", "action"),
    [
        # findings and sites that are coded are not the free text that the table is about
        (("121071", "DCM"), "CODE", (), "K"),
        (("363698007", "SCT"), "CODE", (), "K"),
        (("121071", "DCM"), "NUM", (), "K"),
        (("121071", "DCM"), "CONTAINER", (), "K"),
        (("121071", "DCM"), "TEXT", (), "D"),
        # what is said of the subject in another value type is said all the same; options are for the type in the row
        (("121031", "DCM"), "DATETIME", ("rtn_long_full",), "X"),
        (("121031", "DCM"), "TEXT", ("clean_desc", "rtn_pat_chars"), "X"),
        (("121033", "DCM"), "TEXT", ("rtn_pat_chars", "clean_desc"), "X"),
        (("121033", "DCM"), "NUM", ("rtn_pat_chars",), "K"),
        (("121032", "DCM"), "TEXT", ("clean_desc",), "X"),
        (("121032", "DCM"), "NUM", (), "X"),
        (("121029", "DCM"), "TEXT", ("clean_desc",), "D"),
        (("121012", "DCM"), "TEXT", ("clean_desc",), "D"),
        (("121013", "DCM"), "PNAME", (), "X"),
        (("121080", "DCM"), "UIDREF", ("rtn_uids",), "X"),
        (("126201", "DCM"), "TEXT", ("rtn_long_full", "clean_desc"), "X"),
        # dates and times are one family, and so are references
        (("111060", "DCM"), "DATETIME", ("rtn_long_modif",), "C"),
        (("111060", "DCM"), "DATETIME", (), "D"),
        (("121112", "DCM"), "COMPOSITE", (), "X"),
        (("121112", "DCM"), "COMPOSITE", ("rtn_uids",), "K"),
        (("121112", "DCM"), "IMAGE", (), "U"),
        (("112227", "DCM"), "IMAGE", (), "U"),
    ],
)
def test_a_concept_in_another_value_type(
    concept: tuple[str, str], kind: str, options: tuple[str, ...], action: str
) -> None:
    assert decide(*concept, kind, *options) == action


def test_one_word_for_several_codes_of_one_name() -> None:
    private, subject, finding = ("1", "99ACME"), ("121030", "DCM"), ("121106", "DCM")
    everything = frozenset({"clean_desc"})
    assert RULES.strictest([], "TEXT", everything) == ContentAction("C", None)
    assert RULES.strictest([private], "TEXT", everything).action == "C"
    assert RULES.strictest([private, subject], "TEXT", everything).action == "D"
    assert RULES.strictest([finding, subject], "TEXT", NONE).action == "X"
    # a row is more than the absence of one, also where it is the milder word
    assert RULES.strictest([private, ("113877", "DCM")], "TEXT", frozenset({"rtn_dev_id"})).action == "K"


@pytest.mark.parametrize(
    "cell",
    [("basic", "Z"), ("basic", ""), ("value_type", "TXT"), ("rtn_uids", "Q"), ("code_value", ""), ("scheme", "")],
)
def test_a_wrong_row_is_refused(cell: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="row 3 is not understood"):
        content_rules([ROWS[1], {**ROWS[0], cell[0]: cell[1]}])


def test_a_row_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="row 3 stands twice"):
        content_rules([ROWS[0], {**ROWS[0], "basic": "D"}])


@pytest.mark.parametrize(
    ("of_row", "warned"),
    [
        ("TEXT", "PNAME TEXT UIDREF DATE TIME DATETIME"), ("CODE", "PNAME TEXT UIDREF DATE TIME DATETIME CODE NUM"),
        ("NUM", "PNAME TEXT UIDREF DATE TIME DATETIME CODE NUM"), ("UIDREF", "PNAME TEXT UIDREF DATE TIME DATETIME "
         "COMPOSITE IMAGE WAVEFORM"), ("IMAGE", "UIDREF COMPOSITE IMAGE WAVEFORM"), ("CONTAINER", "CONTAINER"),
    ],
)  # fmt: skip
def test_in_which_dress_a_concept_is_still_the_one_that_goes(of_row: str, warned: str) -> None:
    """A text can say anything, so every written or coded row counts for it; coordinates and containers say nothing."""
    row = ContentRow("a concept", "77", "99X", of_row, "X", {})
    rules = ContentRules({("77", "99x"): (row,)})
    kinds = "CODE COMPOSITE CONTAINER DATE DATETIME IMAGE NUM PNAME SCOORD SCOORD3D TCOORD TEXT TIME UIDREF WAVEFORM"
    found = {kind for kind in kinds.split() if rules.decide("77", "99X", kind, NONE).action == "X"}
    assert found == set(warned.split())
