"""Veil's Storage SCP alone, in a process of its own: what it receives is taken, counted and dropped.

``python -m bench.scp`` listens on a free loopback port, prints it, and serves until SIGTERM. Nothing is de-identified.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from dataclasses import dataclass

import uvloop

from proxy.deid.types import Claimed
from proxy.dimse.acceptor import Bounds, Routes
from proxy.dimse.deadline import Patience
from proxy.dimse.receiving import Budget
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Verification
from proxy.dimse.storage import Storage
from proxy.errors import Reason
from proxy.service.ports import AuditEvent, Peer
from proxy.workers.arena import Arena

CALLED = "VEIL"
MAX_PDU = 131072
_MOST = 512


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome of every instance."""

    stored: bool = True
    reason: Reason | None = None
    answer: str = "accept"


class Sink:
    """Stands in for the use case behind C-STORE, and for the audit trail."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Taken:
        """The whole instance is there; its arena is closed by who received it."""
        return Taken()

    async def record(self, *events: AuditEvent) -> None:
        """Nothing is kept."""


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    services = (Verification(), Storage(Sink(), Sink(), Budget(1 << 30), 1 << 30))
    bounds = Bounds(MAX_PDU, Patience(60.0), _MOST, _MOST)
    server = DimseServer("127.0.0.1", 0, bounds, Routes({CALLED: "research"}), lambda project: services)
    await server.start()
    gc.freeze()  # as `proxy.app` does
    print(server.port, flush=True)
    await stop.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    uvloop.run(main())  # as `veil serve` does
