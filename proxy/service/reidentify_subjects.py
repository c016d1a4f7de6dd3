"""What is asked for: one patient, or a list of many in an export. The steps are the same, `reidentify` has them.

An export is told to nobody in clear: what is handed out is a file that its requester opens with her key, in which both
officers' statements stand as they signed them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from proxy.service.identifying import Drawer
from proxy.service.reidentify_words import (
    APPROVE,
    APPROVE_EXPORT,
    COLLECT,
    EXPORT,
    REQUEST,
    REVEAL,
    Refused,
    canonical,
    digest,
    read,
)
from proxy.store.identities import Entry, plain_of
from proxy.store.reidentifications import Asked

#: what the file of an export begins with
FORM = "veil-reidentification-export/1"


class Subject(Protocol):
    """One kind of request. ``asks``, ``approves``, ``reads``: its statements."""

    asks: str
    approves: str
    reads: str

    def check(self, said: Mapping[str, Any], attached: str, drawer: Drawer) -> None:
        """`Refused` where it asks for the wrong number of patients."""
        ...

    def count(self, said: Mapping[str, Any]) -> int:
        """For how many patients it asks."""
        ...

    def names(self, said: Mapping[str, Any], attached: str) -> list[str]:
        """Their pseudonyms."""
        ...

    def per_day(self, drawer: Drawer) -> int:
        """How many requests an officer has."""
        ...

    def about(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Whom it is about, for the record."""
        ...

    def digest(self, entries: Sequence[Entry], requester: str) -> str:
        """Of what an approval is; ``requester``: a key id."""
        ...

    def agreed(self, approval: Mapping[str, Any], attached: str) -> str:
        """The digest in an approval. `Refused` where what is attached is not what was signed."""
        ...

    def handed(self, asked: Asked, entries: Sequence[Entry], requester: str) -> dict[str, Any]:
        """What the requester gets."""
        ...


class One:
    """One patient, whose value is shown once."""

    asks, approves, reads = REQUEST, APPROVE, REVEAL

    def check(self, said: Mapping[str, Any], attached: str, drawer: Drawer) -> None:
        """One it is, and no other number."""
        if self.count(said) != 1:
            raise Refused("bulk")

    def count(self, said: Mapping[str, Any]) -> int:
        """See `Subject`."""
        return len(said["pseudonyms"])

    def names(self, said: Mapping[str, Any], attached: str) -> list[str]:
        """See `Subject`."""
        return list(said["pseudonyms"])

    def per_day(self, drawer: Drawer) -> int:
        """See `Subject`."""
        return drawer.per_day

    def about(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """See `Subject`."""
        return {"patient_id": said["pseudonyms"][0]}

    def digest(self, entries: Sequence[Entry], requester: str) -> str:
        """Of the whole entry."""
        return entries[0].digest

    def agreed(self, approval: Mapping[str, Any], attached: str) -> str:
        """See `Subject`."""
        return str(approval["entry"])

    def handed(self, asked: Asked, entries: Sequence[Entry], requester: str) -> dict[str, Any]:
        """The entry, and the approver's share."""
        return {"entry": told(entries[0]), "share": read(APPROVE, asked.approval)["share"]}


class Many:
    """A list of patients: one pseudonym a line, sorted, each once."""

    asks, approves, reads = EXPORT, APPROVE_EXPORT, COLLECT

    def check(self, said: Mapping[str, Any], attached: str, drawer: Drawer) -> None:
        """The list is the one that was signed, and not too long."""
        names = self.names(said, attached)
        if digest(attached) != said["list"] or "".join(f"{name}\n" for name in sorted(set(names))) != attached:
            raise Refused("attachment")
        if len(names) != said["patients"] or not all(name and name.isprintable() for name in names):
            raise Refused("attachment")
        if not 1 <= len(names) <= drawer.patients_per_export:
            raise Refused("too-large")

    def count(self, said: Mapping[str, Any]) -> int:
        """See `Subject`."""
        return max(int(said["patients"]), 0)

    def names(self, said: Mapping[str, Any], attached: str) -> list[str]:
        """See `Subject`."""
        return attached.split("\n")[:-1]

    def per_day(self, drawer: Drawer) -> int:
        """See `Subject`."""
        return drawer.exports_per_day

    def about(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The digest of the list, which is not recorded itself."""
        return {"list": said["list"]}

    def digest(self, entries: Sequence[Entry], requester: str) -> str:
        """Of what will stand in the file."""
        return digest(canonical(rows(entries, requester)))

    def agreed(self, approval: Mapping[str, Any], attached: str) -> str:
        """See `Subject`."""
        if digest(attached) != approval["shares"]:
            raise Refused("attachment")
        return str(approval["entries"])

    def handed(self, asked: Asked, entries: Sequence[Entry], requester: str) -> dict[str, Any]:
        """The file."""
        request = {"statement": asked.statement, "signature": asked.signature, "list": asked.attached}
        approval = {"statement": asked.approval, "signature": asked.approval_signature, "shares": asked.shares}
        return {
            "form": FORM,
            "project": asked.project,
            "requester": asked.requester,
            "approver": asked.approver,
            "request": request,
            "approval": approval,
            "entries": rows(entries, requester),
        }


ONE, MANY = One(), Many()
BY_ACTION: Mapping[str, Subject] = {
    action: subject for subject in (ONE, MANY) for action in (subject.asks, subject.approves, subject.reads)
}


def told(entry: Entry) -> dict[str, Any]:
    """An entry as officers get it, still sealed."""
    return {"key_epoch": entry.key.epoch, **plain_of(entry)}


def rows(entries: Sequence[Entry], requester: str) -> list[dict[str, Any]]:
    """Entries as they stand in a file: with the share of the officer ``requester`` (a key id) alone."""
    return [
        {
            "pseudonym": entry.key.pseudonym,
            "key_epoch": entry.key.epoch,
            "sealed": entry.sealed,
            "share": list(entry.shares[requester]) if requester in entry.shares else [],
        }
        for entry in entries
    ]
