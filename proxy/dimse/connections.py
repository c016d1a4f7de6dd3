"""Connections that Veil accepts: how many there may be, how they end, and that each gives everything back.

pynetdicom's server has no bound on connections and forgets each once it has started. The classes here count, replace
the association's socket (`bounded_socket`) and DIMSE provider (`receiving.Inbox`), and end what must end. They know no
project, no ingest, no status.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import evt
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from proxy.dimse.bounded_socket import BoundedSocket
from proxy.dimse.receiving import Budget, Inbox

if TYPE_CHECKING:
    from pynetdicom.association import Association


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

    def drain(self, deadline: float) -> None:
        """Abort each association as soon as it has nothing under way, and all of them at the ``deadline``."""
        while associations := self.active_associations:
            late = time.monotonic() >= deadline
            for association in associations:
                if late or not cast(Inbox, association.dimse).busy:
                    _end(association)
            if late:
                return
            time.sleep(0.01)

    def wind_up(self) -> None:
        """Wait for the ends that `drain` began; hang up on peers that hold a thread in the middle of a PDU."""
        self._wait_for_handlers(1.0)
        for association in self.active_associations:
            hang_up(association)
        self._wait_for_handlers(1.0)

    def _wait_for_handlers(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.handlers and time.monotonic() < deadline:
            time.sleep(0.01)


def _end(association: Association) -> None:
    if association.is_established:
        association.abort(block=False)
    elif not association.is_aborted and not association.is_rejected:
        hang_up(association)  # before its A-ASSOCIATE-RQ there is nothing to abort


def hang_up(association: Association) -> None:
    """Close the connection without a word; who waits for it is woken."""
    connection = association.dul.socket
    client = connection.socket if connection is not None else None
    if client is not None:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
