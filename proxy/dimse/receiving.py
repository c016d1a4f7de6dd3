"""C-STORE data sets go from the socket into an arena: clear PHI touches no disk, and no buffer of its own size.

Nothing here parses a data set, and the only statuses decided are those of size and memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.dimse.status import NO_MEMORY, TOO_LARGE, Answer
from proxy.workers.arena import Arena, ArenaFull

_LONG_VR = b"OB\x00\x00"


class Budget:
    """Bytes that all arenas of one server may hold together. Used on the event loop only."""

    def __init__(self, limit: int) -> None:
        self._free = limit

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False when they are not there."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give(self, size: int) -> None:
        """Return reserved bytes."""
        self._free += size


def part10_header(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and File Meta Information (PS3.10 7.1) for a data set that came by C-STORE."""

    def element(number: int, vr: bytes, value: str, pad: bytes) -> bytes:
        raw = value.encode("ascii")
        raw += pad * (len(raw) % 2)
        return struct.pack("<HH2sH", 2, number, vr, len(raw)) + raw

    body = (
        struct.pack("<HH4sI", 2, 0x0001, _LONG_VR, 2)
        + b"\x00\x01"
        + element(0x0002, b"UI", sop_class_uid, b"\x00")
        + element(0x0003, b"UI", sop_instance_uid, b"\x00")
        + element(0x0010, b"UI", transfer_syntax_uid, b"\x00")
        + element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\x00")
        + element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" ")
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0x0000, b"UL", 4, len(body)) + body


class Incoming:
    """One data set on its way into an arena.

    Once ``refused`` says why, the rest of the data set is read and dropped, so that the association survives.
    """

    def __init__(
        self, header: Callable[[], bytes], limit: int, budget: Budget, arena: Callable[[], Arena] | None = None
    ) -> None:
        """``arena`` makes one that takes ``limit`` bytes."""
        self._header, self._budget = header, budget
        self._new = arena or (lambda: Arena(limit))
        self._reserved = 0
        self._over = False
        self.arena: Arena | None = None
        self.refused: Answer | None = None

    def write(self, data: memoryview) -> None:
        """Append ``data`` to the arena, behind the Part 10 header."""
        self.open()
        if self.arena is not None:
            self._append(data)

    def open(self) -> None:
        """Write the header, if it is not yet there; a data set without a single byte has no other moment for it."""
        if self.arena is None and self.refused is None and not self._over:
            header = self._header()
            try:
                self.arena = self._new()
            except OSError:  # no descriptor left
                self._refuse(NO_MEMORY)
                return
            self._append(header)

    def discard(self) -> None:
        """Give the memory back. Safe to repeat; what is written later is dropped."""
        self._over = True
        if self.arena is not None:
            self.arena.close()
            self.arena = None
        self._budget.give(self._reserved)
        self._reserved = 0

    def _append(self, data: bytes | memoryview) -> None:
        assert self.arena is not None  # for the type checker: both callers have just looked
        if not self._budget.take(len(data)):
            self._refuse(NO_MEMORY)
            return
        self._reserved += len(data)
        try:
            self.arena.write(data)
        except ArenaFull:
            self._refuse(TOO_LARGE)
        except OSError:  # ENOMEM or ENOSPC: the machine has less than the budget promised
            self._refuse(NO_MEMORY)

    def _refuse(self, why: Answer) -> None:
        self.refused = why
        self.discard()
