"""One C-STORE sub-operation of C-MOVE or C-GET: in which context an instance goes, and as what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from proxy.dimse.association import Association
from proxy.dimse.outgoing import Data
from proxy.dimse.query_file import CannotGive, Stored, context_for, data_set
from proxy.dimse.rewriting import Rewriting
from proxy.errors import DeliveryError
from proxy.wire.command import C_STORE_RQ, Command, Value
from proxy.wire.negotiation import Context
from proxy.wire.vr import NATIVE


@dataclass(frozen=True, slots=True)
class Giving:
    """Gives the instances of one project; ``rewriting``: where they may go decompressed."""

    project: str
    rewriting: Rewriting | None

    async def store(
        self, association: Association, contexts: Iterable[Context], instance: Stored, **elements: Value
    ) -> int:
        """C-STORE ``instance`` in one of ``contexts``, with more ``elements`` of the command; the response's status.

        `CannotGive` where there is no context for it, or no data set; `AssociationLost`.
        """
        context = context_for(instance, contexts, self.rewriting is not None)
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
        try:
            async with self._data(instance, context.syntax) as data:
                answer = await association.ask(context, command, data)
        except (OSError, DeliveryError):
            raise CannotGive("the file cannot be read any more, or not decompressed") from None
        return answer.command.status

    @asynccontextmanager
    async def _data(self, instance: Stored, syntax: str) -> AsyncIterator[Data]:
        if self.rewriting is None or syntax == instance.syntax or instance.syntax in NATIVE:
            yield await asyncio.to_thread(data_set, instance, syntax)
            return
        async with self.rewriting.rewritten(self.project, instance, syntax) as data:
            yield data
