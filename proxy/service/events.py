"""The audit events of ingest, deliver and replay, in one place: what a record of each kind says.

Pseudonymous UIDs, digests, counts and bounded codes only. A held instance has no pseudonyms: its record names the
quarantine entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proxy.errors import Reason
from proxy.service.callers import StoredToken, scopes_of
from proxy.service.ports import AuditEvent, Concealed, HeldInstance, Peer, QueueRow, SpoolItem

if TYPE_CHECKING:
    from proxy.deid.types import Original, Report


def who(peer: Peer) -> dict[str, str]:
    """The peer's transport, address, AE titles and name, those that are known."""
    named = {
        "address": peer.address,
        "called_ae": peer.called_ae,
        "calling_ae": peer.calling_ae,
        "caller": _names(peer)[0],
    }
    return {"transport": peer.transport, **{key: value for key, value in named.items() if value}}


def for_whom(peer: Peer) -> dict[str, str]:
    """The user at a workstation that is known itself; {} where the peer acts for nobody else."""
    user = _names(peer)[1]
    return {"caller": user} if user else {}


def _names(peer: Peer) -> tuple[str, str]:
    machine, _, user = peer.name.partition(" ")
    return (machine, user) if machine.startswith("peer:") else (peer.name, "")


def concealed(project: str, original: Original | None) -> dict[str, Any]:
    """What the sender calls the instance, to be found by `veil audit hash`; {} where nobody could read it."""
    if original is None:
        return {}
    uids = {"study_instance_uid": original.study_instance_uid, "sop_instance_uid": original.sop_instance_uid}
    return {"original": {name: Concealed(project, uid) for name, uid in uids.items() if uid}}


def received(project: str, peer: Peer, size: int) -> AuditEvent:
    """An instance came in; the next record of the same project and peer says what became of it."""
    about = {"kind": "instance", "size": size}
    return AuditEvent("received", project=project, peer=who(peer), object=about, behalf=for_whom(peer))


def released(project: str, peer: Peer, item: SpoolItem, report: Report, original: Original | None) -> AuditEvent:
    """The gate let a de-identified copy out; written before anything can deliver it."""
    return AuditEvent(
        "released",
        project=project,
        peer=who(peer),
        object={
            "kind": "instance",
            "sha256": item.sha256,
            "size": item.size,
            "sop_class_uid": report.sop_class_uid,
            "transfer_syntax_uid": report.transfer_syntax_uid,
            "study_instance_uid": report.study_instance_uid,
            "series_instance_uid": report.series_instance_uid,
            "sop_instance_uid": report.sop_instance_uid,
            **concealed(project, original),
        },
        policy_digest=report.policy_digest,
        key_epoch=report.key_epoch,
        counts=report.counts,
        behalf=for_whom(peer),
    )


def held(project: str, peer: Peer, entry: HeldInstance, original: Original | None) -> AuditEvent:
    """The original was sealed and will not leave."""
    about = _entry(entry) | concealed(project, original)
    return AuditEvent("held", "failure", project, who(peer), about, str(entry.reason), behalf=for_whom(peer))


def refused(project: str, peer: Peer, size: int, why: str) -> AuditEvent:
    """No promise could be made; the sender keeps the instance."""
    about = {"kind": "instance", "size": size}
    return AuditEvent("refused", "failure", project, who(peer), about, why, behalf=for_whom(peer))


def delivered(row: QueueRow) -> AuditEvent:
    """A destination accepted the instance."""
    return AuditEvent("delivered", project=row.project, object=_row(row))


def rejected(row: QueueRow, code: str) -> AuditEvent:
    """A destination will not take this instance; the de-identified file stays in the spool."""
    event = _row(row) | {"code": code}
    return AuditEvent("rejected", "failure", row.project, object=event, reason=str(Reason.REJECTED_BY_DESTINATION))


def replayed(entry: HeldInstance, peer: Peer) -> AuditEvent:
    """A held instance passed on another try; its entry is about to go."""
    return AuditEvent("replayed", project=entry.project, peer=who(peer), object=_entry(entry), reason=str(entry.reason))


def purged(entry: HeldInstance, peer: Peer, why: str = "", ticket: str = "") -> AuditEvent:
    """Someone decided that a held instance shall not exist any more; written before it goes."""
    about = _entry(entry) | {name: said for name, said in (("why", why), ("ticket", ticket)) if said}
    return AuditEvent("purged", project=entry.project, peer=who(peer), object=about, reason=str(entry.reason))


def viewed(entry: HeldInstance, peer: Peer) -> AuditEvent:
    """Somebody is about to be shown, without values, what would become of a held instance."""
    return AuditEvent(
        "quarantine-viewed", project=entry.project, peer=who(peer), object=_entry(entry), reason=str(entry.reason)
    )


def denied(peer: Peer, why: str, project: str = "", verb: str = "") -> AuditEvent:
    """Somebody was not let in, or may not do that. What was asked for is not recorded: anything can stand there."""
    about = {"kind": "request"} | ({"verb": verb} if verb else {})
    return AuditEvent("denied", "failure", project, who(peer), about, why, behalf=for_whom(peer))


def callers_changed(before: Sequence[StoredToken], now: Sequence[StoredToken]) -> AuditEvent:
    """Who may call by a token or certificate of this site is not who might before."""
    old, new = ({token.name: token for token in tokens} for tokens in (before, now))
    about = {
        "kind": "callers",
        "added": {name: scopes_of(new[name].grants) for name in new.keys() - old.keys()},
        "changed": {name: scopes_of(new[name].grants) for name in new.keys() & old.keys() if new[name] != old[name]},
        "removed": sorted(old.keys() - new.keys()),
    }
    return AuditEvent("callers-changed", object=about)


def certificates_changed(now: Mapping[str, str], why: str = "") -> AuditEvent:
    """TLS is made of other files than before, or (``why``) was not: place in veil.yaml → SHA-256 of our certificate."""
    event, outcome = ("certificates-refused", "failure") if why else ("certificates-reloaded", "success")
    return AuditEvent(event, outcome, object={"kind": "certificates", "sha256": dict(now)}, reason=why)


def rules_changed(peer: Peer, before: Mapping[str, str], now: Mapping[str, str], why: str = "") -> AuditEvent:
    """``peer`` has other rules taken, or (``why``) they were refused: project → policy digest."""
    event, outcome = ("rules-refused", "failure") if why else ("rules-reloaded", "success")
    digests = {name: {"before": before[name], "after": now[name]} for name in now}
    return AuditEvent(event, outcome, peer=who(peer), object={"kind": "rules", "policies": digests}, reason=why)


def rules_tried(project: str, peer: Peer, digest: str, candidate: str, outcomes: Mapping[str, str]) -> AuditEvent:
    """Somebody tries rules on a file of his own, which stays nowhere: digests and outcomes. None: they were refused."""
    about = {"kind": "rules", "candidate": candidate, "outcomes": dict(outcomes)}
    result, why = ("success", "") if outcomes else ("failure", "candidate-refused")
    return AuditEvent("rules-tried", result, project, who(peer), about, why, digest, behalf=for_whom(peer))


def _entry(entry: HeldInstance) -> dict[str, Any]:
    return {"kind": "quarantine", "id": entry.id, "size": entry.size}


def _row(row: QueueRow) -> dict[str, Any]:
    return {
        "kind": "instance",
        "destination": row.destination,
        "queue_id": row.id,
        "sha256": row.sha256,
        "study_instance_uid": row.study_instance_uid,
        "series_instance_uid": row.series_instance_uid,
        "sop_instance_uid": row.sop_instance_uid,
        "attempts": row.attempts,
    }
