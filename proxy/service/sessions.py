"""Who is signed in: sessions in memory, known by 256 random bits of which only the SHA-256 is kept.

A restart ends all of them. A session also ends when it was not used for a while, when it is old, when what its holder
was let in by has expired, and when its account is gone or has another password.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from proxy.service.people import Account

_BYTES = 32
_MOST = 10_000


def boot_time() -> float:
    """Seconds that nobody can set back, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Session:
    """One browser of ``account``, as that was when it began. ``until``: it ends then at the latest."""

    account: Account
    began: float
    used: float
    until: float


class Sessions:
    """``idle`` and ``lifetime`` in seconds."""

    def __init__(self, idle: float, lifetime: float, clock: Callable[[], float] = boot_time, most: int = _MOST) -> None:
        """``most``: at the same time; who has not been here for longest is forgotten first."""
        self._idle, self._lifetime, self._clock, self._most = idle, lifetime, clock, most
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, account: Account, seconds: float = math.inf) -> str:
        """The id of a new session of so many seconds at most, to be told to nobody but the browser."""
        made, now = secrets.token_urlsafe(_BYTES), self._clock()
        self._kept[_digest(made)] = Session(account, now, now, now + seconds)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made

    def find(self, session_id: str, use: bool = True) -> tuple[Session | None, str]:
        """The session and why it has ended ("": it has not, and is in use now). None for an id of no session.

        Without ``use`` it was only asked for: it goes on as if nobody had come.
        """
        key, now = _digest(session_id), self._clock()
        session = self._kept.get(key)
        if session is None:
            return None, ""
        if now - session.began >= self._lifetime:
            return session, "too-old"
        if now >= session.until:
            return session, "expired"
        if now - session.used >= self._idle:
            return session, "idle"
        if use:
            session.used = now
            self._kept.move_to_end(key)
        return session, ""

    def end(self, session_id: str) -> None:
        """Forget it."""
        self._kept.pop(_digest(session_id), None)


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
