"""The Storage Commitment Push Model SCP (PS3.4 J): requests are taken and answered at once; their result comes later.

What is taken is remembered by `Commitment`, and reported by `proxy.dimse.reporting`. A request is answered with success
only when its report is owed durably.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from proxy.dimse import status
from proxy.dimse.asker import acceptor_of, may, peer_of
from proxy.dimse.commitment_data import TOO_MUCH, NotARequest, read_request
from proxy.dimse.message import Message
from proxy.dimse.reporting import SOP_CLASS, SOP_INSTANCE, SYNTAXES, Requesters
from proxy.dimse.services import SUCCESS, UNRECOGNIZED_OPERATION, Service
from proxy.errors import Unavailable
from proxy.service.callers import Verb
from proxy.service.commitment import Commitment, Named
from proxy.service.ports import AuditTrail
from proxy.wire.command import N_ACTION_RQ
from proxy.wire.vr import IMPLICIT_LE

#: the one action (PS3.4 J.3.2)
_REQUEST_COMMITMENT = 1
#: PS3.7 C
_NO_SUCH_INSTANCE, _NO_SUCH_CLASS, _NO_SUCH_ACTION, _DUPLICATE = 0x0112, 0x0118, 0x0123, 0x0131
#: what a request names, and the answer to one that names something else
_NAMED = (
    ("RequestedSOPClassUID", SOP_CLASS, _NO_SUCH_CLASS),
    ("RequestedSOPInstanceUID", SOP_INSTANCE, _NO_SUCH_INSTANCE),
    ("ActionTypeID", _REQUEST_COMMITMENT, _NO_SUCH_ACTION),
)


class StorageCommitment(Service):
    """N-ACTION, for projects that answer requests for storage commitment."""

    def __init__(
        self, commitment: Commitment, audit: AuditTrail, requesters: Requesters, wake: Callable[[], None]
    ) -> None:
        """``requesters`` are sent the results; ``wake`` is called when one more is owed."""
        self._commitment, self._audit, self._requesters, self._wake = commitment, audit, requesters, wake

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """Those that are not compressed, little endian."""
        return SYNTAXES if abstract == SOP_CLASS else None

    async def serve(self, message: Message) -> None:
        """Answer one N-ACTION."""
        command = message.command
        if command.field != N_ACTION_RQ:
            return await message.respond(UNRECOGNIZED_OPERATION)
        for keyword, wanted, refusal in _NAMED:
            if command.get(keyword) != wanted:
                return await message.respond(refusal)
        try:
            if not await may(message, Verb.STORE, self._audit):
                return await message.respond(status.NOT_AUTHORISED.status)
            asked = await asyncio.to_thread(read_request, message.data, message.context.syntax == IMPLICIT_LE)
            await self._take(message, *asked)
        except NotARequest as error:
            return await message.respond(error.status)
        except Unavailable:
            return await message.respond(TOO_MUCH)
        return self._wake()

    async def _take(self, message: Message, transaction: str, instances: Sequence[Named]) -> None:
        project = acceptor_of(message).project
        with self._requesters.asking(message.association, project, message.context, transaction) as asked:
            asked.taken = await self._commitment.accept(project, transaction, instances, peer_of(message))
            await message.respond(SUCCESS if asked.taken else _DUPLICATE)
