"""Who asks over an association, and whether he may: a refusal is recorded."""

from __future__ import annotations

from typing import cast

from proxy.dimse.acceptor import Acceptor
from proxy.dimse.message import Message
from proxy.service.callers import Verb
from proxy.service.events import denied
from proxy.service.ports import AuditTrail, Peer


def acceptor_of(message: Message) -> Acceptor:
    """The association that a request came over: a peer opened it."""
    return cast(Acceptor, message.association)


def peer_of(message: Message) -> Peer:
    """Who asks."""
    association = acceptor_of(message)
    request = association.request
    assert request is not None  # for the type checker: nothing is served before an association is requested
    return Peer("dimse", association.remote.address, request.calling, request.called, association.caller.name)


async def may(message: Message, verb: Verb, audit: AuditTrail) -> bool:
    """Whether who asks was granted ``verb``; raises `AuditUnavailable` where a refusal cannot be recorded."""
    association = acceptor_of(message)
    if verb in association.caller.verbs(association.project):
        return True
    await audit.record(denied(peer_of(message), "insufficient-scope", association.project, verb))
    return False
