"""One association of ours for one errand: opened, used, released, and what may go wrong with it told in a word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from proxy.dimse.association import Association, AssociationLost
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed, connect
from proxy.dimse.requestor import Destination
from proxy.wire.negotiation import ProposedContext

TROUBLE = (AssociationLost, AssociationRejected, ConnectionFailed, TimeoutError)


def word_of(error: Exception) -> str:
    """A member of `TROUBLE` for the audit trail and operators; quotes nobody."""
    if isinstance(error, AssociationRejected):
        return f"A-ASSOCIATE-RJ {error.result}/{error.source}/{error.reason}"
    if isinstance(error, ConnectionFailed):
        return f"not-connected {error.code}"
    return f"association-{error.how}" if isinstance(error, AssociationLost) else "timeout"


@asynccontextmanager
async def associated(
    to: Destination, contexts: Sequence[ProposedContext], roles: Mapping[str, tuple[bool, bool]] | None = None
) -> AsyncIterator[Association]:
    """Released at the end, aborted after an error; nothing of it is left behind. Raises `TROUBLE`."""
    association = await connect(to, contexts, roles=roles)
    try:
        yield association
        await association.release()
    finally:
        association.abort()  # harmless when it is released
        await association.wind_up()
