"""Records of the audit log in words, for people. What a type means in a sentence stands in one table.

Everything of a record is pseudonymous, a count or a code, made printable; raw is the line as it stands in the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from proxy.console.rules import moment
from proxy.service.audit_reading import Entry, entry_of

#: type of record → what happened
WORDS = {
    "started": "Veil started",
    "stopped": "Veil stopped",
    "received": "Instance received",
    "released": "De-identified copy released",
    "held": "Held in quarantine",
    "refused": "Refused, the sender keeps it",
    "delivered": "Delivered",
    "rejected": "Rejected by the destination",
    "requeued": "Rejected instances wait again",
    "destination-paused": "Destination paused",
    "destination-resumed": "Destination resumed",
    "replayed": "Held instance passed on another try",
    "purged": "Held instance destroyed",
    "quarantine-viewed": "Preview of a held instance shown",
    "query": "Search",
    "retrieved": "Retrieval",
    "withheld": "Not shown in a view",
    "relaying": "Request on its way to the clinical system",
    "relayed": "Request answered by the clinical system",
    "commitment-asked": "Storage commitment asked for",
    "commitment": "Storage commitment answered",
    "commitment-refused": "Storage commitment refused",
    "commitment-reported": "Storage commitment reported",
    "commitment-given-up": "Report of storage commitment given up",
    "denied": "Not let in, or not allowed",
    "admitted": "Let in, the first time in an hour",
    "callers-changed": "Callers changed",
    "login": "Sign-in",
    "logout": "Sign-out",
    "user-changed": "Accounts changed",
    "reidentification-asked": "Re-identification asked for",
    "reidentification-approved": "Re-identification approved",
    "reidentification-revealed": "Patient's identity shown",
    "reidentification-refused": "Re-identification refused",
    "reidentification-export-asked": "Re-identification of many asked for",
    "reidentification-export-approved": "Re-identification of many approved",
    "reidentification-export-made": "Re-identification of many handed out as a sealed file",
    "configuration-changed": "veil.yaml is not what it was",
    "keys-changed": "Keys are not what they were",
    "certificates-reloaded": "Certificates reloaded",
    "certificates-refused": "Certificates refused",
    "rules-reloaded": "Rules reloaded",
    "rules-refused": "Rules refused",
    "rules-tried": "Rules tried in a dry run",
    "audit-key": "Another key signs the log from here on",
    "audit-recovered": "End of the log repaired after a crash",
    "audit-damaged": "End of the log damaged",
    "audit-outage": "The disk took no records for a while",
    "audit-late": "Records reached the disk too late: it was not done",
    "audit-removed": "Old segment of the log removed",
    "audit-sink-down": "A sink takes no records",
    "audit-sink-up": "A sink takes records again",
    "audit-read": "Audit log read",
    "audit-verified": "Audit log verified",
    "audit-exported": "Records exported as a signed bundle",
    "exported": "Table of studies taken along",
    "compared": "Destinations asked what they have of a study",
    "history-forgotten": "Old rows of the queue forgotten",
    "alert": "Alert",
    "clock-step": "The clock was changed",
}
#: members of ``object`` that are said beside, and how
_SAID = {
    "destination": "at {}", "what": "{}", "instances": "{} instances", "verb": "for {}", "how": "as {}",
    "keys": "by {}", "name": "{}", "rule": "{}", "code": "answer {}", "attempts": "after {} tries", "file": "{}",
    "ticket": "ticket {}",
}  # fmt: skip
#: of ``attempts``, ``instances``: not worth saying
_NOTHING = ("", "0", "[]")


@dataclass(frozen=True, slots=True)
class Told:
    """One record. ``life``: by what its instance is found, "" for what is about no single one."""

    seq: int
    stamp: str
    moment: str
    what: str
    beside: str
    who: str
    project: str
    failed: bool
    reason: str
    life: str
    members: tuple[tuple[str, str], ...]
    raw: str

    def json(self) -> bytes:
        """For the script that shows what comes; one line."""
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii")


def told(line: bytes) -> Told:
    """The record of ``line``, which is one."""
    record = json.loads(line)
    entry, about = entry_of(record), record.get("object", {})
    return Told(
        entry.seq,
        entry.time,
        moment(entry.time),
        what(entry.type),
        ", ".join(_beside(about)),
        who(entry),
        entry.project,
        entry.failed,
        entry.reason,
        life(about),
        tuple((name.replace("_", " ").replace(".", ": "), value) for name, value in entry.told.items()),
        line.decode("ascii", "backslashreplace"),
    )


def what(event_type: str) -> str:
    """A type in words; one that is not known here by its own."""
    return WORDS.get(event_type) or event_type.replace("-", " ").capitalize()


def who(entry: Entry) -> str:
    """Who did it, from where, and for whom."""
    name, address = entry.who or "Veil", entry.peer.get("address", "")
    ae = entry.peer.get("calling_ae", "")
    more = [each for each in (ae, address) if each and each != name]
    behalf = f" for {entry.principal}" if entry.principal else ""
    return f"{name} ({', '.join(more)}){behalf}" if more else name + behalf


def life(about: Mapping[str, Any]) -> str:
    """The pseudonymous SOP Instance UID, or the id of the quarantine entry."""
    found = about.get("sop_instance_uid") or (about.get("id") if about.get("kind") == "quarantine" else "")
    return found if isinstance(found, str) else ""


def _beside(about: Mapping[str, Any]) -> list[str]:
    found = ((words, _text(about[name])) for name, words in _SAID.items() if name in about)
    return [words.format(text) for words, text in found if text not in _NOTHING]


def _text(value: Any) -> str:
    """Printable: `entry_of` has made it so, of one member at a time."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return entry_of({"object": {"of": value}}).object.get("of", "")
