"""The composition root: the only module that may import every room. It wires and starts; it decides nothing.

Start order: stores (`proxy.stores`: a record of the start before anything is received), use cases (`proxy.works`),
servers. Stop order is the reverse: servers drain first, audit closes last.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from proxy import __version__
from proxy.admission import make_access, make_admission, make_callers, make_hops
from proxy.auditing import make_measures
from proxy.config import Config
from proxy.control import ControlServer
from proxy.control_export import export_route
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.dicomweb.server import DicomwebServer
from proxy.dimse.moving import Reception
from proxy.listening import listening, make_dimse, routes
from proxy.operating import Operator
from proxy.querying import make_queries
from proxy.service.housekeeping import Housekeeping
from proxy.service.ingest import Ingest, Outcome
from proxy.service.ports import Peer
from proxy.site import key_values, make_viewer
from proxy.store.history import History
from proxy.stores import Stores, open_stores
from proxy.workers.arena import Arena
from proxy.workers.begun import Begun
from proxy.works import Works, open_works

Observer = Callable[[Peer, Outcome], None]
#: who may open the control socket, or signal the process
_OPERATOR = Peer("cli")


class _Watched:
    """Ingest with an observer beside it: the demo's table."""

    def __init__(self, ingest: Ingest, observe: Observer) -> None:
        self._ingest, self._observe = ingest, observe

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """As `Ingest.receive`."""
        outcome = await self._ingest.receive(project, arena, claimed, peer)
        self._observe(peer, outcome)
        return outcome


class App:
    """One running proxy. `start` either brings everything up or takes everything down again."""

    stores: Stores
    works: Works

    def __init__(self, config: Config, observe: Observer | None = None, begun: list[Begun] | None = None) -> None:
        """``observe`` is told each outcome; it must not block. ``begun``: processes for the workers (`begun.ahead`)."""
        self.config = config
        self._begun = begun if begun is not None else []
        self._observe = observe
        self._stack = AsyncExitStack()
        self._drain = 60.0
        self._listening = False

    async def start(self, servers: bool = True) -> None:
        """Start in the order of the file's head; any failure undoes what was started and is raised.

        Without ``servers`` nothing listens and nothing is delivered: for verbs that work on a site at rest.
        """
        try:
            self.stores = await open_stores(self.config, self._stack)
            self.works = await open_works(self.stores, self._stack, servers, lambda: self._drain, self._begun)
            keeping, works = self.works.keeping, self.works
            self.operator = Operator(
                keeping.replay, keeping.quarantine, self.status, works.destinations, self.reload, works.officers
            )
            if servers:
                await self._open_servers()
                self._listening = True
                gc.freeze()  # rules and code are here to stay; collections that walk them cost milliseconds
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self, drain: float = 60.0) -> None:
        """Stop taking, finish what is under way for up to ``drain`` seconds, record the stop, close."""
        self._drain, self._listening = drain, False
        await self._stack.aclose()

    async def _open_servers(self) -> None:
        config, stores, works, stack = self.config, self.stores, self.works, self._stack
        intake = _Watched(works.ingest, self._observe) if self._observe else works.ingest
        search, retrieve = await works.readers.open(stack)
        callers = make_callers(config, stores.audit)
        gatekeeper = make_admission(config, routes(config, works.readers.destinations), stores.audit, callers)
        queries = make_queries(config, search, retrieve, stores.audit, stores.certificates, works.decoding)
        self.dimse = make_dimse(
            config,
            gatekeeper,
            Reception(intake, works.readers.arrivals),
            stores.audit,
            works.clinical.services,
            queries,
            tls=stores.certificates.get("dimse.tls"),
        )
        self.http = self._http(intake, search, retrieve, callers)
        await works.deliver.start()
        keeping = Housekeeping(History(stores.database), stores.audit, config.limits.history_days)
        keeping.start()
        stack.push_async_callback(keeping.stop)
        await works.clinical.reports.start()
        stack.push_async_callback(works.clinical.reports.stop)
        stores.certificates.start()
        stack.push_async_callback(stores.certificates.stop)
        control = ControlServer(config.data_dir, self.operator, [export_route(stores.sinks.export)])
        await control.start()
        stack.push_async_callback(control.stop)
        with listening("http", config.http.host, config.http.port):
            await self.http.start()
        stack.push_async_callback(self._stop_http)
        with listening("dimse", config.dimse.host, config.dimse.port):
            await self.dimse.start()
        stack.push_async_callback(self._stop_dimse)

    def _http(self, intake: Any, search: Any, retrieve: Any, callers: Any) -> DicomwebServer:
        config, limits, stores, works = self.config, self.config.limits, self.stores, self.works
        return DicomwebServer(
            config.http.host,
            config.http.port,
            config.http.public_url,
            {p.path: name for name, p in config.projects.items()},
            intake,
            search,
            retrieve,
            stores.audit,
            self.readiness,
            limits.instance_bytes,
            limits.memory_bytes,
            renderer=works.judge,
            revision=lambda project: self.policies[project].digest,
            origins=config.http.cors_origins,
            viewer=make_viewer(config),
            access=make_access(config, stores.audit, callers),
            hops=make_hops(config),
            request_seconds=config.http.request_seconds,
            tls=stores.certificates.get("http.tls"),
            reading=stores.sinks.reading,
            officers=works.officers if works.officers.drawers else None,
            console=self._console(),
            measures=make_measures(config, self.status, stores.quarantine.list, stores.sinks),
            commitment={n: works.commitment for n, p in config.projects.items() if p.storage_commitment == "answer"},
        )

    def _console(self) -> web.Application | None:
        """The pages for people; where they are off not even imported, for a start would wait for it."""
        if not self.config.console.enabled:
            return None
        from proxy.desk import Standing, make_console

        return make_console(self.config, Standing(self.stores, self.works, self.status, self.reload))

    async def _stop_http(self) -> None:
        await self.http.stop(self._drain)

    async def _stop_dimse(self) -> None:
        await self.dimse.stop(self._drain)

    async def readiness(self) -> dict[str, Any]:
        """Ready when both servers listen, audit, disk and workers answer and the spool has room.

        Not ready any more as soon as it stops. Destinations never count.
        """
        stores, works = self.stores, self.works
        checks = {
            "audit": stores.audit.healthy,
            "workers": works.judge.ready,
            "spool": stores.spool.used < 0.9 * self.config.limits.spool_bytes,
            "disk": not works.ingest.hangs,
            "listening": self._listening,
        }
        return {"ready": all(checks.values()), "checks": checks}

    async def status(self) -> dict[str, Any]:
        """For operators: rows by destination and state, how each destination stands, and what is owed to requesters."""
        works = self.works
        lanes = {name: dataclasses.asdict(status) for name, status in works.deliver.status().items()}
        keys = key_values(self.config)
        found = {"version": __version__, "queue": await works.queue.counts(), "destinations": lanes, "keys": keys}
        found |= {"pauses": {name: dataclasses.asdict(pause) for name, pause in works.destinations.paused.items()}}
        found |= {"commitment": await works.clinical.reports.status(), "audit_sinks": self.stores.sinks.status()}
        return found | await self.readiness()

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Those in force."""
        return self.stores.ruling.policies

    async def reload(self, peer: Peer = _OPERATOR) -> dict[str, str]:
        """Take certificates, rules and profiles as they are on disk now: see `Ruling.reload`."""
        stores, works = self.stores, self.works
        await stores.certificates.renew()
        return await stores.ruling.reload(stores.audit, works.judge, works.readers.replace_policies, peer)

    def where(self) -> list[str]:
        """One line an address."""
        host, base = self.config.http.host, self.config.http.public_url
        base = base or f"http{'s' if self.config.http.tls else ''}://{host}:{self.http.port}"
        lines = [f"DIMSE    {self.config.dimse.host}:{self.dimse.port}"]
        for name, project in self.config.projects.items():
            lines.append(f"project  {name}: AE {', '.join(project.ae_titles)}, {base}/dicomweb/{project.path}")
        return lines
