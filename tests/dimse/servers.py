"""A server as the tests start it, and how many connections all of them have."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from proxy.dimse.acceptor import Gatekeeper, Routes
from proxy.dimse.receiving import Budget
from proxy.dimse.server import Bounds, DimseServer, Patience
from proxy.dimse.services import Verification
from proxy.dimse.storage import Storage
from tests.service.fakes import Audit

Serve = Callable[..., Awaitable[DimseServer]]
ROUTES = {"VEIL": "research", "OTHER AE": "other"}
RUNNING: list[DimseServer] = []


def make(
    ingest: Any,
    max_pdu: int = 131072,
    associations: int = 50,
    per_address: int = 50,
    idle_seconds: float = 20,
    first_seconds: float = 10,
    instance_limit: int = 64 << 20,
    memory_limit: int = 256 << 20,
    strangers: int = 4096,
    gatekeeper: Gatekeeper | None = None,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    audit: Any = None,
) -> DimseServer:
    bounds = Bounds(max_pdu, Patience(idle_seconds, first_seconds), associations, per_address, strangers)
    services = (Verification(), Storage(ingest, audit or Audit(), Budget(memory_limit), instance_limit))
    return DimseServer("127.0.0.1", port, bounds, gatekeeper or Routes(ROUTES), lambda project: services, tls)


def connections() -> int:
    return sum(server.connections for server in RUNNING)
