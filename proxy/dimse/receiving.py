"""C-STORE data sets go from the socket into an arena: clear PHI touches neither a disk nor pynetdicom's buffers.

`Inbox` stands in for pynetdicom's DIMSE provider on one association, `Incoming` for the BytesIO that it fills. Both
hang on pynetdicom's internals; the tests pin what they rely on. Nothing here parses a data set, and the only statuses
decided are those of size and memory.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, cast

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.dimse.status import NO_MEMORY, TOO_LARGE, Answer
from proxy.workers.arena import Arena, ArenaFull

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.dimse import _QueueItem
    from pynetdicom.dimse_primitives import DimsePrimitiveType
    from pynetdicom.pdu_primitives import P_DATA

#: A command set (PS3.7 6.3) has a dozen short elements.
COMMAND_SET_BYTES = 64 << 10
_LONG_VR = b"OB\x00\x00"


class Budget:
    """Bytes that all arenas of one server may hold together."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False when they are not there."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give(self, size: int) -> None:
        """Return reserved bytes."""
        with self._lock:
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


class Incoming(BytesIO):
    """One data set on its way into an arena; pynetdicom takes it for the BytesIO that it would have filled.

    Once ``refused`` says why, the rest of the data set is read and dropped, so that the association survives.
    """

    def __init__(self, header: Callable[[], bytes], limit: int, budget: Budget) -> None:
        super().__init__()
        self._header, self._limit, self._budget = header, limit, budget
        self._reserved = 0
        self._over = False
        self.arena: Arena | None = None
        self.refused: Answer | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # pynetdicom writes bytes only
        """Append ``data`` to the arena, behind the Part 10 header."""
        self.open()
        if self.arena is not None:
            self._append(data)
        return len(data)

    def open(self) -> None:
        """Write the header, if it is not yet there; a data set without a single byte has no other moment for it."""
        if self.arena is None and self.refused is None and not self._over:
            header = self._header()
            self.arena = Arena(self._limit)
            self._append(header)

    def discard(self) -> None:
        """Give the memory back. Safe to repeat; what is written later is dropped."""
        self._over = True
        if self.arena is not None:
            self.arena.close()
            self.arena = None
        self._budget.give(self._reserved)
        self._reserved = 0

    def _append(self, data: bytes) -> None:
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


class Inbox(DIMSEServiceProvider):
    """The DIMSE provider of one association, with bounds and with arenas for data sets."""

    def __init__(self, assoc: Association, limit: int, budget: Budget, draining: threading.Event) -> None:
        super().__init__(assoc)
        self._limit, self._budget, self._draining = limit, budget, draining
        self._incoming: set[Incoming] = set()
        self._begun = 0  # counted by the association's network thread only
        self._answered = 0  # counted by the association's service thread only

    @property
    def busy(self) -> bool:
        """Whether a request has begun to arrive and its response is not yet on its way."""
        return self._begun != self._answered

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take fragments (PS3.8 E.2). Whatever is wrong with them ends the association, and only it."""
        try:
            if self.message is None and not self._begin():
                return
            self._check(primitive)
            super().receive_primitive(primitive)
        except Exception:  # noqa: BLE001  # the shell's last line: nothing a peer sends may end a thread unanswered
            self.dul.event_queue.put("Evt19")  # PS3.8 9.2.3: invalid PDU; the state machine sends A-ABORT

    def get_msg(self, block: bool = False) -> _QueueItem:
        """The next request, its SOP class that of the presentation context.

        By a command set's own SOP class pynetdicom would choose the service, and abort where it is nonsense. The
        context is what both sides agreed on; `Incoming` has the command's word in its header, and ingest compares.
        """
        context_id, message = super().get_msg(block)
        context = self.assoc._accepted_cx.get(context_id or 0)
        if isinstance(message, C_STORE) and message.AffectedSOPClassUID and context is not None:
            message.AffectedSOPClassUID = context.abstract_syntax
        return cast("_QueueItem", (context_id, message))

    def send_msg(self, primitive: DimsePrimitiveType, context_id: int) -> None:
        """Queue a response."""
        super().send_msg(primitive, context_id)
        self._answered += 1

    def done(self, incoming: Incoming) -> None:
        """The instance has an outcome: forget its bytes."""
        incoming.discard()
        self._incoming.discard(incoming)

    def close(self) -> None:
        """Forget every byte; to be called when no thread of the association runs any more."""
        for incoming in self._incoming:
            incoming.discard()
        self._incoming.clear()

    def _begin(self) -> bool:
        if self._draining.is_set():
            self.assoc.abort(block=False)
            return False
        message = DIMSEMessage()
        incoming = Incoming(lambda: self._part10_header(message), self._limit, self._budget)
        self._incoming.add(incoming)
        message.data_set = incoming
        self.message = message
        self._begun += 1
        return True

    def _check(self, primitive: P_DATA) -> None:
        message = self.message
        contexts = {context for context, _ in primitive.presentation_data_value_list}
        if message is None or len(contexts) > 1 or message.context_id not in (None, *contexts):
            raise ValueError("fragments of one message in several presentation contexts")
        if message.encoded_command_set.tell() > COMMAND_SET_BYTES:
            raise ValueError("command set too long")

    def _part10_header(self, message: DIMSEMessage) -> bytes:
        command = message.command_set
        context = self.assoc._accepted_cx[message.context_id or 0]
        return part10_header(
            str(command.AffectedSOPClassUID), str(command.AffectedSOPInstanceUID), str(context.transfer_syntax[0])
        )
