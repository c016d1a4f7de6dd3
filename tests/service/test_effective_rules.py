"""Rules as people read them: everything that decides, nobody's name, no key."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from proxy.deid.inherit import inherited
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.service.effective_rules import Effective, EffectiveRules, effective, said
from proxy.store.rulebook import load_pixel_file, load_profile, load_tables, rules_root

KEY = b"k" * 32


def made(**more: Any) -> Effective:
    profile = inherited(load_profile("mammography"), {"name": "mine", **more}, "profile mine")
    example = load_pixel_file(rules_root() / "pixels" / "example.yaml", "rules/pixels/example.yaml")
    spec = PolicySpec("research", profile, KEY, key_epoch=3, pixel_rules={"example": example})
    policy = compile_policy(load_tables(), spec)
    found = effective(spec, policy)
    assert found.digest == policy.digest
    return found


def test_rules_stand_in_the_order_in_which_they_are_asked() -> None:
    mine = {"match": {"vr": "LT"}, "do": "remove", "note": "ours"}
    found = made(rules=[mine], pixels={"devices": ["example"]})
    assert [(rule.number, rule.do, rule.match, rule.when) for rule in found.rules] == [
        (1, "remove", "vr: LT", ""),
        (
            2,
            "keep",
            "keyword: ViewPosition, ImageLaterality, Laterality, ViewCodeSequence, ViewModifierCodeSequence",
            "Modality: (value: MG)",
        ),
        (3, "refuse", "modality: US, CR", ""),
    ]
    assert found.rules[0].note == "ours"
    cart = found.devices[0]
    assert (cart.file, cart.name, cart.sizes) == ("example", "cart", "1024x768, 800x600")
    assert "Manufacturer: (contains: Example Imaging)" in cart.match
    assert found.devices[2].sizes == "any"
    assert (found.profile, found.key_epoch, "clean_desc" in found.options) == ("mine", 3, True)


def test_the_text_is_the_whole_profile_but_for_the_names_of_people() -> None:
    found = made(names=["Zyxomma Petiolatum"])
    document = yaml.safe_load(found.text)
    assert document["unlisted"]["by_vr"]["LO"]  # of the profile that it extends
    assert document["rules"][0]["do"] == "keep"
    assert found.names == 1
    assert document["names"] == "(1 names, not shown)"
    assert "Zyxomma" not in repr(found)
    assert KEY.hex() not in repr(found)


def test_every_shipped_profile_can_be_shown() -> None:
    tables = load_tables()
    specs = {name: PolicySpec(name, load_profile(name), KEY) for name in ("basic", "mammography", "research")}
    policies = {name: compile_policy(tables, spec) for name, spec in specs.items()}
    rules = EffectiveRules(lambda: specs, lambda: policies)
    for name in rules.projects():
        assert yaml.safe_load(rules.of(name).text) == load_profile(name)
    with pytest.raises(KeyError):
        rules.of("no such project")


def test_conditions_are_said_on_one_line() -> None:
    assert said({"all": [{"Modality": "US"}, {"not": {"SoftwareVersions": {"matches": "1"}}}]}) == (
        "all: (Modality: US), (not: (SoftwareVersions: (matches: 1)))"
    )
    assert said(None) == ""
