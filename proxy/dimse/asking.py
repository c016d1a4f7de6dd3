"""Associations with a PACS that is asked, and questions on them. What goes wrong is an `UpstreamError`: no word of the
PACS is kept.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.dimse.association import Association
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed, connect
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.levels import encoded
from proxy.dimse.message import Message
from proxy.dimse.pool import Link
from proxy.dimse.requestor import Destination
from proxy.dimse.services import Service
from proxy.service.upstream import UpstreamError
from proxy.wire.command import Command, Value
from proxy.wire.negotiation import ProposedContext
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: for identifiers; every PACS knows the first (PS3.5 10.1)
SYNTAXES = (IMPLICIT_LE, EXPLICIT_LE)


def _nothing() -> Sequence[Service]:
    return ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an association is negotiated for. Those of one ``kind`` are equal, and can share associations.

    ``contexts``: SOP class and transfer syntaxes each; ``roles``: see `connect`; ``services``: makes what the PACS may
    ask of us.
    """

    kind: str
    contexts: Sequence[tuple[str, tuple[str, ...]]] = field(compare=False)
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict, compare=False)
    services: Callable[[], Sequence[Service]] = field(default=_nothing, compare=False)


async def associate(name: str, to: Destination, proposal: Proposal, seconds: float) -> Link[Proposal]:
    """A new association with the upstream ``name``, whose answers may take ``seconds`` each."""
    contexts = [ProposedContext(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(proposal.contexts)]
    try:
        association = await connect(to, contexts, roles=proposal.roles, services=proposal.services())
    except AssociationRejected as no:
        raise UpstreamError(name, f"A-ASSOCIATE-RJ {no}") from None
    except ConnectionFailed as failed:
        raise UpstreamError(name, "no-connection" if failed.code == "no-such-host" else "no-association") from None
    association.response_seconds = seconds
    return Link(association, {proposal})


def ask(
    name: str, association: Association, field: int, sop_class: str, identifier: Dataset, **elements: Value
) -> AsyncGenerator[Message, None]:
    """A C-FIND, C-GET or C-MOVE: its responses. Raises as `Exchange.asks`."""
    context = association.context_for(sop_class)
    if context is None:
        raise UpstreamError(name, "no-context")
    command = Command(
        field, MessageID=association.next_id(), Priority=0, AffectedSOPClassUID=sop_class, **elements
    )  # priority: medium
    return association.asks(context, command, encoded(identifier, context.syntax == IMPLICIT_LE))


def lost(name: str, error: AssociationLost, begun: bool) -> Exception:
    """What it is that no answer came: too late, in the midst of it, or not even begun: then on a new association the
    same may well go through.
    """
    if error.how == "timeout":
        return UpstreamError(name, "timeout", late=True)
    return UpstreamError(name, "no-answer") if begun else error
