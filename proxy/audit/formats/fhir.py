"""The FHIR R4 AuditEvent of one record, as a dictionary of JSON. Its id is the record's hash: sent twice, it is one.

Codes are those of the DICOM message (the value sets of R4 are PS3.16's); what R4 has no element for is entity.detail.
"""

from __future__ import annotations

from typing import Any

from proxy.audit.formats.entry import Entry
from proxy.audit.formats.events import DESTINATION, MEANINGS, Kind, kind_of

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"


def render(entry: Entry) -> dict[str, Any]:
    """The resource."""
    kind = kind_of(entry.type)
    found: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": entry.hash,
        "type": _dcm(kind.event),
        "subtype": [_dcm(kind.subtype)] if kind.subtype else None,
        "action": kind.action,
        "recorded": entry.time,
        "outcome": "4" if entry.failed else "0",
        "outcomeDesc": entry.reason,
        "agent": _agents(entry, kind),
        "source": _said(
            {
                "site": entry.project,
                "observer": {"display": entry.node or "veil"},
                "type": [_coding("security-source-type", "4", "Application Server")],
            }
        ),
        "entity": _entities(entry, kind),
    }
    return _said(found)


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Without members that say nothing: FHIR knows no empty ones."""
    return {key: value for key, value in found.items() if value not in ("", None, [], {})}


def _dcm(code: str) -> dict[str, str]:
    return {"system": _DCM, "code": code, "display": MEANINGS[code]}


def _coding(system: str, code: str, display: str = "") -> dict[str, str]:
    return _said({"system": _TERMINOLOGY + system, "code": code, "display": display})


def _agent(name: str, requestor: bool, role: str, title: str = "", address: str = "", by_ip: bool = True) -> Any:
    return _said(
        {
            "type": {"coding": [_dcm(role)]} if role else None,
            "who": {"display": name},
            "altId": title,
            "requestor": requestor,
            "network": {"address": address, "type": "2" if by_ip else "1"} if address else None,
        }
    )


def _agents(entry: Entry, kind: Kind) -> list[Any]:
    peer = entry.peer
    found = [_agent(entry.node or "veil", not entry.who, kind.ours, peer.get("called_ae", ""))]
    if entry.who:
        address = peer.get("address", "")
        found.insert(0, _agent(entry.who, True, kind.peer, peer.get("calling_ae", ""), address, entry.ip is not None))
    if entry.principal:
        found.append(_agent(entry.principal, False, "", entry.behalf.get("calling_ae", "")))
    if destination := entry.object.get("destination"):
        found.append(_agent(destination, False, DESTINATION))
    return found


def _entities(entry: Entry, kind: Kind) -> list[dict[str, Any]]:
    found = []
    if study := entry.object.get("study_instance_uid"):
        lifecycle = _coding("dicom-audit-lifecycle", kind.lifecycle) if kind.lifecycle else None
        found.append(
            _said(
                {
                    "what": {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}},
                    "type": _coding("audit-entity-type", "2", "System Object"),
                    "role": _coding("object-role", "3", "Report"),
                    "lifecycle": lifecycle,
                }
            )
        )
    told = {"type": entry.type, "hash": entry.hash} | entry.told
    found.append(
        {
            "what": {"identifier": {"system": "urn:veil:audit", "value": f"{entry.node}:{entry.seq}"}},
            "type": _coding("audit-entity-type", "2", "System Object"),
            "role": _coding("object-role", "13", "Security Resource"),
            "detail": [{"type": key, "valueString": value} for key, value in told.items() if value],
        }
    )
    return found
