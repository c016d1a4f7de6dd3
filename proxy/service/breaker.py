"""When to try a destination again: full-jitter backoff and a circuit breaker. Pure: clock and chance come from outside.

Closed: everything goes. Open: nothing goes until ``until``. Then half open: one probe at a time, and what it finds
closes the breaker or opens it for longer. A destination that refuses everything opens it at once; trouble on the way
opens it after a few failures in a row, so that an outage costs one probe now and then, not one failure per instance.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

#: seconds: first ceiling and last ceiling of the wait for one instance
BASE, CAP = 1.0, 300.0
#: failures in a row that open the breaker, and the longest wait before a probe where nobody refused anything
TOLERATED, PROBE_CAP = 3, 30.0


class State(StrEnum):
    """What `Deliver.status` shows of a destination."""

    UP = "up"
    DOWN = "down"  # trouble on the way, tried again by itself
    REFUSING = "refusing"  # it refuses everything: someone should look
    PAUSED = "paused"  # by an operator; no breaker's business, see `proxy.service.destinations`


def full_jitter(rng: random.Random, attempts: int, cap: float = CAP) -> float:
    """Seconds to wait before the next attempt after ``attempts`` that failed: uniform up to a ceiling that doubles."""
    return rng.uniform(0.0, min(cap, BASE * 2.0 ** min(attempts, 30)))


@dataclass(slots=True)
class Breaker:
    """One destination's breaker."""

    rng: random.Random
    state: State = State.UP
    until: float = 0.0
    probing: bool = False
    failures: int = 0

    def admit(self, now: float) -> bool:
        """Whether one more attempt may begin now, inside ``with breaker.attempt():``."""
        return self.state is State.UP or (not self.probing and now >= self.until)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """An admitted attempt, from the claim to the answer. While the breaker is open it is the one probe."""
        if self.state is State.UP:
            yield
            return
        self.probing = True
        try:
            yield
        finally:
            self.probing = False

    def answered(self) -> None:
        """The destination took an instance, or refused that one only: it is there."""
        self.state, self.failures = State.UP, 0

    def troubled(self, now: float) -> None:
        """Trouble on the way."""
        self.failures += 1
        if self.state is State.UP and self.failures < TOLERATED:
            return
        if self.state is State.UP:
            self.state = State.DOWN
        self.until = now + self._wait(PROBE_CAP)

    def refused(self, now: float) -> None:
        """The destination refuses everything."""
        self.failures += 1
        self.state = State.REFUSING
        self.until = now + self._wait(CAP)

    def hurry(self) -> None:
        """Somebody says that it is mended: the next attempt need not wait."""
        self.until = 0.0

    def _wait(self, cap: float) -> float:
        # at least half a second: full jitter alone may draw a wait of nothing, again and again
        return 0.5 + full_jitter(self.rng, self.failures, cap - 0.5)
