"""What kind of event each type of record is, in the words of others: one table, used by every format.

Codes: PS3.16 CID 400 (audit event IDs), 401 (audit event type codes), 402 (roles); OCSF classes and their activities.
"""

from __future__ import annotations

from dataclasses import dataclass

#: PS3.16 CID 400, 401, 402, 404: what we use of them
MEANINGS = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110103": "DICOM Instances Accessed",
    "110104": "DICOM Instances Transferred",
    "110105": "DICOM Study Deleted",
    "110106": "Export",
    "110107": "Import",
    "110110": "Patient Record",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110120": "Application Start",
    "110121": "Application Stop",
    "110122": "Login",
    "110123": "Logout",
    "110126": "Node Authentication",
    "110129": "Security Configuration",
    "110131": "Software Configuration",
    "110132": "Use of Restricted Function",
    "110133": "Audit Recording Stopped",
    "110135": "Object Security Attributes Changed",
    "110137": "User Security Attributes Changed",
    "110150": "Application",
    "110152": "Destination Role ID",
    "110153": "Source Role ID",
    "110180": "Study Instance UID",
    "110181": "SOP Class UID",
}
SOURCE, DESTINATION, APPLICATION = "110153", "110152", "110150"

#: OCSF: class → its name; the category is the first digit
OCSF = {
    3001: "Account Change", 3002: "Authentication", 6002: "Application Lifecycle", 6003: "API Activity",
    6005: "Datastore Activity",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type of record is told to others. ``peer``, ``ours``: roles (CID 402) of the other end and of Veil."""

    event: str
    action: str  # C, R, U, D, E
    subtype: str = ""
    peer: str = ""
    ours: str = APPLICATION
    lifecycle: str = ""  # PS3.15 A.5.1.2.3
    ocsf: tuple[int, int] = (6003, 99)  # class and activity


_TAKEN = Kind("110104", "C", "", SOURCE, DESTINATION, "2", (6005, 5))
_SENT = Kind("110106", "R", "", DESTINATION, SOURCE, "10", (6005, 1))
_SHOWN = Kind("110104", "R", "", DESTINATION, SOURCE, "11", (6005, 1))
_ASKED = Kind("110112", "E", "", SOURCE, DESTINATION, "", (6005, 4))
_KEPT = Kind("110103", "C", "", "", APPLICATION, "13", (6005, 5))
_CONFIGURED = Kind("110113", "E", "110129", ocsf=(6003, 3))
_REIDENTIFIED = Kind("110110", "R", "110132", ocsf=(6005, 1), lifecycle="11")
_LOOKED = Kind("110101", "R", "", "", APPLICATION, ocsf=(6003, 2))

#: by type; a type that is not here is told by its first word, and by `OTHER` where that is not here either
KINDS = {
    "received": _TAKEN,
    "refused": _TAKEN,
    "released": Kind("110103", "C", "", SOURCE, APPLICATION, "7", (6005, 6)),
    "held": _KEPT,
    "quarantine": _KEPT,
    "rules-tried": Kind("110103", "R", "", "", APPLICATION, "11", (6005, 1)),
    "quarantine-viewed": Kind("110103", "R", "", "", APPLICATION, "11", (6005, 1)),
    "replayed": Kind("110103", "R", "", "", APPLICATION, "6", (6005, 1)),
    "purged": Kind("110105", "D", "", "", APPLICATION, "15", (6005, 7)),
    "delivered": _SENT,
    "rejected": _SENT,
    "exported": _SENT,
    "export": _SENT,
    "query": _ASKED,
    "compared": _ASKED,
    "retrieved": _SHOWN,
    "withheld": _SHOWN,
    "denied": Kind("110114", "E", "110122", SOURCE, DESTINATION, ocsf=(3002, 1)),
    "admitted": Kind("110114", "E", "110122", SOURCE, DESTINATION, ocsf=(3002, 1)),
    "login": Kind("110114", "E", "110122", SOURCE, DESTINATION, ocsf=(3002, 1)),
    "logout": Kind("110114", "E", "110123", SOURCE, DESTINATION, ocsf=(3002, 2)),
    "relaying": _ASKED,
    "relayed": _ASKED,
    "requeued": Kind("110103", "R", "", "", APPLICATION, "6", (6005, 1)),
    "history-forgotten": Kind("110105", "D", "", "", APPLICATION, "15", (6005, 7)),
    "destination": _CONFIGURED,
    "commitment": Kind("110103", "R", "", SOURCE, DESTINATION, "4", (6005, 1)),
    "clock": Kind("110113", "E", "110135", ocsf=(6003, 99)),
    "alert": Kind("110113", "E", "110132", ocsf=(6003, 99)),
    "started": Kind("110100", "E", "110120", ocsf=(6002, 3)),
    "stopped": Kind("110100", "E", "110121", ocsf=(6002, 4)),
    "callers": Kind("110113", "E", "110137", ocsf=(3001, 99)),
    "user": Kind("110113", "E", "110137", ocsf=(3001, 99)),
    "rules": Kind("110113", "E", "110131", ocsf=(6003, 3)),
    "config": _CONFIGURED,
    "configuration": _CONFIGURED,
    "certificates": _CONFIGURED,
    "key": _CONFIGURED,
    "keys": _CONFIGURED,
    "audit-read": _LOOKED,
    "audit-exported": _LOOKED,
    "audit-verified": _LOOKED,
    "audit": Kind("110113", "E", "110135", ocsf=(6003, 99)),
    "reidentify": _REIDENTIFIED,
    "reidentified": _REIDENTIFIED,
    "reidentification": _REIDENTIFIED,
}
OTHER = Kind("110113", "E", "110132")


def kind_of(event_type: str) -> Kind:
    """How ``event_type`` is told."""
    return KINDS.get(event_type) or KINDS.get(event_type.partition("-")[0], OTHER)
