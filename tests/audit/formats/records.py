"""Records as the log has them, and hostile ones: what the tests of all formats share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from proxy.audit.chain import Position, seal, unseal
from proxy.audit.formats.entry import Entry, entry_of
from proxy.audit.watch import now
from proxy.service.ports import AuditEvent

PEER = {"transport": "dimse", "address": "10.1.2.3", "calling_ae": "CT1", "called_ae": "VEIL", "caller": "peer:ct-1"}
ABOUT = {
    "kind": "instance",
    "sha256": "ab" * 32,
    "size": 524288,
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "study_instance_uid": "2.25.11",
    "series_instance_uid": "2.25.12",
    "sop_instance_uid": "2.25.13",
}
#: one event of every type that docs/audit.md names
EVENTS = [
    AuditEvent("started", object={"kind": "application", "version": "0", "policies": {"research": "ab"}}),
    AuditEvent("stopped", object={"kind": "application"}),
    AuditEvent("received", project="research", peer=PEER, object={"kind": "instance", "size": 9}),
    AuditEvent("released", "success", "research", PEER, ABOUT, "", "cd" * 32, 1, {"removed": 12}),
    AuditEvent("held", "failure", "research", PEER, {"kind": "quarantine", "id": "q1"}, "burned-in-annotation"),
    AuditEvent("refused", "failure", "research", PEER, {"kind": "instance"}, "spool-full"),
    AuditEvent("delivered", project="research", object=ABOUT | {"destination": "pacs", "queue_id": 4}),
    AuditEvent("rejected", "failure", "research", object=ABOUT | {"destination": "pacs", "code": "0xA900"}),
    AuditEvent("requeued", object={"kind": "destination", "destination": "pacs"}),
    AuditEvent("history-forgotten", object={"kind": "history", "days": 90}, counts={"deliveries": 3}),
    AuditEvent("compared", project="research", peer=PEER, object={"kind": "study", "study_instance_uid": "2.25.11"}),
    AuditEvent("exported", project="research", object={"kind": "studies", "what": "csv"}, counts={"studies": 3}),
    AuditEvent("destination-paused", object={"kind": "destination", "destination": "pacs"}, reason="maintenance"),
    AuditEvent("replayed", project="research", peer={"transport": "cli"}, object={"kind": "quarantine", "id": "q1"}),
    AuditEvent("purged", project="research", peer={"transport": "cli"}, object={"kind": "quarantine", "id": "q1"}),
    AuditEvent(
        "query", project="research", peer=PEER, object={"kind": "query", "level": "study", "keys": ["PatientID"]}
    ),
    AuditEvent("retrieved", "failure", "research", PEER, ABOUT, "not-found"),
    AuditEvent("withheld", "failure", "research", PEER, ABOUT, "pixels-uninspected"),
    AuditEvent("relaying", project="research", peer=PEER, object={"kind": "worklist"}),
    AuditEvent("relayed", project="research", peer=PEER, object={"kind": "worklist", "status": "0000"}),
    AuditEvent("commitment-asked", project="research", peer=PEER, object={"kind": "commitment", "instances": 3}),
    AuditEvent(
        "denied", "failure", "", {"transport": "dicomweb", "address": "2001:db8::1"}, {"kind": "request"}, "token"
    ),
    AuditEvent("callers-changed", object={"kind": "callers", "added": {"x": ["research:read"]}}),
    AuditEvent("certificates-refused", "failure", object={"kind": "certificates"}, reason="no certificate"),
    AuditEvent("rules-tried", project="research", object={"kind": "rules", "candidate": "c"}),
    AuditEvent("rules-reloaded", object={"kind": "rules", "policies": {"research": {"before": "a", "after": "b"}}}),
    AuditEvent("audit-key", object={"kind": "audit-key", "id": "00"}),
    AuditEvent("audit-removed", object={"kind": "audit-segment", "file": "audit-000001.jsonl", "last": 9}),
    AuditEvent(
        "audit-read", peer=PEER, object={"kind": "audit", "how": "page", "keys": ["types"]}, counts={"records": 3}
    ),
    AuditEvent("alert", "failure", peer=PEER, object={"kind": "alert", "rule": "burst"}, reason="alert-burst"),
    AuditEvent("audit-sink-down", "failure", object={"kind": "audit-sink", "name": "siem"}, reason="timeout"),
    AuditEvent("clock-step", counts={"milliseconds": -3000}),
    AuditEvent("audit-outage", "failure", object={"kind": "audit-segment"}, reason="full", counts={"refused": 3}),
    AuditEvent("audit-late", object={"kind": "audit-segment", "first": 3, "last": 4}),
    AuditEvent("reidentify-approved", project="research", peer=PEER | {"caller": "user:ann"}, object={"kind": "x"}),
    AuditEvent("something-new", project="research", peer={"transport": "cli"}),
]


def record_of(event: AuditEvent) -> dict[str, Any]:
    """The record of an event, as it is read from the log."""
    line, position = seal(event, Position(41, "0" * 64), now(), "veil")
    return unseal(line)[0] | {"hash": position.hash}


def entry(event: AuditEvent) -> Entry:
    """Its entry."""
    return entry_of(record_of(event))


#: what a peer may call itself to break a format
NASTY = [
    "\r\n<85>1 2026-01-01T00:00:00Z x veil - - - forged", '"><AuditMessage/>', "]]>", "<!--", "a|b|c", "a=b cs1=c",
    'x"]', "\\", "\\|", "\\=", "\0", "\u202eevil", "\u200f", "\x1b[2J", "]", '","outcome":"success', "&lt;", "%0a",
    "CEF:0|x|y|z|1|n|1|", "\ud800", "\u2028", "\x85", "$(reboot)", " ", "",
]  # fmt: skip
TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.lists(st.sampled_from(NASTY)).map("".join))


@st.composite
def hostile(draw: st.DrawFn) -> Entry:
    """An entry of an event in which everything that others choose is hostile."""
    peer = draw(st.dictionaries(st.sampled_from([*PEER]), TEXT))
    about = draw(st.dictionaries(st.sampled_from([*ABOUT, "destination", "level"]) | TEXT, TEXT, max_size=6))
    kind = draw(st.sampled_from([event.type for event in EVENTS]) | TEXT.map("x{}".format))
    return entry(AuditEvent(kind, draw(st.sampled_from(["success", "failure"])), "research", peer, about, draw(TEXT)))
