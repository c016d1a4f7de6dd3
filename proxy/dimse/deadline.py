"""How long a peer may take: one timer a connection, moved cheaply, and the rules that move it. Sees no byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

#: The longest a peer may take to make its A-ASSOCIATE-RQ complete; also our ARTIM timer (PS3.8 9.1.5).
FIRST_PDU_SECONDS = 10.0
#: ARTIM once our last word is out: so long the peer may take to hang up.
LAST_SECONDS = 2.0
#: The least that a peer sends of a message, once it has had its idle time for it.
BYTES_PER_SECOND = 1000


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: ``idle`` for a PDU, and between PDUs (None: for ever); ``first`` is ARTIM.

    ``room``: for a peer that reads nothing of what we send, None: as ``idle``.
    """

    idle: float | None
    first: float = FIRST_PDU_SECONDS
    room: float | None = None


class Deadline:
    """Calls ``expired`` at a time that may be moved as often as one likes: the timer looks when it rings."""

    __slots__ = ("_expired", "_timer", "_when")

    def __init__(self, expired: Callable[[], None]) -> None:
        self._expired = expired
        self._when: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def on(self) -> bool:
        """Whether there is one."""
        return self._when is not None

    def at(self, when: float) -> None:
        """Expire at ``when``, by the loop's clock, and not before."""
        self._when = when
        if self._timer is None or self._timer.when() > when:
            self._set(when)

    def off(self) -> None:
        """Do not expire."""
        self._when = None

    def close(self) -> None:
        """Forget the timer."""
        self._when = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._when is None:
            return
        if self._when > asyncio.get_running_loop().time():
            self._set(self._when)
        else:
            self._when = None
            self._expired()


class Vigil:
    """When an established association must have said something: a PDU in time, and a message not in drips."""

    __slots__ = ("_bytes", "_deadline", "_idle", "_since", "_taken")

    def __init__(self, idle: float | None, deadline: Deadline) -> None:
        self._idle, self._deadline = idle, deadline
        self._taken = -1
        self._since, self._bytes = 0.0, 0

    def look(self, now: float, taken: int, partial: bool, midway: bool, busy: bool) -> bool:
        """Move the deadline; False when this peer is too slow for any patience.

        ``taken``: bytes of whole PDUs so far; ``partial``, ``midway``: a PDU, a message has begun and is not whole;
        ``busy``: the peer waits for us.
        """
        if self._idle is None or (busy and not partial and not midway):
            self._deadline.off()
            self._since = 0.0
            return True
        if taken != self._taken or not self._deadline.on:  # bytes within one PDU prolong nothing
            self._taken = taken
            self._deadline.at(now + self._idle)
        if not midway:
            self._since = 0.0
            return True
        if not self._since:
            self._since, self._bytes = now, taken
        late = now - self._since - self._idle
        return late <= 0 or taken - self._bytes >= late * BYTES_PER_SECOND
