"""The composition root: the only module that may import every room. It wires and starts; it decides nothing.

Start order: lock, keys, rules, database, audit (a record of the start before anything is received), workers, senders,
servers. Stop order is the reverse: servers drain first, audit closes last.
"""

from __future__ import annotations

import dataclasses
import gc
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from proxy import __version__
from proxy.admission import make_access, make_admission, make_callers, make_hops
from proxy.archive.archive import EmbeddedArchive
from proxy.audit.trail import AuditLog
from proxy.auditing import AuditSinks, make_measures
from proxy.beginning import record_start
from proxy.certificates import Certificates, every_tls
from proxy.clinical import Clinical
from proxy.comparing import make_asked
from proxy.config import Config
from proxy.config_destinations import ApplicationEntity
from proxy.control import ControlServer
from proxy.control_export import export_route
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.desk import make_console
from proxy.dicomweb.server import DicomwebServer
from proxy.dimse.moving import Reception
from proxy.errors import ConfigError
from proxy.identity import keep_days, load_drawers, make_identity
from proxy.listening import make_dimse, routes
from proxy.operating import Operator
from proxy.querying import make_queries
from proxy.reading import Parts, Readers
from proxy.rules_desk import rules_parts
from proxy.ruling import Ruling
from proxy.service.commitment import Commitment
from proxy.service.compare import Compare
from proxy.service.decoding import Decoding
from proxy.service.deliver import Deliver
from proxy.service.destinations import Destinations
from proxy.service.devices import Devices
from proxy.service.housekeeping import Housekeeping
from proxy.service.ingest import Ingest, Outcome, ProjectRoute
from proxy.service.keeping import Keeping
from proxy.service.ports import Peer
from proxy.service.preview import Preview
from proxy.service.reconcile import Reconcile, hidden
from proxy.service.replay import Replay
from proxy.site import audit_key, key_values, make_sender, make_viewer, stopped
from proxy.store.commitment_reports import CommitmentReports
from proxy.store.commitments import Commitments
from proxy.store.database import Database
from proxy.store.devices import DeviceRows
from proxy.store.history import History
from proxy.store.keys import check_key, load_key
from proxy.store.lock import DataLock
from proxy.store.pauses import PauseRows
from proxy.store.quarantine import QuarantineFolder
from proxy.store.queue import Queue
from proxy.store.spool import DiskSpool
from proxy.store.studies import Studies
from proxy.store.study_look import StudyLook
from proxy.workers.arena import Arena
from proxy.workers.rotation import Rotation

Observer = Callable[[Peer, Outcome], None]
#: who may open the control socket, or signal the process
_OPERATOR = Peer("cli")


@contextmanager
def _listening(where: str, host: str, port: int) -> Iterator[None]:
    """An address that cannot be had is the configuration's fault."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(f"{where}.port", f"cannot listen on {host}:{port}: {why}", "choose another port") from None


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

    def __init__(self, config: Config, observe: Observer | None = None) -> None:
        """``observe`` is told each outcome; it must not block."""
        self.config = config
        self._observe = observe
        self._stack = AsyncExitStack()
        self._drain = 60.0

    async def start(self, servers: bool = True) -> None:
        """Start in the order of the file's head; any failure undoes what was started and is raised.

        Without ``servers`` nothing listens and nothing is delivered: for verbs that work on a site at rest.
        """
        try:
            await self._open_store()
            await self._open_service(servers)
            if servers:
                await self._open_servers()
                gc.freeze()  # rules and code are here to stay; collections that walk them cost milliseconds
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self, drain: float = 60.0) -> None:
        """Stop taking, finish what is under way for up to ``drain`` seconds, record the stop, close."""
        self._drain = drain
        await self._stack.aclose()

    async def _open_store(self) -> None:
        config, root, stack = self.config, self.config.data_dir, self._stack
        self._gate_key = secrets.token_bytes(32)
        self.ruling = Ruling(config, self._gate_key)
        lock = DataLock(root)
        lock.acquire()
        stack.callback(lock.release)
        self.database = await Database.open(root / "veil.db")
        stack.push_async_callback(self.database.close)
        for name, value in key_values(config).items():
            await check_key(self.database, name, value)
        segment = config.audit.segment_mib << 20
        self.audit = AuditLog(root / "audit", node="veil", segment_bytes=segment, key=audit_key(config))
        await self.audit.open()
        stack.push_async_callback(self.audit.close)
        self.certificates = Certificates(every_tls(config), self.audit)
        self.sinks = AuditSinks(config, self.audit, self.certificates)
        self.sinks.start()
        stack.push_async_callback(self.sinks.stop)
        self.spool = DiskSpool(root / "spool", Gate(self._gate_key), config.limits.spool_bytes)
        stack.callback(self.spool.close)
        node_key = load_key(config.node_key_file)
        self.quarantine = QuarantineFolder(root / "quarantine", node_key, config.limits.quarantine_bytes)
        self.archive = EmbeddedArchive(root / "archive")
        await self.archive.start()
        stack.push_async_callback(self.archive.close)
        await record_start(config, self.policies, self.audit)
        stack.push_async_callback(self.audit.record, stopped())

    async def _open_service(self, servers: bool) -> None:
        config, stack = self.config, self._stack
        self.queue = await Queue.open(self.database, self.spool.remove)
        await self.spool.sweep(await self.queue.referenced())
        pool = self.ruling.pool()
        self.judge = Rotation(pool, started=servers)
        stack.push_async_callback(self.judge.close)
        if servers:
            await pool.start()
        gate = Gate(self._gate_key)
        self.decoding = Decoding(self.judge, gate, config.limits.instance_bytes)
        senders = {
            name: make_sender(d, self.archive, self.certificates.get(f"destinations.{name}.tls"), self.decoding)
            for name, d in config.destinations.items()
        }
        wide = {n: d.associations for n, d in config.destinations.items() if isinstance(d, ApplicationEntity)}
        self.deliver = Deliver(self.queue, self.spool, self.audit, senders, more=wide)
        pauses, requeue = PauseRows(self.database), self.queue.requeue_failed
        self.destinations = Destinations(config.destinations, self.deliver, pauses, self.audit, requeue)
        await self.destinations.load()
        routes = {n: ProjectRoute(tuple(p.destinations), p.held_answer) for n, p in config.projects.items()}
        identifying, self.officers = make_identity(self.database, self.audit, load_drawers(config), keep_days(config))
        studies = Studies(self.database)
        self.reconcile = Reconcile(
            studies,
            self.quarantine.list,
            lambda project, uid: hidden(self.policies[project], uid),
            {name: project.destinations for name, project in config.projects.items()},
        )
        asked = make_asked(config, self.archive, self.certificates)
        self.compare = Compare(StudyLook(self.database).delivered, asked, self.audit)
        known = self.deliver.notify, identifying.remember, self.reconcile.count
        self.devices = Devices(self.judge, DeviceRows(self.database))
        stack.push_async_callback(self.devices.stop)
        self.ingest = Ingest(self.devices, self.spool, self.queue, self.quarantine, self.audit, routes, *known)
        limit = config.limits.instance_bytes
        replay = Replay(self.ingest, self.quarantine, self.audit, limit, studies.gone)
        preview = Preview(self.judge, self.quarantine, self.audit, limit)
        self.keeping = Keeping(self.quarantine, replay, preview)
        parts = Parts(config, self.archive, self.audit, self.database, self.judge, gate, self.certificates)
        self.readers = Readers(parts, self.policies)
        requests = Commitments(self.database, load_key(config.node_key_file))
        self.commitment = Commitment(requests, self.queue, self.audit, lambda project: self.policies[project])
        store = CommitmentReports(self.database, requests)
        self.clinical = Clinical(config, self.commitment, store, self.audit, self.certificates)
        self.operator = Operator(replay, self.quarantine, self.status, self.destinations, self.reload, self.officers)
        stack.push_async_callback(self._stop_deliver)
        if servers:
            self.devices.start()

    async def _open_servers(self) -> None:
        config, limits, stack = self.config, self.config.limits, self._stack
        intake = _Watched(self.ingest, self._observe) if self._observe else self.ingest
        reception = Reception(intake, self.readers.arrivals)
        callers = make_callers(config, self.audit)
        gatekeeper = make_admission(config, routes(config, self.readers.destinations), self.audit, callers)
        tls = self.certificates.get("dimse.tls")
        search, retrieve = await self.readers.open(stack)
        queries = make_queries(config, search, retrieve, self.audit, self.certificates, self.decoding)
        self.dimse = make_dimse(config, gatekeeper, reception, self.audit, self.clinical.services, queries, tls=tls)
        self.http = DicomwebServer(
            config.http.host,
            config.http.port,
            config.http.public_url,
            {p.path: name for name, p in config.projects.items()},
            intake,
            search,
            retrieve,
            self.audit,
            self.readiness,
            limits.instance_bytes,
            limits.memory_bytes,
            renderer=self.judge,
            revision=lambda project: self.policies[project].digest,
            origins=config.http.cors_origins,
            viewer=make_viewer(config),
            access=make_access(config, self.audit, callers),
            hops=make_hops(config),
            request_seconds=config.http.request_seconds,
            tls=self.certificates.get("http.tls"),
            reading=self.sinks.reading,
            officers=self.officers if self.officers.drawers else None,
            console=make_console(
                config,
                self.audit,
                self.status,
                self.keeping,
                self.sinks,
                rules_parts(config, self.audit, self.ruling, self.reload, self.devices, self.keeping.preview),
                self.queue,
                self.destinations,
                self.reconcile,
                self.compare,
                self.officers,
            ),
            measures=make_measures(config, self.status, self.keeping.quarantine.list, self.sinks),
            commitment={n: self.commitment for n, p in config.projects.items() if p.storage_commitment == "answer"},
        )
        await self.deliver.start()
        keeping = Housekeeping(History(self.database), self.audit, config.limits.history_days)
        keeping.start()
        stack.push_async_callback(keeping.stop)
        await self.clinical.reports.start()
        stack.push_async_callback(self.clinical.reports.stop)
        self.certificates.start()
        stack.push_async_callback(self.certificates.stop)
        control = ControlServer(config.data_dir, self.operator, [export_route(self.sinks.export)])
        await control.start()
        stack.push_async_callback(control.stop)
        with _listening("http", config.http.host, config.http.port):
            await self.http.start()
        stack.push_async_callback(self._stop_http)
        with _listening("dimse", config.dimse.host, config.dimse.port):
            await self.dimse.start()
        stack.push_async_callback(self._stop_dimse)

    async def _stop_deliver(self) -> None:
        await self.deliver.stop(self._drain)

    async def _stop_http(self) -> None:
        await self.http.stop(self._drain)

    async def _stop_dimse(self) -> None:
        await self.dimse.stop(self._drain)

    async def readiness(self) -> dict[str, Any]:
        """Ready when audit, database and workers answer and the spool has room; destinations never count."""
        used = self.spool.used / self.config.limits.spool_bytes
        checks = {
            "audit": self.audit.healthy,
            "workers": self.judge.ready,
            "spool": used < 0.9,
        }
        return {"ready": all(checks.values()), "checks": checks}

    async def status(self) -> dict[str, Any]:
        """For operators: rows by destination and state, how each destination stands, and what is owed to requesters."""
        lanes = {name: dataclasses.asdict(status) for name, status in self.deliver.status().items()}
        keys = key_values(self.config)
        found = {"version": __version__, "queue": await self.queue.counts(), "destinations": lanes, "keys": keys}
        found |= {"pauses": {name: dataclasses.asdict(pause) for name, pause in self.destinations.paused.items()}}
        found |= {"commitment": await self.clinical.reports.status(), "audit_sinks": self.sinks.status()}
        return found | await self.readiness()

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Those in force."""
        return self.ruling.policies

    async def reload(self, peer: Peer = _OPERATOR) -> dict[str, str]:
        """Take certificates, rules and profiles as they are on disk now: see `Ruling.reload`."""
        await self.certificates.renew()
        return await self.ruling.reload(self.audit, self.judge, self.readers.replace_policies, peer)

    def where(self) -> list[str]:
        """One line an address."""
        host, base = self.config.http.host, self.config.http.public_url
        base = base or f"http{'s' if self.config.http.tls else ''}://{host}:{self.http.port}"
        lines = [f"DIMSE    {self.config.dimse.host}:{self.dimse.port}"]
        for name, project in self.config.projects.items():
            lines.append(f"project  {name}: AE {', '.join(project.ae_titles)}, {base}/dicomweb/{project.path}")
        return lines
