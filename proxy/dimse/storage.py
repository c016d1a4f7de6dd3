"""The Storage SCP (PS3.4 B): each instance goes to `ingest`, and its sender hears what became of it.

Nothing is decided about a data set here: `ingest` does, and a status is sent only after it has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Protocol

from proxy.deid.types import Claimed
from proxy.dimse import contexts, status
from proxy.dimse.asker import acceptor_of, may, peer_of
from proxy.dimse.message import Body, Message
from proxy.dimse.receiving import Budget, Incoming, part10_header
from proxy.dimse.services import UNRECOGNIZED_OPERATION, Service
from proxy.dimse.stock import Stock
from proxy.service.callers import Verb
from proxy.service.ports import AuditTrail, Peer
from proxy.wire.command import C_STORE_RQ, Command
from proxy.wire.messages import MessageError
from proxy.wire.negotiation import Context
from proxy.workers.arena import Arena


class Ingest(Protocol):
    """The use case behind C-STORE."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> status.Outcome:
        """Returns when the instance is stored or held, durably; `Unavailable` when neither can be promised."""
        ...


class Storage(Service):
    """C-STORE, for all projects."""

    def __init__(
        self, ingest: Ingest, audit: AuditTrail, budget: Budget, instance_limit: int, private: Iterable[str] = ()
    ) -> None:
        """``instance_limit`` in bytes; ``private``: SOP classes beyond the standard's (`contexts.PrivateClasses`)."""
        self._ingest, self._audit = ingest, audit
        self._budget, self._limit = budget, instance_limit
        self._stock = Stock(instance_limit, budget)
        self._private = contexts.PrivateClasses(private)

    def drop_stock(self) -> None:
        """Give back the memory that was found for the next instance; it would be before long."""
        self._stock.drop()

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """Every transfer syntax whose pixel data stands in the data set."""
        known = abstract in contexts.STORAGE_SOP_CLASSES or abstract in self._private
        return contexts.ANY_SYNTAX if known else None

    def roles(self, abstract: str, proposed: tuple[bool, bool]) -> tuple[bool, bool]:
        """Both: who asks by C-GET takes instances, and is the SCP (PS3.4 C.4.3)."""
        return proposed

    def body(self, association: object, context: Context, command: Command) -> Body | None:
        """An arena for the data set of a C-STORE."""
        return self._incoming(context, command) if command.field == C_STORE_RQ else None

    async def serve(self, message: Message) -> None:
        """Answer one C-STORE."""
        if message.command.field != C_STORE_RQ:
            await message.respond(UNRECOGNIZED_OPERATION)
            return
        body = message.body
        incoming = body if isinstance(body, Incoming) else self._incoming(message.context, message.command)
        try:
            answer = await self._answer(message, incoming)
            comment = {"ErrorComment": answer.comment} if answer.comment else {}
            await message.respond(answer.status, None, **comment)
            # the answer sets out when the loop comes round; giving memory back takes as long as the sender's next file
            await asyncio.sleep(0)
        finally:
            size = incoming.arena.size if incoming.arena is not None else 0
            incoming.discard()
            if message.association.established:
                self._stock.fill(size)

    def _incoming(self, context: Context, command: Command) -> Incoming:
        instance, kind = command.text("AffectedSOPInstanceUID"), command.text("AffectedSOPClassUID")
        # text that is no UID comes from real archives: its instance is held, and those after it can still be sent
        if not (instance and instance.isascii() and instance.isprintable()):
            raise MessageError("a C-STORE without an instance UID")
        # the command's word for the class stays in the header, and ingest compares it with that of the context
        return Incoming(
            lambda: part10_header(kind, instance, context.syntax), self._limit, self._budget, self._stock.take
        )

    async def _answer(self, message: Message, incoming: Incoming) -> status.Answer:
        incoming.open()
        if incoming.refused is not None:
            return incoming.refused
        if incoming.arena is None:
            return status.FAILED
        if not await may(message, Verb.STORE, self._audit):
            return status.NOT_AUTHORISED
        claimed = Claimed(message.context.abstract, message.command.text("AffectedSOPInstanceUID"))
        project = acceptor_of(message).project
        return status.answer(await self._ingest.receive(project, incoming.arena, claimed, peer_of(message)))
