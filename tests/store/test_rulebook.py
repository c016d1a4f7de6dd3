"""The rules are read strictly, from a checkout and from where the wheel puts them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_VR, keyword_dict
from pydicom.uid import UID

import proxy.store.rulebook as rulebook
from proxy.deid.dictionary import register, young_attributes
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.store.rulebook import load_pixel_rules, load_profile, load_tables, read_mapping, rules_root


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(rules_root(), tmp_path / "rules"))


def spoil(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_all_rows_are_there() -> None:
    tables = load_tables()
    assert len(tables.attributes) == 657
    assert len(tables.sop_classes) == 211
    assert len(tables.iod_modules) > 150
    assert {method.code for method in tables.methods} == {str(code) for code in range(113100, 113113)}
    basic = [row.basic for row in tables.attributes]
    counts = {code: basic.count(code) for code in set(basic)}
    assert counts == {
        "X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip


def test_every_transfer_syntax_that_the_library_knows_is_in_the_table() -> None:
    syntaxes = load_tables().transfer_syntaxes
    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert known <= set(syntaxes)
    for uid in known:
        if syntaxes[uid].handling == "refuse":
            continue
        ours, theirs = syntaxes[uid], UID(uid)
        assert (ours.implicit, ours.little, ours.deflated) == (
            theirs.is_implicit_VR, theirs.is_little_endian, theirs.is_deflated,
        )  # fmt: skip
        assert (ours.handling == "native") == (not theirs.is_encapsulated)


def test_young_transfer_syntaxes() -> None:
    syntaxes = load_tables().transfer_syntaxes
    for uid in ("1.98", "4.110", "4.111", "4.112", "4.201", "4.202", "4.203", "8.1"):
        assert syntaxes[f"1.2.840.10008.1.2.{uid}"].handling == "encapsulated"
    for uid in ("4.94", "4.95", "4.204", "4.205", "7.1", "7.2", "7.3"):
        assert syntaxes[f"1.2.840.10008.1.2.{uid}"].handling == "refuse"


def test_the_wheels_copy_is_taken_first(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = copy.parent / "site" / "proxy"
    (package / "store").mkdir(parents=True)
    shutil.copytree(copy, package / "_rules")
    monkeypatch.setattr(rulebook, "__file__", str(package / "store" / "rulebook.py"))
    assert rules_root() == (package / "_rules").resolve()
    assert load_profile("research")["name"] == "research"
    shutil.rmtree(package / "_rules")
    with pytest.raises(ConfigError, match="missing"):
        rules_root()


def test_the_digest_changes_with_any_table(copy: Path) -> None:
    before = load_tables(copy).digest
    assert before == load_tables().digest
    spoil(copy, "standard/sop-classes-burned-in-risk.csv", "inspect", "quarantine")
    assert load_tables(copy).digest != before


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("ps3.15-e1-1", ",Z,", ",Q,", "'Q' is no word for basic"),
        ("ps3.15-e1-1", "tag,keyword", "tag,name", "header"),
        ("ps3.15-e1-1", '"(0008,0050)",AccessionNumber,SH,', '"(0008,0050)",AccessionNumber,', "cells"),
        ("iod-modules", ",M\n", ",X\n", "usage"),
        ("module-attribute-types", ",1C\n", ",9\n", "type"),
        ("sop-classes-burned-in-risk", ",high,", ",dreadful,", "risk"),
        ("transfer-syntaxes", ",native", ",naive", "handling"),
    ],
)
def test_a_spoiled_table_is_refused(copy: Path, file: str, old: str, new: str, why: str) -> None:
    spoil(copy, f"standard/{file}.csv", old, new)
    with pytest.raises(ConfigError, match=why) as error:
        load_tables(copy)
    assert file in str(error.value)


def test_a_missing_table_is_refused(copy: Path) -> None:
    (copy / "standard" / "cid-7050.csv").unlink()
    with pytest.raises(ConfigError, match="cid-7050"):
        load_tables(copy)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: odd\nname: odd\n", "stands twice"),
        ("- a\n", "mapping"),
        ("name: other\n", "mapping"),
        ("name: [odd\n", "line 2"),
    ],
)
def test_a_spoiled_profile_is_refused(copy: Path, text: str, why: str) -> None:
    (copy / "profiles" / "odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        load_profile("odd", copy)


def test_an_unknown_profile_is_refused() -> None:
    for name in ("none", "../profiles/basic", ""):
        with pytest.raises(ConfigError, match="known: basic, mammography, research"):
            load_profile(name)


@pytest.mark.parametrize("name", ["basic", "mammography", "research"])
def test_every_shipped_profile_compiles(name: str) -> None:
    policy = compile_policy(load_tables(), PolicySpec("p", load_profile(name), bytes(32)))
    assert policy.profile == name


def test_a_site_has_profiles_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "version: 1\nname: ours\nextends: research\nnames: [Meier]\n"
        "unlisted: {by_vr: {LO: clean}}\nrules:\n- {match: {keyword: StudyID}, do: hash}\n"
    )
    (tmp_path / "deeper.yaml").write_text(
        "version: 1\nname: deeper\nextends: ours\nnames: [Huber]\nrules:\n- {match: {keyword: StudyID}, do: remove}\n"
    )
    profile = load_profile("deeper", site=tmp_path)
    shipped = load_profile("research")
    assert profile["names"] == ["Huber", "Meier"]
    assert [rule["do"] for rule in profile["rules"]] == ["remove", "hash"]
    assert profile["unlisted"]["by_vr"] == {**shipped["unlisted"]["by_vr"], "LO": "clean"}
    assert profile["options"] == shipped["options"]
    assert "extends" not in profile
    policy = compile_policy(load_tables(), PolicySpec("p", profile, bytes(32)))
    assert (policy.profile, policy.names) == ("deeper", ("Huber", "Meier"))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"research": "version: 1\nname: research\n"}, "a shipped profile has this name"),
        ({"a": "name: a\nextends: b\n", "b": "name: b\nextends: a\n"}, "extends itself"),
        ({"a": "name: a\nextends: none\n"}, "no profile 'none'"),
        ({"a": "name: a\nextends: basic\nunlisted: 3\n"}, "mapping"),
        ({"a": "name: a\nextends: mammography\nrules: 3\n"}, "list"),
    ],
)
def test_a_site_profile_that_cannot_be_joined_is_refused(tmp_path: Path, files: dict[str, str], why: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_profile("a", site=tmp_path)


def test_a_key_that_no_profile_has_is_refused_after_joining(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nname: a\nextends: basic\nsurprise: 1\n")
    with pytest.raises(ConfigError, match="surprise"):
        compile_policy(load_tables(), PolicySpec("p", load_profile("a", site=tmp_path), bytes(32)))


def _device_rules(folder: Path, name: str, called: str = "") -> None:
    folder.mkdir(exist_ok=True)
    rule = "{name: cart, match: {Manufacturer: Acme}, any_size: {blank: all}}"
    (folder / f"{name}.yaml").write_text(f"version: 1\nname: {called or name}\nrules: [{rule}]\n")


def test_a_site_has_device_rules_of_its_own(tmp_path: Path) -> None:
    _device_rules(tmp_path, "ours")
    _device_rules(tmp_path, "not-named")
    profile = {**load_profile("basic"), "pixels": {"devices": ["ours", "example"]}}
    rules = load_pixel_rules(profile, site=tmp_path)
    assert sorted(rules) == ["example", "ours"]
    policy = compile_policy(load_tables(), PolicySpec("p", profile, bytes(32), pixel_rules=rules))
    assert [file.name for file in policy.pixels.devices] == ["ours", "example"]
    assert load_pixel_rules(load_profile("basic"), site=tmp_path) == {}
    assert load_pixel_rules(profile, site=tmp_path / "none").keys() == {"example"}


def test_device_rules_that_are_not_there_or_wrong_are_refused(tmp_path: Path) -> None:
    named = {**load_profile("basic"), "pixels": {"devices": ["ours"]}}
    with pytest.raises(ConfigError, match="no device rules 'ours'"):
        compile_policy(load_tables(), PolicySpec("p", named, bytes(32), pixel_rules=load_pixel_rules(named)))
    _device_rules(tmp_path, "ours", "theirs")
    rules = load_pixel_rules(named, site=tmp_path)
    with pytest.raises(ConfigError, match="name ours"):
        compile_policy(load_tables(), PolicySpec("p", named, bytes(32), pixel_rules=rules))
    _device_rules(tmp_path, "example")
    with pytest.raises(ConfigError, match="a shipped file of device rules has this name"):
        load_pixel_rules(named, site=tmp_path)


def test_device_rules_with_a_key_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("version: 1\nname: ours\nrules: []\nrules: []\n")
    with pytest.raises(ConfigError, match="twice"):
        load_pixel_rules({"pixels": {"devices": ["ours"]}}, site=tmp_path)


@pytest.mark.parametrize("profile", [{}, {"pixels": 3}, {"pixels": {"devices": 3}}, {"pixels": {"devices": [3, [4]]}}])
def test_words_that_are_wrong_name_no_device_rules(profile: dict[str, Any]) -> None:
    assert load_pixel_rules(profile) == {}


def test_the_profile_in_the_readme_is_complete() -> None:
    text = (rules_root() / "README.md").read_text(encoding="utf-8")
    example = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0].replace(", ...", ""))
    shipped = load_profile("research")
    assert set(example) - {"names", "private", "rules", "dates", "extends", "note"} == set(shipped)
    assert set(example["unlisted"]) == set(shipped["unlisted"])


@pytest.mark.parametrize("path", sorted((rules_root() / "text").glob("*.yaml")), ids=lambda path: path.name)
def test_words_are_the_same_however_they_are_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_mapping("here", text, quickly=True) == read_mapping("here", text)
    with pytest.raises(ConfigError, match="'version' stands twice"):
        read_mapping("here", f"{text}\nversion: 1\n", quickly=True)


def test_the_library_learns_the_young_attributes_once() -> None:
    young = young_attributes(load_tables().attributes)
    if not young:  # another test process may have registered them before
        young = {0x00100011: ("SQ", "PersonNamesToUseSequence")}
    try:
        register(load_tables().attributes)
        assert register(load_tables().attributes) == 0
        for tag, (vr, _) in young.items():
            assert dictionary_VR(tag) == vr
    finally:
        for tag, (_, keyword) in young.items():
            DicomDictionary.pop(tag, None)
            keyword_dict.pop(keyword, None)
