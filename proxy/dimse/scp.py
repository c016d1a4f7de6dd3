"""The Verification and Storage SCP: who may associate, which project a called AE title means, what a sender is told.

Nothing is decided about a data set here: `ingest` does, on the event loop, and a status is sent only after it has
answered. Bytes and connections are bounded in `receiving`, `bounded_socket` and `connections`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.deid.types import Claimed
from proxy.dimse import contexts, silence, status
from proxy.dimse.bounded_socket import FIRST_PDU_SECONDS
from proxy.dimse.connections import Bounds, Server
from proxy.dimse.receiving import Inbox, Incoming
from proxy.errors import Unavailable
from proxy.service.ports import Peer
from proxy.workers.arena import Arena

#: A-ASSOCIATE-RJ result, source, reason (PS3.8 table 9-21)
_UNKNOWN_CALLED_AE = (1, 1, 7)
_LOCAL_LIMIT = (2, 3, 2)
_STOPPING = (2, 1, 1)


class Ingest(Protocol):
    """The use case behind C-STORE."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> status.Outcome:
        """Returns when the instance is stored or held, durably; `Unavailable` when neither can be promised."""
        ...


class DimseServer:
    """A Storage SCP on one port for all projects; ``routes`` maps called AE titles to projects."""

    def __init__(
        self,
        host: str,
        port: int,
        max_pdu: int,
        associations: int,
        idle_seconds: float,
        routes: Mapping[str, str],
        ingest: Ingest,
        loop: asyncio.AbstractEventLoop,
        instance_limit: int,
        memory_limit: int,
    ) -> None:
        """Limits in bytes: of one instance, and of all instances that are being received or judged together."""
        self._address, self._routes = (host, port), dict(routes)
        self._ingest, self._loop = ingest, loop
        self._bounds = Bounds(max_pdu, associations, idle_seconds, instance_limit, memory_limit)
        self._running: set[asyncio.Task[status.Outcome]] = set()
        self._server: Server | None = None
        self._ae = AE()
        self._ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self._ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae.maximum_pdu_size = max_pdu
        self._ae.maximum_associations = 1 << 30  # pynetdicom would count bare connections; `Bounds` counts better
        self._ae.acse_timeout = min(FIRST_PDU_SECONDS, idle_seconds)
        self._ae.network_timeout = idle_seconds

    @property
    def port(self) -> int:
        """The port that is listened on; of interest when 0 was asked for."""
        return int(self._server.server_address[1]) if self._server else self._address[1]

    def start(self) -> None:
        """Listen. OSError when the address cannot be had."""
        silence()
        contexts.register()
        server = self._ae.make_server(
            self._address,
            contexts=[build_context(contexts.VERIFICATION)],
            evt_handlers=[(evt.EVT_REQUESTED, self._requested), (evt.EVT_C_STORE, self._store)],
            server_class=Server,
            bounds=self._bounds,
        )
        self._server = cast(Server, server)
        self._ae._servers.append(self._server)  # where its shutdown() looks for it
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    async def stop(self, grace_seconds: float) -> None:
        """Accept no more, let running stores finish for ``grace_seconds``, then abort what is left."""
        server, self._server = self._server, None
        if server is None:
            return
        self._bounds.draining.set()
        await asyncio.to_thread(server.shutdown)
        await asyncio.to_thread(server.drain, time.monotonic() + grace_seconds)
        for task in self._running:
            task.cancel()  # the task, not the thread's future: the thread must wait until nobody reads the arena
        await asyncio.to_thread(server.wind_up)

    def _requested(self, event: evt.Event) -> None:
        """Admit or reject an A-ASSOCIATE-RQ, and choose what to negotiate, before pynetdicom answers it."""
        association = event.assoc
        rejection = self._rejection(association)
        if rejection is not None:
            association.acse.send_reject(*rejection)
            association.kill()  # returns when the answer is out
            return
        proposed = cast(Any, association.requestor.primitive).presentation_context_definition_list
        association.acceptor.supported_contexts = contexts.negotiable(proposed)

    def _rejection(self, association: Association) -> tuple[int, int, int] | None:
        if self._bounds.draining.is_set():
            return _STOPPING
        if _called_ae(association) not in self._routes:
            return _UNKNOWN_CALLED_AE
        return None if self._bounds.admit(association) else _LOCAL_LIMIT

    def _store(self, event: evt.Event) -> Dataset:
        incoming = cast(Incoming, cast(Any, event.request).DataSet)
        try:
            answer = self._answer(event, incoming)
        except (Unavailable, concurrent.futures.CancelledError):
            answer = status.UNAVAILABLE
        except Exception:  # noqa: BLE001  # the shell's last line: the sender keeps the instance and hears a failure
            answer = status.FAILED
        finally:
            cast(Inbox, event.assoc.dimse).done(incoming)
            event.assoc.dul._idle_timer.restart()  # the time that we took is not the peer's idleness
        return _response(answer)

    def _answer(self, event: evt.Event, incoming: Incoming) -> status.Answer:
        request = cast(Any, event.request)
        incoming.open()
        if incoming.refused is not None:
            return incoming.refused
        if incoming.arena is None:
            return status.FAILED
        called, requestor = _called_ae(event.assoc), event.assoc.requestor
        claimed = Claimed(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        peer = Peer("dimse", str(requestor.address), requestor.ae_title.strip(), called)
        return status.answer(self._wait(self._routes[called], incoming.arena, claimed, peer))

    def _wait(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> status.Outcome:
        if self._loop.is_closed():
            raise Unavailable("the event loop has ended")
        return asyncio.run_coroutine_threadsafe(self._receive(project, arena, claimed, peer), self._loop).result()

    async def _receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> status.Outcome:
        task = asyncio.ensure_future(self._ingest.receive(project, arena, claimed, peer))
        self._running.add(task)
        try:
            return await task
        finally:
            self._running.discard(task)


def _called_ae(association: Association) -> str:
    return str(cast(Any, association.requestor.primitive).called_ae_title).strip()


def _response(answer: status.Answer) -> Dataset:
    response = Dataset()
    response.Status = answer.status
    if answer.comment:
        response.ErrorComment = answer.comment
    return response
