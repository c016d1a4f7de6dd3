"""The Retrieve SCP by C-MOVE (PS3.4 C.4.2): instances go to a third party, on an association that we open.

Where to is a name in a table of the project's; any other is unknown (A801). What comes between us and the third party
fails instances, never the association of who asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from proxy.dimse.association import Association, AssociationLost
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed
from proxy.dimse.query_file import CannotGive, Stored, syntaxes_for
from proxy.dimse.query_giving import Giving
from proxy.dimse.query_models import MOVE
from proxy.dimse.query_retrieve import Retrieving
from proxy.dimse.query_service import Question
from proxy.dimse.query_status import CANNOT_SEND, DESTINATION_UNKNOWN, Refused
from proxy.dimse.rewriting import Rewriting
from proxy.service.in_turn import Lists
from proxy.service.ports import AuditTrail
from proxy.service.readers import Searches
from proxy.wire.command import C_MOVE_RQ
from proxy.wire.negotiation import ProposedContext

#: presentation contexts have odd numbers below 256 (PS3.8 9.3.2.2)
_MOST_CONTEXTS = 128
#: so often a destination may end its association, or be silent for too long, before it is left alone
_MOST_LOSSES = 3
#: opens an association with a destination as the AE title that was called; raises as `proxy.dimse.connecting.connect`
Open = Callable[[str, Sequence[ProposedContext]], Awaitable[Association]]


class Move(Retrieving):
    """C-MOVE in the Patient Root and Study Root models."""

    def __init__(
        self,
        search: Searches,
        retrieve: Lists,
        audit: AuditTrail,
        rewriting: Mapping[str, Rewriting],
        destinations: Mapping[str, Mapping[str, Open]],
    ) -> None:
        """``rewriting``: as of `Get`; ``destinations``: project → AE title → how to reach it."""
        super().__init__(MOVE, C_MOVE_RQ, search, retrieve, audit)
        self._rewriting, self._destinations = rewriting, destinations

    async def _answer(self, question: Question) -> None:
        title = question.message.command.text("MoveDestination").strip()
        known = self._destinations.get(question.project, {}).get(title)
        if known is None:
            raise Refused(DESTINATION_UNKNOWN, "no such move destination in this project")
        giving = Giving(question.project, self._rewriting.get(question.project))
        await self._send(question, "c-move", _Away(question, giving, known), title)


class _Away:
    """A `Carrier` to a third party. Contexts are proposed when the first instance needs them, with those before it."""

    def __init__(self, question: Question, giving: Giving, open_: Open) -> None:
        self._question, self._giving, self._open = question, giving, open_
        self._proposed: dict[tuple[str, str], None] = {}
        self._association: Association | None = None
        self._losses = 0  # one after the other

    async def carry(self, instance: Stored) -> int:
        """See `Carrier.carry`."""
        asked, association = self._question, await self._with(instance)
        try:
            status = await self._giving.store(
                association,
                [context for context in association.contexts.values() if context.scu],
                instance,
                MoveOriginatorApplicationEntityTitle=asked.peer.calling_ae,
                MoveOriginatorMessageID=asked.message.command.message_id,
            )
        except AssociationLost:
            self._losses += 1
            if self._losses == _MOST_LOSSES:
                raise Refused(CANNOT_SEND, "the destination ends every association") from None
            raise CannotGive("the destination has ended the association") from None
        except asyncio.CancelledError:
            association.abort()  # half a message may be out
            raise
        self._losses = 0
        return status

    async def close(self) -> None:
        """See `Carrier.close`."""
        association, self._association = self._association, None
        if association is not None:
            await association.release()

    async def _with(self, instance: Stored) -> Association:
        """An association on which the contexts that ``instance`` needs were proposed."""
        syntaxes = syntaxes_for(instance, self._giving.rewriting is not None)
        needed = {(instance.sop_class, syntax): None for syntax in syntaxes}
        if self._association is not None and self._association.established and needed.keys() <= self._proposed.keys():
            return self._association
        await self.close()
        more = self._proposed | needed
        self._proposed = more if len(more) <= _MOST_CONTEXTS else needed
        contexts = [ProposedContext(2 * n + 1, uid, (syntax,)) for n, (uid, syntax) in enumerate(self._proposed)]
        try:
            self._association = await self._open(self._question.peer.called_ae, contexts)
        except (ConnectionFailed, AssociationRejected):
            raise Refused(CANNOT_SEND, "the destination cannot be reached, or refuses us") from None
        return self._association
