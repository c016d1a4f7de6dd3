"""The searches of the gate for one output: what is no identifier there, and what an option lets out."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.allowed import Rules
from proxy.deid.identifiers import Identifiers
from proxy.deid.profile import Policy
from proxy.deid.search import Search
from proxy.deid.searches import Searches

UID = "1.2.826.0.1.77"
COMMENT, FRAME, SERIAL = 0x00204000, 0x00200052, 0x00181000


def asked(make: ModuleType, policy: Policy, patient_id: str = "", **attributes: Any) -> tuple[Searches, Rules]:
    came = {"PatientName": "Quendel^Annegret", "PatientID": "QX7712", "FrameOfReferenceUID": UID} | attributes
    ds = make.dataset(**came)
    source = make.source(ds, policy)
    return Searches(policy, source, patient_id), Rules(policy, source)


def finds(make: ModuleType, policy: Policy, tag: int, vr: str, value: bytes, **more: Any) -> bool:
    searches, rules = asked(make, policy, **more)
    return searches.finds(make.leaf(tag, vr, value), rules)


def test_the_pseudonym_is_no_identifier_unless_the_camehas_it(make: ModuleType) -> None:
    """Random letters may spell a name; a pseudonym that came in is an original value like all others."""
    policy = make.policy()
    ours = policy.pseudonyms().patient_id("", "QX7712")
    for said in ({"PatientName": ours}, {"PatientID": ours}, {"InstitutionAddress": f"at {ours}", "PatientID": ours}):
        assert finds(make, policy, COMMENT, "LT", ours.encode(), patient_id=ours, **said)
    assert finds(make, policy, COMMENT, "LT", b"see " + ours.encode(), patient_id=ours, PatientID=ours)
    assert not finds(make, policy, COMMENT, "LT", ours.encode(), patient_id=ours)


@pytest.mark.parametrize("value", ["QUENDEL", "QX7712"])
def test_what_only_calls_itself_the_pseudonym_is_one(make: ModuleType, value: str) -> None:
    """A report that names the patient does not make that name a constant."""
    assert finds(make, make.policy(), COMMENT, "LT", value.encode(), patient_id=value)


def test_uids_tell_something_unless_they_stay(make: ModuleType) -> None:
    for option, found in (("", True), ("rtn_uids", False)):
        policy = make.optioned(*option.split())
        assert finds(make, policy, FRAME, "UI", UID.encode()) is found
        assert finds(make, policy, COMMENT, "LT", UID.encode()) is found
        searches, _ = asked(make, policy)
        assert searches.in_bulk(make.leaf(0x7FE00010, "OB", b"\0\0" + UID.encode())) is found


def test_what_an_option_retains_is_no_identifier_there(make: ModuleType) -> None:
    """And is one everywhere else; other identifiers are found in what is retained."""
    policy = make.optioned("rtn_dev_id")
    for tag, value, found in ((SERIAL, b"SN-12345", False), (COMMENT, b"SN-12345", True), (SERIAL, b"Quendel", True)):
        assert finds(make, policy, tag, "LO", value, DeviceSerialNumber="SN-12345") is found
    assert finds(make, make.optioned(), SERIAL, "LO", b"SN-12345", DeviceSerialNumber="SN-12345")
    searches, _ = asked(make, policy, DeviceSerialNumber="SN-12345")
    assert searches.in_bulk(make.leaf(0x7FE00010, "OB", b"\0SN-12345\0")), "no business of pixel data"


def test_an_cameis_collected_once(make: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Identifiers] = []
    kept = Searches._search

    def search(self: Searches, known: Identifiers) -> Search:
        made.append(known)
        return kept(self, known)

    monkeypatch.setattr(Searches, "_search", search)
    searches, rules = asked(make, make.optioned("rtn_dev_id"), DeviceSerialNumber="SN-12345")
    for _ in range(3):
        assert searches.finds(make.leaf(COMMENT, "LT", b"Quendel"), rules)
        assert not searches.finds(make.leaf(SERIAL, "LO", b"SN-12345"), rules)
        assert not searches.in_bulk(make.leaf(0x7FE00010, "OB", bytes(4)))
    assert len(made) == 2, "of everything, and without what is retained"


@pytest.mark.parametrize("value", [b"COERCE", b"99VEIL", b"113100"])
def test_what_says_how_an_output_was_made(make: ModuleType, value: bytes) -> None:
    """Even where somebody is called like that."""
    name = value.decode()
    assert not finds(make, make.policy(), COMMENT, "LO", value, StudyID=name, AccessionNumber=name)
    assert finds(make, make.policy(), COMMENT, "LO", b"x " + value, StudyID=name, AccessionNumber=name)
