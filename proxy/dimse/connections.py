"""Connections that Veil accepts: how many, how long silent, how long a PDU; and that each gives everything back.

pynetdicom's socket has neither a length limit nor a deadline, its server no bound on connections. The classes here put
both in and replace the association's DIMSE provider (`receiving.Inbox`). They know no project, no ingest, no status.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import evt
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from proxy.dimse.receiving import Budget, Inbox

if TYPE_CHECKING:
    from pynetdicom.association import Association

#: The longest a peer may take to make its A-ASSOCIATE-RQ complete; also our ARTIM timer (PS3.8 9.1.5).
FIRST_PDU_SECONDS = 10.0
#: 128 presentation contexts with every transfer syntax in each make 170 KiB.
FIRST_PDU_BYTES = 256 << 10
#: A-ABORT by the service provider, invalid PDU parameter value (PS3.8 9.3.8)
_ABORT_PDU = bytes.fromhex("07000000000400000206")
#: PS3.8 9.2.1, state 13: our A-ABORT, A-ASSOCIATE-RJ or A-RELEASE-RP is out; what still comes has no meaning
_WAITING_FOR_THE_END = "Sta13"


class Bounds:
    """What the connections of one server share: limits, memory and the admitted associations."""

    def __init__(
        self, max_pdu: int, associations: int, idle_seconds: float, instance_limit: int, memory_limit: int
    ) -> None:
        self.max_pdu, self.idle_seconds = max_pdu, idle_seconds
        self.instance_limit, self.budget = instance_limit, Budget(memory_limit)
        self.connections = 2 * associations + 16  # connected, perhaps silent: they cost threads too
        self.draining = threading.Event()
        self._associations = associations
        self._admitted: set[Association] = set()
        self._lock = threading.Lock()

    def admit(self, association: Association) -> bool:
        """Count ``association`` if there is room."""
        with self._lock:
            if len(self._admitted) >= self._associations:
                return False
            self._admitted.add(association)
            return True

    def leave(self, association: Association) -> None:
        """``association`` has ended."""
        with self._lock:
            self._admitted.discard(association)


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
        associated = self.assoc.is_established
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


class Connection(RequestHandler):
    """The life of one connection, from TCP accept until everything it used is given back."""

    server: Server

    def handle(self) -> None:
        """Run the association to its end (pynetdicom's own handler only starts it)."""
        bounds = self.server.bounds
        association = self._create_association()
        inbox = Inbox(association, bounds.instance_limit, bounds.budget, bounds.draining)
        association.dimse = inbox
        association.dul.event_queue.get_nowait()  # the socket that is replaced here had announced itself (Evt5)
        association.dul.socket = BoundedSocket(association, self.request, bounds.max_pdu, bounds.idle_seconds)
        association.dul.daemon = True
        association.bind(evt.EVT_CONN_CLOSE, _wake)
        try:
            association.start()
            association.join()
        finally:
            association.dul.kill_dul()
            self.server.shutdown_request(self.request)
            if association.dul.is_alive():
                association.dul.join()
            inbox.close()
            bounds.leave(association)


def _wake(event: evt.Event) -> None:
    """Let the service thread of a connection that ended before its A-ASSOCIATE-RQ not sit out the ARTIM time."""
    cast(Any, event.assoc.dul.to_user_queue).put(None)


class Server(ThreadedAssociationServer):
    """pynetdicom's server with a limit on connections; shutting it down does not wait for them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        self.bounds = bounds
        self.handlers = 0
        self._count = threading.Lock()
        kwargs["request_handler"] = Connection
        super().__init__(*args, **kwargs)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether one more connection is served; otherwise it is closed at once."""
        return self.handlers < self.bounds.connections

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count a connection and serve it in a thread of its own."""
        with self._count:
            self.handlers += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._count:
                self.handlers -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the standard library would print a traceback."""
