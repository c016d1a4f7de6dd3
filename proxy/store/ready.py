"""Rows of one destination that are known to wait, so that the database need not be asked for each. No I/O, no clock.

A row that has just been committed is handed to the next who claims. That is right only while nothing else is due that
is not here: after the database was asked and had no more, until a row comes that is not new, or a retry is due, or a
while has passed. Lives on the event loop; whoever is in doubt asks the database, which knows everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from proxy.service.ports import QueueRow

#: seconds after which the database is asked, whatever is here
_SURE_SECONDS = 10.0
_MOST = 1000


class Ready:
    """What is known of one destination."""

    def __init__(self) -> None:
        self._rows: deque[QueueRow] = deque()
        self._sure_until = 0.0
        self._asking = 0  # questions to the database that are under way

    def add(self, row: QueueRow) -> None:
        """``row`` was committed just now, and waits."""
        if len(self._rows) >= _MOST:
            self.doubt()
        elif self._asking or self._sure_until:
            self._rows.append(row)

    def take(self, most: int, now: float) -> list[QueueRow] | None:
        """Rows for whoever claims at ``now``; None: ask the database, between `ask` and `asked`."""
        if self._asking:
            return None
        if now >= self._sure_until:
            self.doubt()
            return None
        return [self._rows.popleft() for _ in range(min(most, len(self._rows)))]

    def ask(self) -> None:
        """The database is asked; what is committed meanwhile may or may not be in its answer."""
        self._asking += 1

    def asked(self, found: Sequence[QueueRow] | None, most: int, now: float) -> None:
        """The answer to a claim of ``most`` rows at ``now``; None: there was none."""
        self._asking -= 1
        taken = {row.id for row in found or ()}
        self._rows = deque(row for row in self._rows if row.id not in taken)
        if found is None or len(found) >= most:
            self.doubt()
        elif not self._asking:  # while another question is under way its answer may hold what is here
            self._sure_until = now + _SURE_SECONDS

    def due(self, at: float) -> None:
        """A row that is not here will be due then."""
        self._sure_until = min(self._sure_until, at)

    def doubt(self) -> None:
        """Something waits that is not here."""
        self._sure_until = 0.0
        if not self._asking:
            self._rows.clear()
