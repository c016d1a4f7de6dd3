"""What comes in over one connection, in turns: PDUs, and the fragments of P-DATA-TF one by one (PS3.8 9.3).

Nobody is listened to for longer than a turn, and nobody at all who asks faster than he is answered: the rest waits in
the buffer, and what comes after it with the kernel. Of all who have more to say than fits a turn, one goes on in each
round of the event loop, so that those who are brief never wait for more than that. Knows no state of the association.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from proxy.dimse.intake import Intake
from proxy.wire import dimse_pdu as wire
from proxy.wire.dimse_pdu import PduError
from proxy.wire.messages import MessageError
from proxy.wire.upper_layer_table import Event

#: how long one connection's PDUs and fragments are taken before others come to their turn, in seconds
TURN = 0.0005


class Reader(Protocol):
    """Who is told what has come."""

    def pdu(self, event: Event, body: memoryview) -> None:
        """A whole PDU; of P-DATA-TF the fragments follow if `Inlet.unpack` is called. Raises `PduError`."""
        ...

    def fragment(self, context: int, control: int, data: memoryview) -> None:
        """One presentation data value. Raises `MessageError`."""
        ...

    def invalid(self) -> None:
        """What has come makes no sense."""
        ...

    def turn_over(self) -> None:
        """All of it has been taken, or the turn is over."""
        ...


class Queue:
    """Those who have more to say, in the order of their turns; shared by the connections of one server."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def later(self, again: Callable[[], None]) -> None:
        """Call ``again`` when it is its turn."""
        self._waiting.append(again)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        again = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        again()


class Inlet:
    """The receiving half of one connection."""

    def __init__(self, reader: Reader, largest_pdu: int, grown: Callable[[], None], queue: Queue) -> None:
        """``largest_pdu``, ``grown``: see `Intake`."""
        self._reader, self._queue = reader, queue
        self.intake = Intake(largest_pdu, grown)
        self._fragments: Iterator[tuple[int, int, memoryview]] = iter(())  # those of the PDU that is being taken
        self._transport: asyncio.Transport | None = None
        self.resting = False
        self._turn_over = False
        self._listening = True

    def connected(self, transport: asyncio.Transport) -> None:
        """Begin to listen to it."""
        self._transport, self._loop = transport, asyncio.get_running_loop()

    def take(self) -> None:
        """Take what has come: all of it, or until the turn is over, or until the user wants to rest."""
        until = self._loop.time() + TURN
        try:
            while not self.resting and self._one():
                if self._loop.time() > until:
                    self._later()
                    break
        except (MessageError, PduError):
            self.deafen()
            self._reader.invalid()
        self._listen(not self.resting and not self._turn_over)
        self._reader.turn_over()

    def unpack(self, body: memoryview) -> None:
        """Take the fragments of this P-DATA-TF next."""
        self._fragments = wire.fragments(body)

    def rest(self, wanted: bool) -> None:
        """Take no more for now, or again."""
        self.resting = wanted
        if not wanted:
            self._later()

    def deafen(self) -> None:
        """Whatever has come or still comes is dropped."""
        self._fragments, self.resting = iter(()), False
        self.intake.stop()

    def close(self) -> None:
        """Give the memory back."""
        self.deafen()
        self.intake.close()

    def _one(self) -> bool:
        """Take one fragment or one PDU; False when there is none."""
        if (fragment := next(self._fragments, None)) is not None:
            self._reader.fragment(*fragment)
            return True
        if (found := self.intake.next()) is None:
            return False
        self._reader.pdu(*found)
        return True

    def _later(self) -> None:
        if not self._turn_over:
            self._turn_over = True
            self._queue.later(self._again)

    def _again(self) -> None:
        self._turn_over = False
        self.take()

    def _listen(self, wanted: bool) -> None:
        """Read from the socket, or leave what comes to the kernel: the buffer is not to be written to meanwhile."""
        transport = self._transport
        if wanted is not self._listening and transport is not None and not transport.is_closing():
            self._listening = wanted
            (transport.resume_reading if wanted else transport.pause_reading)()
