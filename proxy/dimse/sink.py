"""Where one instance goes that comes over DIMSE: into the arena of whoever waits for it, behind a Part 10 header.

Who waits may stop to: what is detached is written no more. Only the instance that was asked for is taken, and only
once.
"""

from __future__ import annotations

from proxy.service.ports import Arena
from proxy.service.upstream import UpstreamError, pour


class Sink:
    """One instance, awaited by its UID."""

    def __init__(self, name: str, instance: str, arena: Arena) -> None:
        """``name`` is the upstream's."""
        self.instance, self.complete = instance, False
        self.error: UpstreamError | None = None
        self._name, self._arena = name, arena
        self._source: object | None = None
        self._detached = False

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return self._source is not None

    def write(self, source: object, instance: str, data: bytes | memoryview) -> bool:
        """Append what ``source`` (one message) has of ``instance``; False where it is not wanted, or cannot be kept."""
        if self._source is None and instance == self.instance:
            self._source = source
        if self._detached or self.error is not None or self._source is not source:
            return False
        try:
            pour(self._name, data, self._arena)
        except UpstreamError as error:
            self.error = error
            return False
        return True

    def finish(self, source: object) -> bool:
        """``source`` has ended; whether what it had is wholly in the arena."""
        if source is self._source and self.error is None and not self._detached:
            self.complete = True
        return source is self._source and self.complete

    def detach(self) -> None:
        """Nothing is written from now on: the arena may be closed."""
        self._detached = True
