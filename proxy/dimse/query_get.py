"""The Retrieve SCP by C-GET (PS3.4 C.4.3): instances come back on the association on which they were asked for.

Only in contexts for which the peer has taken the role of an SCP (PS3.7 D.3.3.4).
"""

from __future__ import annotations

import asyncio

from proxy.dimse.association import Association
from proxy.dimse.query_file import CannotGive, Stored, context_for, data_set
from proxy.dimse.query_models import GET
from proxy.dimse.query_retrieve import Retrieving
from proxy.dimse.query_service import Question
from proxy.service.in_turn import Lists
from proxy.service.ports import AuditTrail
from proxy.service.readers import Searches
from proxy.wire.command import C_GET_RQ, C_STORE_RQ, Command, Value


class Get(Retrieving):
    """C-GET in the Patient Root and Study Root models."""

    def __init__(self, search: Searches, retrieve: Lists, audit: AuditTrail) -> None:
        super().__init__(GET, C_GET_RQ, search, retrieve, audit)

    async def _answer(self, question: Question) -> None:
        await self._send(question, "c-get", _Back(question.message.association))


class _Back:
    """A `Carrier` on the peer's own association."""

    def __init__(self, association: Association) -> None:
        self._association = association

    async def carry(self, instance: Stored) -> int:
        """See `Carrier.carry`."""
        return await store(self._association, instance, by_requestor=False)

    async def close(self) -> None:
        """The association is the peer's."""


async def store(association: Association, instance: Stored, *, by_requestor: bool, **elements: Value) -> int:
    """C-STORE ``instance``, with more ``elements`` of the command; the status of the response.

    ``by_requestor``: we opened the association. `CannotGive` where there is no context for it; `AssociationLost`.
    """
    agreed = (c for c in association.contexts.values() if (c.scu if by_requestor else c.scp))
    context = context_for(instance, agreed)
    if context is None:
        raise CannotGive("no context for this SOP class and transfer syntax")
    command = Command(
        C_STORE_RQ,
        AffectedSOPClassUID=instance.sop_class,
        AffectedSOPInstanceUID=instance.instance,
        MessageID=association.next_id(),
        Priority=0,
        **elements,
    )
    data = await asyncio.to_thread(data_set, instance, context.syntax)
    try:
        answer = await association.ask(context, command, data)
    except OSError:
        raise CannotGive("the file cannot be read any more") from None
    return answer.command.status
