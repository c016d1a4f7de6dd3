"""One connection: bytes to PDUs and back, the state machine between them, and how patient we are (PS3.8 9).

An `asyncio.BufferedProtocol` for both roles. PDUs are read into one buffer and fragments handed on as slices of it. It
knows no message, no service, no project; whatever a peer does wrong ends this connection, and only it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import cast

from proxy.dimse.deadline import LAST_SECONDS, Deadline, Patience, Vigil
from proxy.dimse.inlet import Inlet, Queue
from proxy.dimse.stream_user import User
from proxy.wire import dimse_pdu as wire
from proxy.wire.negotiation import Rejection
from proxy.wire.upper_layer import TooLate, UpperLayer
from proxy.wire.upper_layer_table import Do, Event, State


class Stream(asyncio.BufferedProtocol):
    """One connection, from TCP accept or connect until its descriptor is given back."""

    def __init__(
        self, user: User, requestor: bool, largest_pdu: int, patience: Patience, queue: Queue | None = None
    ) -> None:
        """``largest_pdu`` in bytes, as announced; ``queue``: with whom it takes turns."""
        self._user, self._patience = user, patience
        self._machine = UpperLayer(requestor)
        self._inlet = Inlet(self, largest_pdu, user.grown, queue or Queue())
        self._intake = self._inlet.intake
        self._transport: asyncio.Transport | None = None
        self._deadline = Deadline(self._expired)
        self._vigil = Vigil(patience.idle, self._deadline)
        self._room: asyncio.Future[None] | None = None
        self.heard = 0.0  # when the last bytes came, by the loop's clock
        self._outgoing: dict[Do, bytes] = {}

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; as acceptor the first PDU has a deadline from now on (AE-5)."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._inlet.connected(self._transport)
        self._quick = _quick_acknowledgement(transport)
        if self._machine.requestor:
            self._machine.step(Event.ASSOCIATE_REQUEST)
            self._user.connected()
        else:
            self._user.connected()
            self._do(Event.CONNECTION_ACCEPTED)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._intake.room()

    def buffer_updated(self, count: int) -> None:
        """Bytes have come: take every PDU that is whole."""
        self.heard = self._loop.time()
        self._intake.filled(count)
        self._inlet.take()
        self._quick()

    def pause_writing(self) -> None:
        """The peer does not keep up: who sends waits in `drain`."""
        if self._room is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """There is room again."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The descriptor is gone; give everything back."""
        self.resume_writing()
        self._do(Event.CONNECTION_CLOSED)
        self._deadline.close()
        self._user.ended("lost")
        self._user.closed()
        self._inlet.close()

    # -- what the user calls

    @property
    def established(self) -> bool:
        """Whether messages may go out."""
        return self._machine.may_send

    @property
    def transport(self) -> asyncio.Transport | None:
        """For addresses and certificates; None before the connection."""
        return self._transport

    def associate(self, request: bytes) -> None:
        """Send an A-ASSOCIATE-RQ."""
        self._outgoing[Do.SEND_ASSOCIATE_RQ] = request
        self._do(Event.CONNECTED)

    def accept(self, acceptance: bytes) -> None:
        """Send an A-ASSOCIATE-AC. `TooLate` when the peer has gone."""
        self._outgoing[Do.SEND_ASSOCIATE_AC] = acceptance
        self._do(Event.ACCEPT)
        self._intake.enlarge()
        self.watch()

    def reject(self, rejection: Rejection) -> None:
        """Send an A-ASSOCIATE-RJ. `TooLate` when the peer has gone."""
        self._outgoing[Do.SEND_ASSOCIATE_RJ] = wire.reject(rejection)
        self._do(Event.REJECT)

    def send(self, parts: Iterable[bytes | memoryview]) -> None:
        """Send P-DATA-TF PDUs, ``parts`` of them in order. `TooLate` when the association is over."""
        self._machine.step(Event.P_DATA_REQUEST)
        assert self._transport is not None  # for the type checker: the machine would have said `TooLate`
        self._transport.writelines(parts)

    async def drain(self) -> None:
        """Wait until there is room to send; who reads nothing for too long is aborted."""
        while (room := self._room) is not None:
            waiting = self._unsent()
            with contextlib.suppress(TimeoutError):
                # `wait_for` may lose a cancellation (Python 3.11)
                async with asyncio.timeout(self._patience.room or self._patience.idle):
                    await asyncio.shield(room)
                return
            if self._unsent() >= waiting:
                self._user.ended("timeout")
                self.hang_up()
                return

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def release(self) -> None:
        """Ask for the release of the association. `TooLate` when it is over."""
        self._do(Event.RELEASE_REQUEST)
        self._deadline.at(self._loop.time() + self._patience.first)

    def release_response(self) -> None:
        """Answer the peer's request for release."""
        self._do(Event.RELEASE_RESPONSE)

    def abort(self, how: str = "aborted") -> None:
        """End the association at once; harmless when it is over."""
        self._user.ended(how)
        try:
            self._do(Event.ABORT_REQUEST)
        except TooLate:
            if self._machine.state is State.AWAITING_REQUEST:
                self.hang_up()  # there is nothing to abort yet

    def hang_up(self) -> None:
        """Close the connection without a word, whatever is still to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def rest(self, paused: bool) -> None:
        """Take no more for now, or again: for a peer that asks faster than it is answered."""
        self._inlet.rest(paused)

    # -- what the inlet calls

    def pdu(self, event: Event, body: memoryview) -> None:
        """A whole PDU has come."""
        for do in self._machine.step(event):
            match do:
                case Do.INDICATE_P_DATA:
                    self._inlet.unpack(body)
                case Do.INDICATE_REQUEST:
                    self._user.requested(body)
                case Do.CONFIRM_ACCEPTED:
                    self._intake.enlarge()
                    self._user.accepted(body)
                case Do.CONFIRM_REJECTED:
                    self._user.rejected(wire.rejection_in(body))
                case _:
                    self._perform(do)

    def fragment(self, context: int, control: int, data: memoryview) -> None:
        """A fragment of the last P-DATA-TF."""
        self._user.fragment(context, control, data)

    def invalid(self) -> None:
        """The peer has made a mistake."""
        self._do(Event.INVALID_PDU)

    def turn_over(self) -> None:
        """Something has come and was taken."""
        self.watch()

    # -- the inside

    def _do(self, event: Event) -> None:
        for do in self._machine.step(event):
            self._perform(do)

    def _perform(self, do: Do) -> None:
        match do:
            case Do.SEND_ASSOCIATE_RQ | Do.SEND_ASSOCIATE_AC | Do.SEND_ASSOCIATE_RJ:
                self._write(self._outgoing.pop(do))
            case Do.SEND_RELEASE_RQ | Do.SEND_RELEASE_RP | Do.SEND_ABORT_BY_USER | Do.SEND_ABORT_BY_PROVIDER:
                self._write(_FIXED[do])
            case Do.START_ARTIM:
                last = self._machine.state is State.AWAITING_CLOSE
                self._deadline.at(self._loop.time() + (LAST_SECONDS if last else self._patience.first))
                if last:
                    self._last_word()
            case Do.STOP_ARTIM:
                self._deadline.off()
            case Do.CLOSE:
                self._close()
            case Do.INDICATE_RELEASE:
                self._user.release_indicated()
            case Do.CONFIRM_RELEASE:
                self._user.ended("released")
                if self._machine.state is State.COLLISION_ACCEPTOR_LOCAL:
                    self.release_response()
            case Do.INDICATE_ABORT:
                self._user.ended("aborted")
            case _:  # pragma: no cover  # what a PDU brings is in `_pdu`
                raise AssertionError(do)

    def _last_word(self) -> None:
        """What was written was the last: say so, for a peer that waits for us to close; what it sends yet is dropped.

        To close at once instead would lose our last PDU where bytes of the peer's are unread (RFC 1122 4.2.2.13).
        """
        self._inlet.deafen()
        if self._transport is not None and self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the peer has gone
                self._transport.write_eof()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        """Close when what was written is out, but do not wait for a peer that never reads it."""
        self._inlet.deafen()
        if self._transport is not None:
            self._transport.close()
            self._deadline.at(self._loop.time() + self._patience.first)

    def watch(self) -> None:
        """Set the time by which something must have come, after each read and each answer."""
        if self._machine.state is not State.ESTABLISHED:
            return
        if self._inlet.resting:
            self._deadline.off()  # it is we who are slow
            return
        intake, user = self._intake, self._user
        if not self._vigil.look(self._loop.time(), intake.taken, intake.partial, user.midway, user.busy):
            self.abort("timeout")

    def _expired(self) -> None:
        match self._machine.state:
            case State.AWAITING_REQUEST | State.AWAITING_CLOSE:
                self._do(Event.ARTIM_EXPIRED)
                self.hang_up()
            case State.IDLE | State.CONNECTING:
                self.hang_up()
            case _:
                self.abort("timeout")


_FIXED = {
    Do.SEND_RELEASE_RQ: wire.RELEASE_RQ,
    Do.SEND_RELEASE_RP: wire.RELEASE_RP,
    Do.SEND_ABORT_BY_USER: wire.ABORT_BY_USER,
    Do.SEND_ABORT_BY_PROVIDER: wire.ABORT_BY_PROVIDER,
}


def _quick_acknowledgement(transport: asyncio.BaseTransport) -> Callable[[], None]:
    """DCMTK's default is to send a PDU in two writes, the second when the first is acknowledged: not 40 ms late, then.

    The kernel forgets the option with each answer that it sends, so it is set again after each read.
    """
    connection = transport.get_extra_info("socket")

    def acknowledge() -> None:
        with contextlib.suppress(OSError):  # the peer has gone
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    return acknowledge
