"""One association, ours or a peer's: messages over a `Stream`, requests to services, responses to whoever waits.

Everything runs on the event loop. Requests are served one at a time, in their order (asynchronous operations window
1,1); C-CANCEL and responses pass them. Nothing here knows what an operation does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.dimse import status
from proxy.dimse.deadline import Patience
from proxy.dimse.exchange import AssociationLost, Exchange
from proxy.dimse.inlet import Queue
from proxy.dimse.message import Body, Collected, Message
from proxy.dimse.services import Service, service_of
from proxy.dimse.stream import Stream
from proxy.errors import Unavailable
from proxy.wire.command import C_CANCEL_RQ, Command
from proxy.wire.messages import Assembler, MessageError, Sink
from proxy.wire.negotiation import Acceptance, Context, Rejection, Request

#: requests that have come and wait for the one under way; beyond, nothing more is read
_MOST_WAITING = 8


@dataclass(frozen=True, slots=True)
class Remote:
    """The other side of a connection; ``certificate``: the DER that it was verified by, None without TLS."""

    address: str
    port: int
    certificate: bytes | None = None


class Association(Exchange):
    """An association; `Acceptor` and `proxy.dimse.connecting` make them."""

    def __init__(
        self,
        requestor: bool,
        largest_pdu: int,
        patience: Patience,
        response_seconds: float | None,
        queue: Queue | None = None,
    ) -> None:
        """``largest_pdu``: what we receive, in bytes; ``response_seconds``: see `Exchange`; ``queue``: see `Inlet`."""
        super().__init__(response_seconds)
        self.stream = Stream(self, requestor, largest_pdu, patience, queue)
        self.services: Sequence[Service] = ()  # for what the peer asks of us
        self.remote = Remote("", 0)
        self.request: Request | None = None
        self.acceptance: Acceptance | None = None
        self.gone = asyncio.Event()  # the connection is closed
        self._assembler = Assembler(self)
        self._coming: Message | None = None
        self._requests: deque[Message] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._current: Message | None = None

    async def release(self) -> None:
        """Release, and wait for the end of the connection; abort a peer that does not answer."""
        if self.established:
            self.stream.release()
        await self.gone.wait()

    def abort(self) -> None:
        """End it at once."""
        self.stream.abort()

    async def wind_up(self, seconds: float = 1.0) -> None:
        """After `abort`: wait until nothing works on it any more, first hanging up on a peer that does not."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)
            return
        self.stream.hang_up()
        await self.gone.wait()

    # -- what the stream calls

    @property
    def busy(self) -> bool:
        """Whether the peer waits for us."""
        return self._current is not None or bool(self._requests)

    @property
    def midway(self) -> bool:
        """Whether a message has begun to arrive and is not whole."""
        return self._assembler.midway

    def connected(self) -> None:
        """The transport is there: who is on the other side?"""
        transport = self.stream.transport
        assert transport is not None  # for the type checker: `Stream.connection_made` has just set it
        address = transport.get_extra_info("peername") or ("", 0)
        tls = transport.get_extra_info("ssl_object")
        self.remote = Remote(str(address[0]), int(address[1]), tls.getpeercert(True) if tls else None)

    def grown(self) -> None:
        """See `Acceptor`: whom we have asked may answer at length."""

    def requested(self, body: memoryview) -> None:
        """An A-ASSOCIATE-RQ on a connection that we opened makes no sense; the machine does not let it come here."""

    def accepted(self, body: memoryview) -> None:
        """See `requested`."""

    def rejected(self, rejection: Rejection) -> None:
        """See `requested`."""

    def fragment(self, context: int, control: int, data: memoryview) -> None:
        """Take one fragment."""
        self._assembler.feed(context, control, data)

    def release_indicated(self) -> None:
        """Let it go; what is still under way has nobody to answer to."""
        self.ended("released")
        self.stream.release_response()

    def ended(self, how: str) -> None:
        """Tell everyone who waits."""
        if self.how:
            return
        self.how = how
        for message in (self._current, *self._requests):
            if message is not None:
                message.cancelled.set()
        self._no_more_answers()

    def closed(self) -> None:
        """Give back what nobody works on; `_serve` gives back the rest."""
        if self._coming is not None and self._coming.body is not None:
            self._coming.body.discard()
        self.gone.set()

    # -- what the assembler calls

    def begin(self, context: int, command: Command) -> Sink | None:
        """A command set is whole: where its data set goes."""
        agreed = self.contexts.get(context)
        if agreed is None:
            raise MessageError("a message in a context that was not agreed on")
        self.admit_message()
        self._coming = message = Message(self, agreed, command)
        if command.has_data:
            message.body = self._body(agreed, command)
        return message.body

    def end(self) -> None:
        """A message is whole."""
        message, self._coming = self._coming, None
        assert message is not None  # for the type checker: there was a `begin`
        command = message.command
        if command.is_response:
            self._answered(message)
        elif command.field == C_CANCEL_RQ:
            current = self._current
            if current is not None and current.command.message_id == command.responding_to:
                current.cancelled.set()
        else:
            self._requests.append(message)
            self._keep_up("requests", len(self._requests) <= _MOST_WAITING)
            if self._serving is None:
                self._serving = asyncio.get_running_loop().create_task(self._serve_all())

    def admit_message(self) -> None:
        """A message begins; `Acceptor` refuses it when the server stops."""

    def _body(self, context: Context, command: Command) -> Body:
        if not command.is_response and (service := service_of(self.services, context.abstract)) is not None:
            own = service.body(self, context, command)
            if own is not None:
                return own
        return Collected()

    # -- serving

    async def _serve_all(self) -> None:
        try:
            while self._requests and not self.how:
                self._current = self._requests.popleft()
                self._keep_up("requests", len(self._requests) <= _MOST_WAITING)
                await self._serve(self._current)
                self._current = None
                self.stream.watch()
                if self._requests:
                    await asyncio.sleep(0)  # others want to be served too
        finally:
            self._current, self._serving = None, None
            for message in self._requests:
                if message.body is not None:
                    message.body.discard()
            self._requests.clear()

    async def _serve(self, message: Message) -> None:
        service = service_of(self.services, message.context.abstract) or Service()
        answer: status.Answer | None = None
        try:
            await service.serve(message)
        except AssociationLost:
            return
        except (Unavailable, asyncio.CancelledError):
            answer = status.UNAVAILABLE
        except Exception:  # noqa: BLE001  # the shell's last line: the peer hears a failure, and keeps what it has
            answer = status.FAILED
        finally:
            if message.body is not None:
                message.body.discard()
        if answer is not None and self.established:
            try:
                await self.respond(message, answer.status, ErrorComment=answer.comment)
            except AssociationLost:
                return


__all__ = ["Association", "AssociationLost", "Remote"]
