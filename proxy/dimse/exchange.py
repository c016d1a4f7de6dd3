"""The sending half of an association: responses, requests, and the wait for what the peer says to them.

Messages may be in flight at once; each response finds its request by Message ID. Time runs from the peer's last sign
of life, so that a large answer is not late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from proxy.dimse.message import Message
from proxy.dimse.outgoing import Data, send
from proxy.dimse.stream import Stream
from proxy.wire.command import C_CANCEL_RQ, C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, Command, Value
from proxy.wire.negotiation import Context

#: PS3.7 annex C: more responses follow
PENDING = (0xFF00, 0xFF01)
#: responses to one request that have come and that nobody has taken yet; beyond, nothing more is read
_MOST_AHEAD = 16
_CAN_BE_CANCELLED = (C_FIND_RQ, C_MOVE_RQ, C_GET_RQ)


class AssociationLost(Exception):
    """The association is over. ``how``: released, aborted, timeout or lost."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Exchange:
    """What one can say over an association."""

    stream: Stream

    def __init__(self, response_seconds: float | None) -> None:
        """``response_seconds``: how long the peer may be silent while we wait for its response; None: for ever."""
        self.response_seconds = response_seconds
        self.contexts: Mapping[int, Context] = {}
        self.peer_pdu = 0  # what the peer receives, 0 for any length
        self.how = ""  # how it ended
        self._waiting: dict[int, asyncio.Queue[Message | None]] = {}
        self._sending = asyncio.Lock()
        self._ids = 0
        self._behind: set[object] = set()  # who does not keep up with the peer

    @property
    def established(self) -> bool:
        """Whether messages may go out."""
        return not self.how and self.stream.established

    def context_for(self, abstract: str, syntax: str | None = None) -> Context | None:
        """An accepted context of this SOP class, in this transfer syntax if one is given."""
        for context in self.contexts.values():
            if context.abstract == abstract and syntax in (None, context.syntax):
                return context
        return None

    def next_id(self) -> int:
        """A fresh Message ID, 1 to 65535."""
        self._ids = self._ids % 0xFFFF + 1
        return self._ids

    async def respond(self, message: Message, status: int, data: bytes | None = None, **elements: Value) -> None:
        """Send a response to ``message``; returns when there is room for more. Raises `AssociationLost`."""
        await self.transmit(message.context, message.command.response(status, **elements), data)

    async def transmit(self, context: Context, command: Command, data: Data | None = None) -> None:
        """Send one message; raises `AssociationLost`, or OSError when a file cannot be read, which ends it."""
        async with self._sending:  # the fragments of two messages never mix
            if not self.established or not await send(self.stream, self.peer_pdu, context.id, command, data):
                raise AssociationLost(self.how or "lost")

    async def ask(self, context: Context, command: Command, data: Data | None = None) -> Message:
        """Send a request that has one response (C-STORE, C-ECHO, N-*), and wait for it.

        Raises as `transmit`; a response that takes too long ends the association.
        """
        queue = self._waiting[command.message_id] = asyncio.Queue()
        try:
            await self.transmit(context, command, data)
            return await self._next(queue)
        finally:
            self._forget(command.message_id)

    async def asks(self, context: Context, command: Command, data: Data | None = None) -> AsyncGenerator[Message, None]:
        """Send a request with pending responses (C-FIND, C-MOVE, C-GET): each of them, and the final one.

        Close the generator to stop early: then the peer is sent a C-CANCEL. Raises as `ask`.
        """
        queue = self._waiting[command.message_id] = asyncio.Queue()
        over = False
        try:
            await self.transmit(context, command, data)
            while not over:
                response = await self._next(queue)
                over = response.command.status not in PENDING
                yield response
        finally:
            self._forget(command.message_id)
            if not over and self.established and command.field in _CAN_BE_CANCELLED:
                cancel = Command(C_CANCEL_RQ, MessageIDBeingRespondedTo=command.message_id)
                await self.transmit(context, cancel)

    def _answered(self, response: Message) -> None:
        """A response has come; one that nobody waits for any more is passed over."""
        if (queue := self._waiting.get(response.command.responding_to)) is not None:
            queue.put_nowait(response)
            self._keep_up(queue, queue.qsize() < _MOST_AHEAD)

    def _forget(self, message_id: int) -> None:
        self._keep_up(self._waiting.pop(message_id), True)

    def _keep_up(self, who: object, does: bool) -> None:
        """Let the peer wait while somebody ``does`` not."""
        waited = bool(self._behind)
        (self._behind.discard if does else self._behind.add)(who)
        if waited is not bool(self._behind):
            self.stream.rest(not waited)

    def _no_more_answers(self) -> None:
        for queue in self._waiting.values():
            queue.put_nowait(None)

    async def _next(self, queue: asyncio.Queue[Message | None]) -> Message:
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            left = None
            if self.response_seconds is not None:
                left = max(since, self.stream.heard) + self.response_seconds - loop.time()
                if left <= 0:
                    self.stream.abort("timeout")
                    raise AssociationLost("timeout")
            try:
                async with asyncio.timeout(left):  # `wait_for` may lose a cancellation (Python 3.11)
                    response = await queue.get()
                self._keep_up(queue, queue.qsize() <= _MOST_AHEAD // 2)
            except TimeoutError:
                continue  # something may have been heard meanwhile
            if response is None:
                raise AssociationLost(self.how or "lost")
            return response
