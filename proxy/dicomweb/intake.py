"""One part of a STOW-RS request on its way into an `Arena`, and the memory that all of them share.

Clear PHI: it lives in the arena and nowhere else. What does not fit is refused, never waited for: the sender keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from proxy.dicomweb.status import MemoryFull
from proxy.wire.media import DICOM, MediaTypeError, parse_media_type
from proxy.workers.arena import Arena, ArenaFull


class Budget:
    """Bytes that all arenas of the server may hold together."""

    def __init__(self, limit: int) -> None:
        self._limit, self.used = limit, 0

    def take(self, count: int) -> None:
        """Raises `MemoryFull` when there is no room for ``count`` more bytes."""
        if not self.fits(count):
            raise MemoryFull("the memory for instances being received is used up")
        self.used += count

    def fits(self, count: int) -> bool:
        """Whether there is room for ``count`` more bytes just now."""
        return self.used + count <= self._limit

    def give(self, count: int) -> None:
        """Return ``count`` bytes."""
        self.used -= count


class Part:
    """A part being received, or put together. ``fault`` says why it is no instance, else "": see `stow.FAULTS`.

    ``names``: SOP Class and SOP Instance UID where they are known before anybody reads the data set.
    """

    def __init__(self, headers: Mapping[str, str], limit: int, budget: Budget, fault: str = "") -> None:
        self.headers, self.fault = headers, fault
        self.names = ("", "")
        self.arena = Arena(limit)
        self._budget, self._taken = budget, 0

    def write(self, data: bytes) -> None:
        """Append; a part that is too large is dropped at once and the rest of it is skipped."""
        if self.fault:
            return
        self._budget.take(len(data))
        self._taken += len(data)
        try:
            self.arena.write(data)
        except ArenaFull:
            self.fault = "too-large"
            self.close()

    def close(self) -> None:
        """Give the memory back."""
        self.arena.close()
        self._budget.give(self._taken)
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def is_dicom(content_type: str | None) -> bool:
    """Whether a part of this Content-Type may be a Part 10 file."""
    if content_type is None:  # seen in the field; the body's own prefix decides
        return True
    try:
        return parse_media_type(content_type).essence == DICOM
    except MediaTypeError:
        return False
