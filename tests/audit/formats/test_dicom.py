"""The audit message is valid by PS3.15 A.5.1.1 whatever a peer calls itself, and says what the record says."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree

from proxy.audit.formats.dicom import render
from proxy.audit.formats.entry import Entry
from proxy.service.ports import AuditEvent
from tests.audit.formats.records import EVENTS, entry, hostile

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[2] / "data" / "dicom-audit-message.rng"))


def parsed(found: Entry) -> etree._Element:
    text = render(found)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    root = etree.fromstring(text)
    assert SCHEMA.validate(root), SCHEMA.error_log.last_error
    for element in root.iter():  # A.5.2: nothing is there that says nothing
        assert all(value.strip() for value in element.attrib.values())
    return root


def details(root: etree._Element) -> dict[str, str]:
    return {
        each.get("type"): base64.b64decode(each.get("value")).decode() for each in root.iter("ParticipantObjectDetail")
    }


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_type_is_valid(event: AuditEvent) -> None:
    root = parsed(entry(event))
    assert root.find("EventIdentification").get("EventOutcomeIndicator") == ("0" if event.outcome == "success" else "4")
    requestors = [each for each in root.iter("ActiveParticipant") if each.get("UserIsRequestor") == "true"]
    assert len(requestors) == 1
    assert details(root)["type"] == event.type


@pytest.mark.parametrize(
    ("event", "code", "action"),
    [
        ("received", "110104", "C"), ("released", "110103", "C"), ("delivered", "110106", "R"),
        ("query", "110112", "E"),
        ("retrieved", "110104", "R"), ("denied", "110114", "E"), ("started", "110100", "E"), ("stopped", "110100", "E"),
        ("purged", "110105", "D"), ("rules-reloaded", "110113", "E"), ("reidentify-approved", "110110", "R"),
        ("something-new", "110113", "E"),
    ],
)  # fmt: skip
def test_the_codes_are_those_of_the_standard(event: str, code: str, action: str) -> None:
    found = next(each for each in EVENTS if each.type == event)
    identification = parsed(entry(found)).find("EventIdentification")
    assert (identification.find("EventID").get("csd-code"), identification.get("EventActionCode")) == (code, action)


def test_a_release_is_a_de_identification_of_a_study() -> None:
    root = parsed(entry(next(each for each in EVENTS if each.type == "released")))
    study = next(o for o in root.iter("ParticipantObjectIdentification") if o.get("ParticipantObjectID") == "2.25.11")
    assert study.get("ParticipantObjectDataLifeCycle") == "7"
    assert study.findtext("ParticipantObjectDescription/Anonymized") == "true"
    assert study.find("ParticipantObjectDescription/SOPClass/Instance").get("UID") == "2.25.13"
    peer, veil = root.iter("ActiveParticipant")
    assert (peer.get("UserID"), peer.get("AlternativeUserID")) == ("peer:ct-1", "AETITLES=CT1")
    assert (peer.get("NetworkAccessPointID"), peer.get("NetworkAccessPointTypeCode")) == ("10.1.2.3", "2")
    assert veil.get("AlternativeUserID") == "AETITLES=VEIL"


@settings(max_examples=150, deadline=None)
@given(hostile())
def test_nobody_adds_an_element_or_an_attribute(found: Entry) -> None:
    root = parsed(found)
    assert root.tag == "AuditMessage"
    events = root.findall("EventIdentification")
    assert len(events) == 1
    assert events[0].findtext("EventOutcomeDescription") == (found.reason or None)
    assert len(root.findall("ActiveParticipant")) <= 4
    assert details(root) == {"type": found.type, "hash": found.hash} | found.told
