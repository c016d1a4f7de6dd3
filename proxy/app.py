"""The composition root: the only module that may import every room. It wires and starts; it decides nothing.

Start order: lock, keys, rules, database, audit (a record of the start before anything is received), workers, senders,
servers. Stop order is the reverse: servers drain first, audit closes last.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy import __version__
from proxy.archive.archive import EmbeddedArchive
from proxy.archive.sender import ArchiveSender
from proxy.audit.trail import AuditLog
from proxy.config import ArchiveDestination, Config, Destination, DicomwebDestination
from proxy.control import ControlServer, Operator, connect
from proxy.deid.dictionary import register
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.pseudonym import key_check_value
from proxy.deid.tables import Tables
from proxy.deid.tokens import Limits
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.dicomweb.client import DicomwebSender
from proxy.dicomweb.server import DicomwebServer
from proxy.dimse.scp import DimseServer
from proxy.dimse.scu import DimseSender
from proxy.errors import ConfigError, VeilError
from proxy.service.deliver import Deliver
from proxy.service.ingest import Ingest, Outcome, ProjectRoute
from proxy.service.ports import AuditEvent, Peer, Sender
from proxy.service.replay import Replay
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.store.database import Database
from proxy.store.keys import check_key, load_key, project_key_name
from proxy.store.lock import DataLock
from proxy.store.quarantine import QuarantineFolder
from proxy.store.queue import Queue
from proxy.store.rulebook import load_profile, load_tables
from proxy.store.spool import DiskSpool
from proxy.workers.arena import Arena
from proxy.workers.pool import WorkerPool
from proxy.workers.rotation import Rotation

Observer = Callable[[Peer, Outcome], None]


def load_policies(config: Config, tables: Tables | None = None) -> dict[str, Policy]:
    """Compile each project's policy; `ConfigError` for a key, profile or rules file that is wrong."""
    tables = tables or load_tables()
    bounds = config.limits
    limits = Limits(bounds.nesting_depth, bounds.elements, bounds.inflated_bytes, bounds.inflate_ratio)
    return {
        name: compile_policy(
            tables,
            PolicySpec(
                project=name,
                profile=load_profile(project.profile, site=config.profiles_dir),
                root_key=load_key(project.key_file),
                key_epoch=project.key_epoch,
                patient_id_prefix=project.patient_id_prefix,
                blank_patient_id=project.blank_patient_id,
                uninspected_pixels=project.uninspected_pixels,
                date_shift_days=project.date_shift_days,
                limits=limits,
            ),
        )
        for name, project in config.projects.items()
    }


@contextmanager
def _listening(where: str, host: str, port: int) -> Iterator[None]:
    """An address that cannot be had is the configuration's fault."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(f"{where}.port", f"cannot listen on {host}:{port}: {why}", "choose another port") from None


def _sender(destination: Destination, archive: EmbeddedArchive) -> Sender:
    if isinstance(destination, ArchiveDestination):
        return ArchiveSender(archive)
    if isinstance(destination, DicomwebDestination):
        return DicomwebSender(destination.url, destination.headers, destination.timeout_seconds)
    d = destination
    return DimseSender(d.host, d.port, d.called_ae, d.calling_ae, d.timeout_seconds, d.associations)


def _pool(config: Config, policies: dict[str, Policy], gate_key: bytes, tables: Tables) -> WorkerPool:
    count = config.workers.count or os.cpu_count() or 1
    return WorkerPool(policies, gate_key, count, config.workers.memory_mib, config.workers.seconds, tables=tables)


def _key_values(config: Config) -> dict[str, str]:
    """Name → check value of every key of the site."""
    keys = {project_key_name(n, p.key_epoch): load_key(p.key_file) for n, p in config.projects.items()}
    return {name: key_check_value(key) for name, key in (keys | {"node": load_key(config.node_key_file)}).items()}


class _Watched:
    """Ingest with an observer beside it: the demo's table."""

    def __init__(self, ingest: Ingest, observe: Observer) -> None:
        self._ingest, self._observe = ingest, observe

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """As `Ingest.receive`."""
        outcome = await self._ingest.receive(project, arena, claimed, peer)
        self._observe(peer, outcome)
        return outcome


def _application(event: str, digests: Mapping[str, str]) -> AuditEvent:
    about: dict[str, Any] = {"kind": "application", "version": __version__}
    return AuditEvent(event, object=about | ({"policies": dict(digests)} if digests else {}))


def _rules(event: str, before: Mapping[str, Policy], after: Mapping[str, Policy], why: str = "") -> AuditEvent:
    digests = {n: {"before": before[n].digest, "after": after[n].digest} for n in after}
    return AuditEvent(event, "failure" if why else "success", object={"kind": "rules", "policies": digests}, reason=why)


class App:
    """One running proxy. `start` either brings everything up or takes everything down again."""

    def __init__(self, config: Config, observe: Observer | None = None) -> None:
        """``observe`` is told each outcome; it must not block."""
        self.config = config
        self._observe = observe
        self._stack = AsyncExitStack()
        self._drain = 60.0
        self._reloading = asyncio.Lock()

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
        self._tables = load_tables()
        register(self._tables)  # the archive reads attributes that pydicom's dictionary lacks
        self.policies = load_policies(config, self._tables)
        lock = DataLock(root)
        lock.acquire()
        stack.callback(lock.release)
        self.database = await Database.open(root / "veil.db")
        stack.push_async_callback(self.database.close)
        for name, value in _key_values(config).items():
            await check_key(self.database, name, value)
        self.audit = AuditLog(root / "audit", node="veil")
        await self.audit.open()
        stack.push_async_callback(self.audit.close)
        self._gate_key = secrets.token_bytes(32)
        self.spool = DiskSpool(root / "spool", Gate(self._gate_key), config.limits.spool_bytes)
        stack.callback(self.spool.close)
        node_key = load_key(config.node_key_file)
        self.quarantine = QuarantineFolder(root / "quarantine", node_key, config.limits.quarantine_bytes)
        self.archive = EmbeddedArchive(root / "archive")
        await self.archive.start()
        stack.push_async_callback(self.archive.close)
        await self.audit.record(_application("started", {n: p.digest for n, p in self.policies.items()}))
        stack.push_async_callback(self.audit.record, _application("stopped", {}))

    async def _open_service(self, servers: bool) -> None:
        config, stack = self.config, self._stack
        self.queue = await Queue.open(self.database, self.spool.remove)
        await self.spool.sweep(await self.queue.referenced())
        pool = _pool(config, self.policies, self._gate_key, self._tables)
        self.judge = Rotation(pool, started=servers)
        stack.push_async_callback(self.judge.close)
        if servers:
            await pool.start()
        senders = {name: _sender(d, self.archive) for name, d in config.destinations.items()}
        self.deliver = Deliver(self.queue, self.spool, self.audit, senders)
        routes = {n: ProjectRoute(tuple(p.destinations), p.held_answer) for n, p in config.projects.items()}
        self.ingest = Ingest(
            self.judge, self.spool, self.queue, self.quarantine, self.audit, routes, self.deliver.notify
        )
        replay = Replay(self.ingest, self.quarantine, self.audit, config.limits.instance_bytes)
        self.operator = Operator(replay, self.quarantine, self.status, self.requeue, self.reload)
        stack.push_async_callback(self._stop_deliver)

    async def _open_servers(self) -> None:
        config, limits, stack = self.config, self.config.limits, self._stack
        intake = _Watched(self.ingest, self._observe) if self._observe else self.ingest
        self.dimse = DimseServer(
            config.dimse.host,
            config.dimse.port,
            config.dimse.max_pdu,
            config.dimse.associations,
            config.dimse.idle_seconds,
            {title: name for name, p in config.projects.items() for title in p.ae_titles},
            intake,
            asyncio.get_running_loop(),
            limits.instance_bytes,
            limits.memory_bytes,
        )
        self.http = DicomwebServer(
            config.http.host,
            config.http.port,
            config.http.public_url,
            {p.path: name for name, p in config.projects.items()},
            intake,
            Search(self.archive, self.audit),
            Retrieve(self.archive, self.audit),
            self.audit,
            self.readiness,
            limits.instance_bytes,
            limits.memory_bytes,
        )
        await self.deliver.start()
        control = ControlServer(config.data_dir, self.operator)
        await control.start()
        stack.push_async_callback(control.stop)
        with _listening("http", config.http.host, config.http.port):
            await self.http.start()
        stack.push_async_callback(self._stop_http)
        with _listening("dimse", config.dimse.host, config.dimse.port):
            self.dimse.start()
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
        """For operators: rows by destination and state, and how each destination stands."""
        lanes = {name: dataclasses.asdict(status) for name, status in self.deliver.status().items()}
        keys = _key_values(self.config)
        return {"version": __version__, "queue": await self.queue.counts(), "destinations": lanes, "keys": keys}

    async def reload(self) -> dict[str, str]:
        """Take the rules and profiles as they are on disk now; project → policy digest.

        All or nothing: `ConfigError` or `WorkersUnavailable` leaves the old rules in force. Either way it is audited.
        Instances under way are finished under the rules they began with. veil.yaml itself is not read again.
        """
        async with self._reloading:
            try:
                tables = load_tables()
                policies = load_policies(self.config, tables)
                pool = _pool(self.config, policies, self._gate_key, tables)
                await pool.start()
            except VeilError as error:
                await self.audit.record(_rules("rules-refused", self.policies, self.policies, str(error)[:300]))
                raise
            try:
                await self.audit.record(_rules("rules-reloaded", self.policies, policies))
            except BaseException:
                await pool.close()
                raise
            self.policies = policies
            await self.judge.replace(pool)
            return {name: policy.digest for name, policy in policies.items()}

    async def requeue(self, destination: str) -> int:
        """Let what ``destination`` rejected for good wait again; KeyError for an unknown one."""
        if destination not in self.config.destinations:
            raise KeyError(destination)
        count = await self.queue.requeue_failed(destination)
        self.deliver.notify((destination,))
        return count

    def where(self) -> list[str]:
        """One line an address."""
        host, base = self.config.http.host, self.config.http.public_url
        base = base or f"http://{host}:{self.http.port}"
        lines = [f"DIMSE    {self.config.dimse.host}:{self.dimse.port}"]
        for name, project in self.config.projects.items():
            lines.append(f"project  {name}: AE {', '.join(project.ae_titles)}, {base}/dicomweb/{project.path}")
        return lines


@dataclass(frozen=True, slots=True)
class OfflineSite:
    """What the offline twin needs of a site, without a server."""

    pool: WorkerPool
    spool: DiskSpool
    audit: AuditLog
    limit: int


async def _check_keys(config: Config) -> None:
    """A changed key is refused offline too: by what the data folder remembers, or the proxy that runs on it."""
    values = _key_values(config)
    async with connect(config.data_dir) as client:
        if client is not None:
            known = (await client.status())["keys"]
            for name in values.keys() & known.keys():
                if values[name] != known[name]:
                    raise ConfigError(f"key '{name}'", "this key is not the one that the running proxy uses")
            return
    with DataLock(config.data_dir):
        database = await Database.open(config.data_dir / "veil.db")
        try:
            for name, value in values.items():
                await check_key(database, name, value)
        finally:
            await database.close()


@asynccontextmanager
async def offline_site(config: Config, work: Path) -> AsyncIterator[OfflineSite]:
    """Workers, gate and an audit trail of their own beside a running proxy; ``work`` is a folder for partial files."""
    tables = load_tables()
    policies = load_policies(config, tables)
    await _check_keys(config)
    gate_key = secrets.token_bytes(32)
    folder = config.data_dir / "audit-offline"
    lock = DataLock(folder)
    lock.acquire()
    async with AsyncExitStack() as stack:
        stack.callback(lock.release)
        audit = AuditLog(folder, node="offline")
        await audit.open()
        stack.push_async_callback(audit.close)
        await audit.record(_application("started", {n: p.digest for n, p in policies.items()}))
        stack.push_async_callback(audit.record, _application("stopped", {}))
        pool = _pool(config, policies, gate_key, tables)
        stack.push_async_callback(pool.close)
        await pool.start()
        spool = DiskSpool(work, Gate(gate_key), 1 << 62)
        stack.callback(spool.close)
        yield OfflineSite(pool, spool, audit, config.limits.instance_bytes)
