"""The resource is a valid R4 AuditEvent (R4B has it unchanged) whatever a peer calls itself."""

from __future__ import annotations

import json
import re

import pytest
from fhir.resources.R4B.auditevent import AuditEvent as Resource
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings

from proxy.audit.formats.batches import body
from proxy.audit.formats.entry import Entry
from proxy.audit.formats.fhir import render
from proxy.service.ports import AuditEvent
from tests.audit.formats.records import EVENTS, entry, hostile, record_of

#: what the library does not check: required bindings of R4
ACTIONS, OUTCOMES, NETWORKS = "CRUDE", ("0", "4", "8", "12"), "12345"


def valid(found: Entry) -> Resource:
    resource = Resource.model_validate_json(json.dumps(render(found)))
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource.id)
    assert resource.action in ACTIONS
    assert resource.outcome in OUTCOMES
    assert sum(agent.requestor for agent in resource.agent) == 1
    assert all(agent.network is None or agent.network.type in NETWORKS for agent in resource.agent)
    return resource


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_type_is_valid(event: AuditEvent) -> None:
    resource = valid(entry(event))
    assert resource.outcome == ("0" if event.outcome == "success" else "4")
    assert resource.type.system == "http://dicom.nema.org/resources/ontology/DCM"


def test_the_library_does_refuse() -> None:
    good = render(entry(EVENTS[0]))
    for wrong in ({"recorded": "yesterday"}, {"agent": None}, {"source": {}}, {"nonsense": 1}):
        with pytest.raises(ValueError, match="validation error"):
            Resource.model_validate(good | wrong)


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_nobody_adds_a_member(found: Entry) -> None:
    resource = valid(found)
    assert resource.outcomeDesc == (found.reason or None)
    assert resource.outcome == ("4" if found.failed else "0")
    told = {each.type: each.valueString for each in resource.entity[-1].detail}
    assert told == {"type": found.type, "hash": found.hash} | found.told


def test_a_batch_is_a_bundle_of_updates() -> None:
    records = [record_of(event) for event in EVENTS[:3]]
    made = body("fhir", [json.dumps(record).encode() for record in records])
    bundle = Bundle.model_validate_json(made.data)
    assert (bundle.type, made.media_type) == ("batch", "application/fhir+json")
    assert [each.request.url for each in bundle.entry] == [f"AuditEvent/{record['hash']}" for record in records]
