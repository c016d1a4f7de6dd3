"""The DICOM audit message (PS3.15 A.5) of one record: XML by the schema of A.5.1.1, ASCII, in one line.

No element and no attribute is empty (A.5.2). Objects are pseudonymous, and no patient is named: the log has none. What
the schema has no place for goes along as details of the object that stands for the record itself.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator

from proxy.audit.formats.entry import Entry
from proxy.audit.formats.events import DESTINATION, MEANINGS, SOURCE, Kind, kind_of

#: instances that Veil made are de-identified; of those that it was sent nothing is said
_DEIDENTIFIED = frozenset({"released", "delivered", "rejected", "retrieved"})


def render(entry: Entry) -> str:
    """The message, without an XML declaration: ASCII needs none."""
    kind = kind_of(entry.type)
    parts = [_event(entry, kind), *_participants(entry, kind), _source(entry), *_objects(entry, kind)]
    text = "<AuditMessage>" + "".join(parts) + "</AuditMessage>"
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _element(name: str, content: str = "", **attributes: str) -> str:
    """An element; attributes that say nothing are left out."""
    shown = "".join(f' {k.replace("_", "-")}="{html.escape(v)}"' for k, v in attributes.items() if v)
    return f"<{name}{shown}>{content}</{name}>" if content else f"<{name}{shown}/>"


def _coded(element: str, code: str, meaning: str = "", system: str = "DCM") -> str:
    return _element(element, csd_code=code, codeSystemName=system, originalText=meaning or MEANINGS[code])


def _event(entry: Entry, kind: Kind) -> str:
    content = _coded("EventID", kind.event)
    if kind.subtype:
        content += _coded("EventTypeCode", kind.subtype)
    if entry.reason:
        content += _element("EventOutcomeDescription", html.escape(entry.reason))
    outcome = "4" if entry.failed else "0"
    return _element(
        "EventIdentification",
        content,
        EventActionCode=kind.action,
        EventDateTime=entry.time,
        EventOutcomeIndicator=outcome,
    )


def _participant(user: str, requestor: bool, role: str, **more: str) -> str:
    content = _coded("RoleIDCode", role) if role else ""
    flag = "true" if requestor else "false"
    return _element("ActiveParticipant", content, UserID=user, UserIsRequestor=flag, **more)


def _participants(entry: Entry, kind: Kind) -> Iterator[str]:
    """The other end, Veil, and where it sends to: at most one of them asked for what happened."""
    if entry.who:
        yield _participant(
            entry.who,
            True,
            kind.peer,
            AlternativeUserID=_titles(entry.peer.get("calling_ae", "")),
            NetworkAccessPointID=entry.peer.get("address", ""),
            NetworkAccessPointTypeCode=("2" if entry.ip else "1") if entry.peer.get("address") else "",
        )
    ours = _titles(entry.peer.get("called_ae", ""))
    yield _participant(entry.node or "veil", not entry.who, kind.ours, AlternativeUserID=ours)
    if entry.principal:
        yield _participant(entry.principal, False, "", AlternativeUserID=_titles(entry.behalf.get("calling_ae", "")))
    if destination := entry.object.get("destination"):
        yield _participant(destination, False, DESTINATION if kind.ours == SOURCE else "")


def _titles(title: str) -> str:
    return f"AETITLES={title}" if title else ""


def _source(entry: Entry) -> str:
    """AuditSourceTypeCode 4: application server process (A.5.1.2.1)."""
    kind = _element("AuditSourceTypeCode", csd_code="4")
    return _element(
        "AuditSourceIdentification", kind, AuditEnterpriseSiteID=entry.project, AuditSourceID=entry.node or "veil"
    )


def _objects(entry: Entry, kind: Kind) -> Iterator[str]:
    about = entry.object
    if study := about.get("study_instance_uid"):
        content = _coded("ParticipantObjectIDTypeCode", "110180") + _element("ParticipantObjectName", "study")
        yield _object(study, "3", kind.lifecycle, content + _element("ParticipantObjectDescription", _study(entry)))
    if kind.event == "110112":
        asked = base64.b64encode(_asked(entry).encode()).decode()
        content = _coded("ParticipantObjectIDTypeCode", "110181") + _element("ParticipantObjectQuery", asked)
        yield _object(about.get("sop_class_uid") or about.get("kind") or "query", "24", "", content)
    details = "".join(_detail(key, value) for key, value in _said(entry))
    content = _coded("ParticipantObjectIDTypeCode", "12", "URI", "RFC-3881")
    content += _element("ParticipantObjectName", "audit record") + details
    yield _object(f"veil:audit:{entry.node}:{entry.seq}", "13", "", content)


def _object(identifier: str, role: str, lifecycle: str, content: str) -> str:
    return _element(
        "ParticipantObjectIdentification",
        content,
        ParticipantObjectID=identifier,
        ParticipantObjectTypeCode="2",
        ParticipantObjectTypeCodeRole=role,
        ParticipantObjectDataLifeCycle=lifecycle,
    )


def _study(entry: Entry) -> str:
    instance = entry.object.get("sop_instance_uid", "")
    content = _element("Instance", UID=instance) if instance else ""
    number = "1" if instance else entry.object.get("instances", "0")
    number = number if number.isascii() and number.isdecimal() else "0"
    described = _element("SOPClass", content, UID=entry.object.get("sop_class_uid", ""), NumberOfInstances=number)
    return described + (_element("Anonymized", "true") if entry.type in _DEIDENTIFIED else "")


def _asked(entry: Entry) -> str:
    return "&".join(f"{key}={value}" for key, value in entry.object.items())


def _said(entry: Entry) -> Iterator[tuple[str, str]]:
    yield from (("type", entry.type), ("hash", entry.hash))
    yield from entry.told.items()


def _detail(key: str, value: str) -> str:
    """ValuePair: base64, whatever it is (A.5.1.1)."""
    return _element("ParticipantObjectDetail", type=key, value=base64.b64encode(value.encode()).decode())
