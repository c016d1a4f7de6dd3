"""The Retrieve SCP by C-GET (PS3.4 C.4.3): instances come back on the association on which they were asked for.

Only in contexts for which the peer has taken the role of an SCP (PS3.7 D.3.3.4).
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.dimse.association import Association
from proxy.dimse.query_file import Stored
from proxy.dimse.query_giving import Giving
from proxy.dimse.query_models import GET
from proxy.dimse.query_retrieve import Retrieving
from proxy.dimse.query_service import Question
from proxy.dimse.rewriting import Rewriting
from proxy.service.in_turn import Lists
from proxy.service.ports import AuditTrail
from proxy.service.readers import Searches
from proxy.wire.command import C_GET_RQ


class Get(Retrieving):
    """C-GET in the Patient Root and Study Root models."""

    def __init__(
        self, search: Searches, retrieve: Lists, audit: AuditTrail, rewriting: Mapping[str, Rewriting]
    ) -> None:
        """``rewriting``: of the projects of which compressed instances may go decompressed."""
        super().__init__(GET, C_GET_RQ, search, retrieve, audit)
        self._rewriting = rewriting

    async def _answer(self, question: Question) -> None:
        giving = Giving(question.project, self._rewriting.get(question.project))
        await self._send(question, "c-get", _Back(question.message.association, giving))


class _Back:
    """A `Carrier` on the peer's own association."""

    def __init__(self, association: Association, giving: Giving) -> None:
        self._association, self._giving = association, giving

    async def carry(self, instance: Stored) -> int:
        """See `Carrier.carry`."""
        contexts = [context for context in self._association.contexts.values() if context.scp]
        return await self._giving.store(self._association, contexts, instance)

    async def close(self) -> None:
        """The association is the peer's."""
