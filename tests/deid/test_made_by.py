"""What made an instance is told as far as it may leave; never a station, never a word that names somebody."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.device import LONGEST, Device
from proxy.deid.made_by import held_device
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.store.rulebook import load_profile, load_tables

MADE = {
    "Manufacturer": "Acme Imaging",
    "ManufacturerModelName": "Scanner 9",
    "Modality": "CT",
    "StationName": "ZQXSTATION",
}


def told(make: ModuleType, policy: Policy, **attributes: Any) -> tuple[str, str, str]:
    """Of a released instance; that it says in its report what leaves is checked by the way."""
    report = make.run(make.encode(make.dataset(**attributes)), policy)[0].report
    return report.manufacturer, report.model, report.modality


def policy(**words: Any) -> Policy:
    document = {**load_profile("basic"), "pixels": {"faces": "forward", "text": "off"}, **words}
    return compile_policy(load_tables(), PolicySpec("research", document, b"k" * 32))


def test_a_released_instance_names_its_device_as_it_leaves(make: ModuleType) -> None:
    assert told(make, make.policy(), **MADE) == ("Acme Imaging", "Scanner 9", "CT")


def test_what_the_rules_take_away_or_change_is_not_told(make: ModuleType) -> None:
    rules = [
        {"match": {"keyword": "Manufacturer"}, "do": "remove"},
        {"match": {"keyword": "ManufacturerModelName"}, "do": "replace", "with": "any"},
    ]
    assert told(make, policy(rules=rules), **MADE)[:2] == ("", "any")
    unlisted = load_profile("basic")["unlisted"]
    removed = {**unlisted, "by_vr": {**unlisted["by_vr"], "LO": "remove"}}
    assert told(make, policy(unlisted=removed), **MADE)[:2] == ("", "")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("x" * 64, "x" * 64),
        ("Acme\\Second", "Acme"),
        ("<b>Acme</b>", "<b>Acme</b>"),
        ("Acme\x1b[31m", "Acme?[31m"),
        ("", ""),
    ],
)
def test_a_held_instance_names_its_device_on_one_line(make: ModuleType, said: str, kept: str) -> None:
    attributes = {**MADE, "Manufacturer": said}
    found = held_device(memoryview(make.encode(make.dataset(**attributes))), make.policy())
    assert found == Device(kept, "Scanner 9", "CT", make.CT)
    assert len(found.manufacturer) <= LONGEST


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientName": "Acme^Jane"},
        {"InstitutionName": "Clinic of ACME"},
        {"StationName": "acme-7"},
        {"ReferringPhysicianName": "Doe^John=Acme"},
        {"PatientID": "IMAGING"},
        {"PatientName": "Agin"},
    ],
)
def test_of_a_held_instance_no_word_is_told_that_names_somebody_or_some_place(
    make: ModuleType, attributes: dict[str, str]
) -> None:
    data = memoryview(make.encode(make.dataset(**{**MADE, **attributes})))
    found = held_device(data, make.policy())
    assert (found.manufacturer, found.model) == ("", "Scanner 9")


@pytest.mark.filterwarnings("ignore:The value length")
def test_a_word_of_any_clinic_and_a_short_one_within_another_hide_no_maker(make: ModuleType) -> None:
    attributes = {**MADE, "Manufacturer": "Acme Medical", "InstitutionName": "Medical Center", "PatientName": "Cal"}
    found = held_device(memoryview(make.encode(make.dataset(**attributes))), make.policy())
    assert found.manufacturer == "Acme Medical"
    long = {**MADE, "Manufacturer": "x" * 60 + " Zqxplant", "PatientName": "Zqxplant^Jane"}
    assert held_device(memoryview(make.encode(make.dataset(**long))), make.policy()).manufacturer == ""


def test_of_a_held_instance_nothing_is_told_that_the_rules_might_touch(make: ModuleType) -> None:
    data = memoryview(make.encode(make.dataset(**MADE)))
    found = held_device(
        data, policy(rules=[{"match": {"vr": "LO"}, "do": "keep", "when": {"Modality": {"value": "XX"}}}])
    )
    assert (found.manufacturer, found.model, found.modality) == ("", "", "CT")
