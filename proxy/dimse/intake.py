"""Bytes from the socket, as they come, and PDUs out of them, as slices of one buffer. No meaning, no clock.

A buffer grows with what has come, never with what a length claims; beyond the first PDU it holds two of the largest
that were announced, so that a P-DATA-TF is seldom moved.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.wire.dimse_pdu import ASSOCIATE_BYTES, HEADER_BYTES, event_of
from proxy.wire.upper_layer_table import Event

_SMALL = 4096
_NOTHING = memoryview(b"")


class Intake:
    """The receiving half of one connection."""

    __slots__ = ("_end", "_expected", "_grown", "_largest", "_start", "_stopped", "_view", "taken")

    def __init__(self, largest_pdu: int, grown: Callable[[], None]) -> None:
        """``largest_pdu``: the P-DATA-TF that we announce to take, in bytes after its header.

        ``grown`` is called whenever one PDU has outgrown the buffer.
        """
        self._grown = grown
        self._largest, self._stopped = largest_pdu, False
        self._view = memoryview(bytearray(_SMALL))
        self._start = self._end = 0
        self._expected: tuple[Event, int] | None = None
        self.taken = 0  # bytes of whole PDUs, ever

    @property
    def partial(self) -> bool:
        """Whether a PDU has begun and is not whole."""
        return self._end > self._start

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._stopped:
            return self._view
        size = len(self._view)
        if self._end == size:
            if self._start:
                self._move(self._view)
            else:  # all of it one PDU that is allowed to be longer
                self._move(memoryview(bytearray(min(2 * size, ASSOCIATE_BYTES + self._largest))))
                self._grown()
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """``count`` bytes were written where `room` said."""
        if not self._stopped:
            self._end += count

    def next(self) -> tuple[Event, memoryview] | None:
        """The next PDU, by what it means and without its header; None while there is no whole one.

        The slice is valid until `room` is called. Of an invalid PDU nothing is kept, and nothing after it is read.
        """
        have = self._end - self._start
        if self._expected is None:
            if have < HEADER_BYTES:
                self._settle()
                return None
            self._expected = event_of(self._view[self._start : self._start + HEADER_BYTES], self._largest)
        event, length = self._expected
        if event is Event.INVALID_PDU:
            self.stop()
            return event, _NOTHING
        if have < HEADER_BYTES + length:
            self._settle()
            return None
        body = self._start + HEADER_BYTES
        self._start = body + length
        self.taken += HEADER_BYTES + length
        self._expected = None
        return event, self._view[body : self._start]

    def enlarge(self) -> None:
        """The association is there: make room for data."""
        if len(self._view) < 2 * self._largest:
            self._move(memoryview(bytearray(2 * (self._largest + HEADER_BYTES))))

    def stop(self) -> None:
        """Whatever still comes is read and dropped."""
        self._stopped, self._expected = True, None
        self._start = self._end = 0

    def close(self) -> None:
        """Give the memory back."""
        self.stop()
        self._view = memoryview(bytearray(1))

    def _settle(self) -> None:
        """Nothing is handed out now: begin at the front again where that costs nothing, or where a PDU will not fit."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._expected is not None and self._start + HEADER_BYTES + self._expected[1] > len(self._view):
            self._move(self._view)

    def _move(self, to: memoryview) -> None:
        size = self._end - self._start
        to[:size] = self._view[self._start : self._end]  # within one buffer too: memoryviews move, they do not copy
        self._view, self._start, self._end = to, 0, size
