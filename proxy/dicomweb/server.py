"""The HTTP server: binds, routes and drains. Decides nothing about instances and knows no dataset."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from typing import cast

from aiohttp import web

from proxy.dicomweb.audit_events import AuditEvents
from proxy.dicomweb.audit_stream import AuditStream
from proxy.dicomweb.auth import CONSOLE, Access, Guard, expectation
from proxy.dicomweb.bulk import BulkData
from proxy.dicomweb.capabilities import Capabilities
from proxy.dicomweb.commitment import StorageCommitment
from proxy.dicomweb.cors import Cors
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.health import Health, Readiness
from proxy.dicomweb.idle import Idle
from proxy.dicomweb.metrics import Metrics
from proxy.dicomweb.middleware import Deadline, Handler, InFlight, errors, fixed_headers
from proxy.dicomweb.openapi import OpenApi
from proxy.dicomweb.projects import PREFIX, Projects
from proxy.dicomweb.protocol import QuietProtocol
from proxy.dicomweb.qido import Qido
from proxy.dicomweb.reidentify import Officers, Reidentification
from proxy.dicomweb.rendered import Pictures
from proxy.dicomweb.resources import RESOURCES, paths
from proxy.dicomweb.stow import Receiver, Stow
from proxy.dicomweb.viewer import Build, Viewer
from proxy.dicomweb.wado import Revision, Source, Wado
from proxy.dicomweb.wado_uri import WadoUri
from proxy.handshakes import Listening, listen
from proxy.service.audit_reading import AuditReading
from proxy.service.commitment import Commitment
from proxy.service.measures import Measures
from proxy.service.ports import AuditTrail
from proxy.service.render import Render, Renderer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search

#: After the grace of `stop`, what is still under way is cut off within so many seconds.
_CUT_SECONDS = 2.0
#: A connection that has not agreed on TLS within so many seconds is closed.
_HANDSHAKE_SECONDS = 10.0


def _known_callers(
    app: web.Application, access: Access, named: Projects, reading: AuditReading | None, officers: Officers | None
) -> None:
    """What is there only where callers are asked who they are: the audit log, and re-identification."""
    if reading is not None and access.asks:
        AuditEvents(reading, access, named).add_to(app)
        AuditStream(reading, access).add_to(app)
    if officers is not None and access.asks:
        Reidentification(officers, access).add_to(app)


def _besides(
    app: web.Application, access: Access, audit: AuditTrail, measures: Measures | None, console: web.Application | None
) -> None:
    """What is no DICOMweb: metrics, and the pages for people."""
    if measures is not None:
        Metrics(measures, access, audit).add_to(app)
    if console is not None:
        app.add_subapp(CONSOLE, console)


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,  # URLs hold what people typed; the audit trail is the record
        logger=_mute(),
        auto_decompress=False,  # a compressed body is refused, not inflated
        shutdown_timeout=_CUT_SECONDS,
        handler_cancellation=True,  # nobody fetches from a PACS for a reader who has gone
    )


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
        *,
        renderer: Renderer | None = None,
        revision: Revision = str,
        origins: Sequence[str] = (),
        commitment: Mapping[str, Commitment] | None = None,
        viewer: Build | None = None,
        access: Access | None = None,
        hops: Hops | None = None,
        request_seconds: float = 3600.0,
        tls: ssl.SSLContext | None = None,
        reading: AuditReading | None = None,
        officers: Officers | None = None,
        console: web.Application | None = None,
        measures: Measures | None = None,
    ) -> None:
        """``revision``: project → what identifies its rules (entity tags); ``origins``: whose pages may ask (CORS).

        ``commitment``: project → who answers requests for storage commitment; ``viewer``: OHIF.
        ``access``: who may ask, everybody by default; ``hops``: our reverse proxies, none by default.
        ``tls``: what is spoken on the port, instead of plain HTTP. ``reading`` (the audit log) and ``officers`` (who
        re-identify): for known callers only.
        ``console``: pages for people; ``measures``: for who watches machines.
        """
        self._host, self.port, self._tls = host, port, tls
        self._in_flight, self._idle = InFlight(), Idle()
        cors = Cors(origins)
        access, hops = access or Access(None, audit, projects), hops or Hops()
        deadline = Deadline(request_seconds)
        # the outermost first
        layers = (self._in_flight, self._idle, deadline, cors, hops, access)
        app = web.Application(middlewares=[errors, *(layer.middleware for layer in layers)])
        app.on_response_prepare.extend((fixed_headers, cors.mark))
        named = Projects(projects, public_url)
        Health(readiness).add_to(app)
        Viewer(viewer, projects, named).add_to(app)
        _known_callers(app, access, named, reading, officers)
        _besides(app, access, audit, measures, console)
        self.stow = Stow(named, ingest, audit, instance_limit, memory_limit)
        source, render = Source(named, retrieve, revision), Render(renderer, audit)
        handlers = _reading(Qido(named, search), source, render) | {"store": self.stow.store}
        promises = StorageCommitment(named, commitment or {})
        handlers |= {"openapi": OpenApi(named, access.asks).serve, "ask": promises.ask, "asked": promises.result}
        add_resources(app, handlers, Capabilities(named), access.asking)
        self._runner = _runner(app)
        self._listening: asyncio.Server | Listening | None = None

    async def start(self) -> None:
        """Bind and serve; ``port`` then holds the real one. OSError when the address is taken."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                self._listening = await loop.create_server(self._connection, self._host, self.port)
            else:
                self._listening = await listen(
                    self._connection, self._host, self.port, self._tls, seconds=_HANDSHAKE_SECONDS
                )
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self, grace: float) -> None:
        """Take no more, wait up to ``grace`` seconds for what is under way, close."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await self._runner.shutdown()  # answers that would go on for hours end now
        await self._in_flight.drained(grace)
        await self._runner.cleanup()

    def _connection(self) -> QuietProtocol:
        if self._runner.server is None:
            raise RuntimeError("the server is not running")
        self._idle.make_room(self._runner.server.connections)
        protocol = self._runner.server()
        protocol.__class__ = QuietProtocol  # aiohttp has no place to name the class of its connections
        return cast(QuietProtocol, protocol)


def _reading(qido: Qido, source: Source, render: Render) -> dict[str, Handler]:
    """operation of `resources.RESOURCES` → who serves it."""
    wado, bulk, pictures = Wado(source), BulkData(source), Pictures(source, render)
    return {
        **{f"search-{level}": qido.at(level) for level in ("study", "series", "instance")},
        "instances": wado.instances,
        "metadata": wado.metadata,
        "bulkdata": bulk.all_bulk,
        "pixeldata": bulk.all_pixels,
        "value": bulk.value,
        "frames": bulk.frames,
        "rendered": pictures.rendered,
        "thumbnail": pictures.thumbnail,
        "uri": WadoUri(source, wado, pictures).instance,
    }


def add_resources(
    app: web.Application, handlers: Mapping[str, Handler], capabilities: Capabilities, guard: Guard
) -> None:
    """Every row of the table as a route behind the verb it needs, and OPTIONS for every path of it."""
    for row in RESOURCES:
        path = PREFIX + row.path.replace("{where}", "{where:.+}")
        add = app.router.add_get if row.method == "GET" else app.router.add_post
        add(path, guard(row.verb, handlers[row.operation]), expect_handler=expectation)
    for path in paths():
        app.router.add_options(PREFIX + path.replace("{where}", "{where:.+}"), capabilities.of(path))
    for path in (PREFIX, PREFIX + "/"):
        app.router.add_options(path, capabilities.whole)


def _mute() -> logging.Logger:
    """aiohttp logs what it did not expect with its text, which may hold what was sent."""
    logger = logging.getLogger("proxy.dicomweb.protocol")
    logger.disabled = True
    return logger
