"""The audit events of *reidentify*: who asked, who approved, what was handed out, what was refused. Never the value.

A pseudonym is recorded only once there is an entry of that name: anything else is what somebody typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.service.events import who
from proxy.service.ports import AuditEvent, Peer
from proxy.service.reidentify_subjects import BY_ACTION, MANY, ONE, Subject
from proxy.service.reidentify_words import Message, canonical, digest
from proxy.store.reidentifications import Asked

#: step → type of the record; what comes to nothing is of one type
_OF_ONE = {
    "asked": "reidentification-asked",
    "approved": "reidentification-approved",
    "handed": "reidentification-revealed",
    "refused": "reidentification-refused",
}
_OF_MANY = {
    "asked": "reidentification-export-asked",
    "approved": "reidentification-export-approved",
    "handed": "reidentification-export-made",
}


@dataclass(frozen=True, slots=True)
class Whence:
    """Which way a statement came. ``projects``: in which who brings it may re-identify, None for all.

    ``officer``: as whom alone he may speak, None for any whose signature he has.
    """

    peer: Peer
    projects: frozenset[str] | None = None
    officer: str | None = None

    @property
    def remote(self) -> bool:
        """Over a network, not by the operator's socket."""
        return self.peer.transport != "cli"

    @property
    def key(self) -> str:
        """Of whom it is counted."""
        return self.peer.name or self.peer.address

    def sees(self, project: str) -> bool:
        """Whether ``project`` exists for who brings it."""
        return self.projects is None or project in self.projects


CLI = Whence(Peer("cli"))


@dataclass(slots=True)
class Known:
    """What is known so far of an attempt. ``officer``: whose signature was good."""

    whence: Whence = CLI
    project: str = ""
    officer: str = ""
    request: str = ""
    patients: int = 0
    subject: Subject = ONE
    object: dict[str, Any] = field(default_factory=dict)

    def about(self, asked: Asked, said: Mapping[str, Any]) -> None:
        """It is about this request, which ``said`` was."""
        self.request = asked.request
        self.subject = BY_ACTION[said["action"]]
        self.patients = self.subject.count(said)
        self.object = {
            **self.subject.about(said),
            "purpose": said["purpose"],
            "ticket": said["ticket"],
            "requester": asked.requester,
        }
        if asked.approver:
            self.object["approver"] = asked.approver


def asked(asked: Asked, said: Mapping[str, Any], known: Known, told: Sequence[str]) -> AuditEvent:
    """An officer asks. ``told``: the officers whom this record is for."""
    more = {"hours": said["hours"], "officers": list(told)}
    return _event("asked", known, more | _signed(asked.statement, asked.signature))


def approved(known: Known, message: Message) -> AuditEvent:
    """A second officer approves; written before it counts.

    What was signed for one patient holds a share, which the requester is to have only when she reads.
    """
    signed = _signed(message.statement, message.signature) if known.subject is MANY else {}
    return _event("approved", known, {"approver": known.officer, **signed})


def revealed(known: Known, message: Message, handed: Mapping[str, Any]) -> AuditEvent:
    """What only the requester can open is about to be handed to her; of a file its SHA-256."""
    file = {"sha256": digest(canonical(handed))} if known.subject is MANY else {}
    return _event("handed", known, file | _signed(message.statement, message.signature))


def refused(action: str, why: str, known: Known) -> AuditEvent:
    """An attempt that came to nothing."""
    return _event("refused", known, {"action": action}, why)


def _signed(statement: str, signature: str) -> dict[str, str]:
    """So that the signature can be checked years later."""
    return {"statement": statement, "signature": signature}


def _event(step: str, known: Known, more: Mapping[str, Any], why: str = "") -> AuditEvent:
    counts = {"patients": known.patients} if known.patients and (why or known.subject is MANY) else {}
    event = _OF_MANY[step] if known.subject is MANY and not why else _OF_ONE[step]
    peer, officer = who(known.whence.peer), {"caller": f"officer:{known.officer}"} if known.officer else {}
    behalf: dict[str, str] = {}
    if known.whence.remote:  # who was let in brings what an officer has signed
        behalf = officer
    else:
        peer |= officer
    about = {"kind": "reidentification", **known.object, **more}
    if known.request:
        about["request"] = known.request
    outcome = "failure" if why else "success"
    return AuditEvent(event, outcome, known.project, peer, about, why, counts=counts, behalf=behalf)
