"""The HTTP server: binds, routes and drains. Decides nothing about instances and knows no dataset."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import cast

from aiohttp import web

from proxy.dicomweb.health import Health, Readiness
from proxy.dicomweb.middleware import InFlight, errors, fixed_headers
from proxy.dicomweb.projects import Projects
from proxy.dicomweb.protocol import QuietProtocol
from proxy.dicomweb.qido import Qido
from proxy.dicomweb.stow import Receiver, Stow
from proxy.dicomweb.wado import Wado
from proxy.service.ports import AuditTrail
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search

#: After the grace of `stop`, what is still under way is cut off within so many seconds.
_CUT_SECONDS = 2.0


class DicomwebServer:
    """DICOMweb below ``/dicomweb/<path>`` for each of ``projects`` (URL path → project name), and the health routes."""

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
        readiness: Readiness,
        instance_limit: int,
        memory_limit: int,
    ) -> None:
        self._host, self.port = host, port
        self._in_flight = InFlight()
        app = web.Application(middlewares=[errors, self._in_flight.middleware])
        app.on_response_prepare.append(fixed_headers)
        paths = Projects(projects, public_url)
        Health(readiness).add_to(app)
        self.stow = Stow(paths, ingest, audit, instance_limit, memory_limit)
        self.stow.add_to(app)
        Qido(paths, search).add_to(app)
        Wado(paths, retrieve).add_to(app)
        self._runner = web.AppRunner(
            app,
            access_log=None,  # URLs hold what people typed; the audit trail is the record
            logger=_mute(),
            auto_decompress=False,  # a compressed body is refused, not inflated
            shutdown_timeout=_CUT_SECONDS,
        )
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind and serve; ``port`` then holds the real one. OSError when the address is taken."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._connection, self._host, self.port)
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self, grace: float) -> None:
        """Take no more, wait up to ``grace`` seconds for what is under way, close."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await self._in_flight.drained(grace)
        await self._runner.cleanup()

    def _connection(self) -> QuietProtocol:
        if self._runner.server is None:
            raise RuntimeError("the server is not running")
        protocol = self._runner.server()
        protocol.__class__ = QuietProtocol  # aiohttp has no place to name the class of its connections
        return cast(QuietProtocol, protocol)


def _mute() -> logging.Logger:
    """aiohttp logs what it did not expect with its text, which may hold what was sent."""
    logger = logging.getLogger("proxy.dicomweb.protocol")
    logger.disabled = True
    return logger
