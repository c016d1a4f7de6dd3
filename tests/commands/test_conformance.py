"""``veil conformance``: every row with what the engine decides for it, everything that E.1.3 asks for, and no key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom.data import get_testdata_file

from proxy.deid import dummies
from proxy.deid.conformance import statement
from proxy.deid.conformance_pixels import pixels as pixel_lines
from proxy.deid.conformance_prose import ACTIONS, METHODS, WORDS
from proxy.deid.decisions import decider_of
from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.tables import tag_number, tag_text
from proxy.deid.types import Claimed
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.officers import officer

KEY = bytes(range(32))
tables = lru_cache(load_tables)
CART = {"name": "cart", "match": {"Manufacturer": "Acme"}, "any_size": {"blank": "all"}}
FULL = ["clean_desc", "clean_graph", "rtn_dev_id", "rtn_inst_id", "rtn_long_full", "rtn_pat_chars", "rtn_uids"]
FULL += ["clean_struct", "rtn_safe_priv"]
MODIFIED = ["clean_desc", "rtn_long_modif", "rtn_dev_id"]
DATES = {
    "dates": "keep",
    "birth_date": "month",
    "times": "hour",
    "ages": "cap",
    "attributes": {"(0008,0012)": "remove"},
}
RULES = [
    {"match": {"keyword": "StationName"}, "when": {"Manufacturer": {"value": "Zqxmaker"}}, "do": "keep"},
    {"match": {"mask": "(0020,9xxx)", "vr": ["LO"], "modality": "MG"}, "do": "remove"},
    {"match": {"keyword": "StudyDate"}, "do": "truncate", "to": 15},
    {"match": {"keyword": "ProtocolName"}, "do": "replace", "with": "ZQXCONSTANT"},
    {"match": {"modality": "OT"}, "do": "refuse"},
]
#: what differs from the research profile
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "basic": {"options": []},
    "research": {},
    "full": {"options": FULL},
    "modified": {"options": MODIFIED},
    "site": {"options": ["rtn_long_modif", "rtn_pat_chars"], "dates": DATES, "rules": RULES, "documents": "dummy"},
}


@lru_cache
def policy(name: str) -> Policy:
    officers = (officer(0).certificate, officer(1).certificate) if name == "full" else ()
    profile = {**load_profile("research"), **PROFILES[name]}
    return compile_policy(tables(), PolicySpec("tests", profile, KEY, encrypt_to=officers))


@lru_cache
def text(name: str) -> str:
    return statement(policy(name), tables())


def section(name: str, title: str) -> str:
    return text(name).split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(markdown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines() if "|" in line]


@pytest.mark.parametrize("name", PROFILES)
def test_every_row_stands_exactly_once_under_its_action(name: str) -> None:
    removed = [row[0] for row in rows(section(name, "Attributes removed")) if row[0].startswith("(")]
    other = section(name, "Attributes replaced, emptied, cleaned or retained")
    groups = {part.split(":", 1)[0]: part for part in other.split("\n### ")[1:]}
    placed = {row[0]: action for action, part in groups.items() for row in rows(part) if row[0].startswith("(")}
    assert len(removed) == len(set(removed))
    assert placed.keys().isdisjoint(removed)
    assert set(removed) | placed.keys() == {row.tag for row in tables().attributes}
    decider = decider_of(policy(name))
    for row in tables().attributes:
        tag = tag_number(row.tag)
        decision = decider.listed(tag) if tag is not None else None
        if decision is not None and row.tag not in ("(0010,0010)", "(0010,0020)", "(0002,0003)"):
            assert ("X" if row.tag in removed else placed[row.tag]) == decision.action, row.tag
    assert {tag for tag, action in placed.items() if action == "pseudonym"} == {"(0010,0010)", "(0010,0020)"}
    assert placed["(0002,0003)"] == "U"


def test_every_x_row_of_the_basic_profile_is_removed() -> None:
    """But those that some IOD requires (tests/deid/test_iod.py lists them): they are a group of their own."""
    removed = {row[0] for row in rows(section("basic", "Attributes removed"))}
    other = section("basic", "Attributes replaced, emptied, cleaned or retained").split("\n### X/required: ", 1)[1]
    required = {row[0] for row in rows(other.split("\n### ", 1)[0]) if row[0].startswith("(")}
    wanted = {row.tag for row in tables().attributes if row.basic == "X"}
    assert len(wanted) > 400
    assert wanted <= removed | required
    assert required == {tag_text(tag) for tag in policy("basic").iod.required}


@pytest.mark.parametrize("name", PROFILES)
def test_the_engine_does_what_is_stated(name: str) -> None:
    """The rule of every step on a real instance stands in the statement beside the same tag."""
    data = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    stated = {row[0]: row for row in rows(text(name)) if row[0].startswith("(")}
    for step in explain(memoryview(data), Claimed(), policy(name)):
        row = stated.get(tag_text(step.tag))
        if (
            row is not None
            and (step.rule.startswith("E.1-1") or step.rule.startswith("option"))
            and step.tag >> 16 & 1 == 0
        ):
            assert step.rule in row, f"{tag_text(step.tag)}: {step.rule}"


@pytest.mark.parametrize("name", PROFILES)
def test_what_e_1_3_asks_for_is_there(name: str) -> None:
    for title in (
        "Profile and options claimed", "Attributes removed", "Dummy values", "Encrypted attributes",
        "Scope of referential integrity", "Attributes inserted", "Methods of the options", "Private attributes",
        "Pixel data and encapsulated documents", "Transfer syntaxes and SOP classes", "Restrictions",
        "Attributes that no row names",
    ):  # fmt: skip
        assert len(section(name, title).strip()) > 60, title
    assert {row[0] for row in rows(section(name, "Dummy values"))} >= dummies.BY_VR.keys()
    for code, meaning in policy(name).methods:
        assert f"| {code} | {meaning} |" in section(name, "Profile and options claimed")
        assert f"({code}, DCM, {meaning})" in section(name, "Attributes inserted")
    assert f"| (0028,0303) | {policy(name).longitudinal} |" in text(name)
    for syntax in policy(name).transfer_syntaxes.values():
        word = "held" if syntax.handling == "refuse" else "supported"
        assert f"| {syntax.uid} | {syntax.name} | {word} |" in text(name)
    for vr, word in policy(name).unlisted.by_vr.items():
        assert f"| {vr} | {WORDS[word]} |" in section(name, "Attributes that no row names")
    for tag, word in policy(name).unlisted.attributes.items():
        assert f"| {tag_text(tag)} | {WORDS[word]} |" in section(name, "Attributes that no row names")


@pytest.mark.parametrize("name", PROFILES)
def test_each_option_says_its_method(name: str) -> None:
    said = section(name, "Methods of the options") + section(name, "Private attributes")
    for option in set(policy(name).options) - ({"rtn_long_modif"} if name == "site" else set()):
        for line in METHODS[option]:
            assert line.format(days=365) in said
    assert ("1 to 365 days back" in said) == policy(name).moves


@pytest.mark.parametrize("name", PROFILES)
def test_encrypted_attributes_and_for_whom(name: str) -> None:
    said, under = section(name, "Encrypted attributes"), policy(name)
    for line in (*METHODS["encrypted" if under.recipients else "no encrypted"], *METHODS["upstream"]):
        assert line in said
    for each in under.recipients:
        assert f"{each.key_id.hex()}, RSA of 2048 bits" in said
    assert ("(0400,0500)" in section(name, "Attributes inserted")) is bool(under.recipients)
    assert ("not offered" in section(name, "Restrictions")) is not bool(under.recipients)


def test_documents() -> None:
    title = "Pixel data and encapsulated documents"
    assert "MTL): held." in section("research", title)
    assert "replaced by a dummy document of the same kind" in section("site", title)
    assert "(0042,0015)" in section("site", "Attributes inserted")


def test_pixels_as_the_profile_says() -> None:
    def said(pixels: dict[str, Any], **more: Any) -> str:
        rules = {"ours": {"version": 1, "name": "ours", "rules": [CART]}}
        spec = PolicySpec("p", {**load_profile("basic"), "pixels": pixels}, KEY, pixel_rules=rules, **more)
        return "\n".join(pixel_lines(compile_policy(tables(), spec)))

    reading = {"text": {"high": "full", "medium": "screen", "low": "off"}, "faces": "forward", "devices": ["ours"]}
    found = said({**reading, "strict": True, "keep_text": "harmless", "ultrasound": "off"})
    for words in (
        "reports of any modality: every frame is read for text.", "PRIMARY: every frame is screened",
        "OCT): not read for text; without a device rule **passed on unseen**.", "Device rules: ours/cart.",
        "with Recognizable Visual Features YES", "read a second time", "but for scale bars", "outside of Sequence of "
        "Ultrasound Regions: left",
    ):  # fmt: skip
        assert words in found
    off = said({"text": "off", "faces": "hold", "burned_in": "hold"})
    assert "reports of any modality: not read for text; without a device rule held." in off
    assert "surfaces: held." in off
    assert "read a second time" not in off
    assert "codecs): **passed on unseen**." in said({}, uninspected_pixels="forward")


def test_dates_of_the_project() -> None:
    said = section("site", "Methods of the options")
    for words in (
        "every date and date-time: kept.", "**Birth date**: truncated to day 15 of the month", "to the hour",
        "ages over 89 years become 90", "(0008,0012): not retained",
    ):  # fmt: skip
        assert words in said
    assert "Modified dates" not in said
    assert "after moving" not in said, "nothing moves"


def test_rules_of_the_site_in_their_order_and_without_values() -> None:
    listed = [row for row in rows(section("site", "Rules of the site")) if row[0].startswith("rule")]
    assert listed[1:] == [
        ["rule 1 of profile research", "(0008,1010)", "(0008,0070) is one of certain values", "keep"],
        ["rule 2 of profile research", "tags like (0020,9000) under mask (FFFF,F000), VR LO", "modality MG", "remove"],
        ["rule 3 of profile research", "(0008,0020)", "all", "truncate (to day 15 of the month)"],
        ["rule 4 of profile research", "(0018,1030)", "all", "replace by a constant"],
        ["rule 5 of profile research", "the whole instance", "modality OT", "refuse"],
    ]
    assert "Zqx" not in text("site")
    assert "None." in section("basic", "Rules of the site")


def test_what_cannot_be_claimed_is_not() -> None:
    assert not policy("site").claims_profile
    claims = section("site", "Profile and options claimed")
    assert "**None**" in claims
    assert "1131" not in claims
    assert "| code |" not in claims
    assert "**None**" not in section("research", "Profile and options claimed")


def test_the_list_of_safe_private_elements() -> None:
    safe = policy("full").safe_private
    assert safe is not None
    listed = {(row[0], row[1]) for row in rows(section("full", "Private attributes"))}
    assert {(creator, f"({group:04X},xx{element:02X})") for creator, group, element in safe.elements} <= listed
    assert "None is retained" in section("basic", "Private attributes")


@pytest.mark.parametrize("name", PROFILES)
def test_every_action_has_its_words(name: str) -> None:
    actions = re.findall(r"^### (\S+): (.*)$", text(name), re.MULTILINE)
    assert actions
    for action, words in actions:
        assert ACTIONS[action] == words


def test_settings_of_the_project_are_stated() -> None:
    spec = PolicySpec("other", load_profile("research"), KEY, 7, "PRE-", "per-study", "forward", 30)
    said = statement(compile_policy(tables(), spec), tables())
    for words in ("| key epoch | 7 |", "'PRE-' and 16", "gets a pseudonym of its study", "1 to 30 days", "on unseen"):
        assert words in said


def test_the_same_policy_gives_the_same_bytes_and_no_key() -> None:
    assert statement(policy("research"), tables()) == text("research")
    for form in (KEY.hex(), repr(KEY)):
        assert form not in text("research")
    other = compile_policy(tables(), PolicySpec("tests", load_profile("research"), bytes(32)))
    assert statement(other, tables()) == text("research"), "the key shows in the statement"


def test_the_verb_writes_what_the_running_profile_says(run_veil: Any, site: Path, tmp_path: Path) -> None:
    out = tmp_path / "statement.md"
    asked = ("conformance", "-c", site, "--project", "research")
    assert run_veil(*asked, "--out", out).status == 0
    said = run_veil(*asked)
    assert (said.status, said.text) == (0, out.read_text(encoding="utf-8"))
    assert "| options | rtn_long_modif |" in said.text
    document = yaml.safe_load(site.read_text())
    document["projects"]["research"]["profile"] = "basic"
    site.write_text(yaml.safe_dump(document))
    assert "| options | none |" in run_veil(*asked).text
    assert run_veil(*asked, "--out", tmp_path / "no" / "folder.md").status == 1
