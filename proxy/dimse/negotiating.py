"""What of a proposal is accepted (PS3.8 7.1.1.13, PS3.7 D.3.3): pure choice, by what the services offer.

A sender lists the transfer syntax that it holds an instance in first, so its order decides: that spares it a
transcoding.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.dimse.services import Service, service_of
from proxy.wire.negotiation import (
    ABSTRACT_NOT_SUPPORTED,
    ACCEPTED,
    SYNTAXES_NOT_SUPPORTED,
    Acceptance,
    ProposedContext,
    Request,
)


def negotiate(
    request: Request,
    services: Sequence[Service],
    largest_pdu: int,
    identity_response: bytes | None,
    implementation: tuple[str, str],
) -> Acceptance:
    """Our answer to ``request``; ``implementation``: class UID and version name."""
    offered = {context.abstract: service_of(services, context.abstract) for context in request.contexts}
    roles: dict[str, tuple[bool, bool]] = {}
    extended: dict[str, bytes] = {}
    for uid, service in offered.items():
        if service is None:
            continue
        if (proposed := request.roles.get(uid)) is not None:
            scu, scp = service.roles(uid, proposed)
            roles[uid] = (proposed[0] and scu, proposed[1] and scp)
        if uid in request.extended and (answer := service.extended(uid, request.extended[uid])) is not None:
            extended[uid] = answer
    return Acceptance(
        {context.id: _result(context, offered[context.abstract]) for context in request.contexts},
        largest_pdu,
        roles,
        (1, 1) if request.window is not None else None,  # one operation at a time (PS3.7 D.3.3.3)
        extended,
        identity_response,
        *implementation,
    )


def _result(context: ProposedContext, service: Service | None) -> tuple[int, str]:
    known = service.syntaxes(context.abstract) if service is not None else None
    if known is None:
        return ABSTRACT_NOT_SUPPORTED, context.syntaxes[0]
    chosen = next((syntax for syntax in context.syntaxes if syntax in known), None)
    return (SYNTAXES_NOT_SUPPORTED, context.syntaxes[0]) if chosen is None else (ACCEPTED, chosen)
