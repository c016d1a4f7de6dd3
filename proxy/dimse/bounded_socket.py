"""The socket of an accepted connection: how long a PDU may be, and how long it may take.

pynetdicom's own has neither a length limit nor a deadline, so that one peer could fill the memory or hold a thread for
ever. Reads whole PDUs, understands none.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from pynetdicom.association import Association

#: The longest a peer may take to make its A-ASSOCIATE-RQ complete; also our ARTIM timer (PS3.8 9.1.5).
FIRST_PDU_SECONDS = 10.0
#: 128 presentation contexts with every transfer syntax in each make 170 KiB.
FIRST_PDU_BYTES = 256 << 10
#: A-ABORT by the service provider, invalid PDU parameter value (PS3.8 9.3.8)
_ABORT_PDU = bytes.fromhex("07000000000400000206")
#: PS3.8 9.2.1, state 2: connected, no A-ASSOCIATE-RQ yet
_WAITING_FOR_THE_REQUEST = "Sta2"
#: PS3.8 9.2.1, state 13: our A-ABORT, A-ASSOCIATE-RJ or A-RELEASE-RP is out; what still comes has no meaning
_WAITING_FOR_THE_END = "Sta13"


class BoundedSocket(AssociationSocket):
    """pynetdicom's socket with a limit on a PDU's length and a deadline for the whole of it."""

    def __init__(self, assoc: Association, client: socket.socket, max_pdu: int, idle_seconds: float) -> None:
        super().__init__(assoc, client_socket=client)
        self._max_pdu, self._seconds = max_pdu, idle_seconds
        self._deadline = 0.0
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(idle_seconds)  # for sending to a peer that has stopped reading

    @property
    def ready(self) -> bool:
        """Whether there is something to read. pynetdicom's select(2) cannot watch descriptors from 1024 on."""
        if self.socket is None or not self._is_connected:
            return False
        if self.assoc.dul.state_machine.current_state == _WAITING_FOR_THE_END:
            self._discard(self.socket)
            return False
        try:
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read a PDU's header (six bytes) or all that its header announced; short when the peer has closed."""
        associated = self.assoc.dul.state_machine.current_state != _WAITING_FOR_THE_REQUEST
        if nr_bytes == 6:
            seconds = self._seconds if associated else min(FIRST_PDU_SECONDS, self._seconds)
            self._deadline = time.monotonic() + seconds
        # six more than announced: some peers leave the PDV's own header out of their sum
        if nr_bytes > (self._max_pdu + 6 if associated else FIRST_PDU_BYTES):
            self.send(_ABORT_PDU)
            raise ConnectionAbortedError("PDU longer than announced")
        data = bytearray(nr_bytes)
        return data[: self._fill(memoryview(data))]

    def _discard(self, client: socket.socket) -> None:
        """Drop what has arrived. Closing with unread bytes would reset the connection, and our last PDU with it."""
        client.setblocking(False)
        try:
            for _ in range(64):
                if not client.recv(1 << 16):
                    break
        except OSError:
            return

    def _fill(self, view: memoryview) -> int:
        client, done = self.socket, 0
        if client is not None:
            # DCMTK sends a PDU in two writes, the second when the first is acknowledged: not 40 ms late, then
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        while client is not None and done < len(view):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("PDU not complete in time")
            client.settimeout(left)
            count = client.recv_into(view[done:])
            if count == 0:
                break
            done += count
        if client is not None:
            client.settimeout(self._seconds)
        return done
