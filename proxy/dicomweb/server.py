"""The HTTP server: binds, routes and drains. Decides nothing about instances."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from proxy.deid.types import Claimed, Original
from proxy.errors import Reason
from proxy.service.ports import AuditTrail, Peer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.workers.arena import Arena


class Outcome(Protocol):
    """What STOW-RS needs of `proxy.service.ingest.Outcome`."""

    @property
    def stored(self) -> bool: ...
    @property
    def reason(self) -> Reason | None: ...
    @property
    def original(self) -> Original | None: ...
    @property
    def answer(self) -> str: ...


class Receiver(Protocol):
    """`proxy.service.ingest.Ingest`, as far as STOW-RS needs it."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """Judge and keep one instance; raises `Unavailable` when no durable promise can be made."""
        ...


class DicomwebServer:
    """DICOMweb below ``/dicomweb/<path>`` for each of ``projects`` (URL path → project name), ``/livez``, ``/readyz``."""

    def __init__(
        self,
        host: str,
        port: int,
        public_url: str | None,
        projects: Mapping[str, str],
        ingest: Receiver,
        search: Search,
        retrieve: Retrieve,
        audit: AuditTrail,
        readiness: Callable[[], Awaitable[dict[str, Any]]],
        instance_limit: int,
        memory_limit: int,
    ) -> None:
        self.port = port

    async def start(self) -> None:
        """Bind and serve; ``port`` then holds the real one."""
        raise NotImplementedError

    async def stop(self, grace: float) -> None:
        """Take no more, wait up to ``grace`` seconds for what is under way, close."""
        raise NotImplementedError
