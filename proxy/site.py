"""What a site's veil.yaml describes, made: policies, keys, workers, senders; and the site of the offline twin.

With `proxy.app` the only module that may import every room. It decides nothing.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy import __version__
from proxy.archive.archive import EmbeddedArchive
from proxy.archive.sender import ArchiveSender
from proxy.audit.keys import AuditKey
from proxy.audit.trail import AuditLog
from proxy.config import Config, Project
from proxy.config_destinations import ArchiveDestination, Destination, DicomwebDestination
from proxy.control_client import connect
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.pseudonym import key_check_value
from proxy.deid.release import Keyholder
from proxy.deid.tables import Tables
from proxy.deid.tokens import Limits
from proxy.dicomweb.client import DicomwebSender
from proxy.dicomweb.viewer import Build
from proxy.dicomweb.viewer_config import SignIn
from proxy.dimse.requestor import Destination as ApplicationEntity
from proxy.dimse.rewriting import Rewriting
from proxy.dimse.scu import DimseSender
from proxy.errors import ConfigError
from proxy.service.decoding import Decoding
from proxy.service.ports import AuditEvent, Concealed, Sender
from proxy.store.database import Database
from proxy.store.keys import check_key, load_certificate, load_key, project_key_name
from proxy.store.lock import DataLock
from proxy.store.rulebook import load_pixel_rules, load_profile, load_tables
from proxy.store.spool import DiskSpool
from proxy.workers.begun import Begun
from proxy.workers.pool import WorkerPool


def load_specs(config: Config) -> dict[str, PolicySpec]:
    """What each project asks for; `ConfigError` for a key, profile or rules file that cannot be read."""
    bounds = config.limits
    limits = Limits(bounds.nesting_depth, bounds.elements, bounds.inflated_bytes, bounds.inflate_ratio)
    profiles = {n: load_profile(project.profile, site=config.profiles_dir) for n, project in config.projects.items()}
    return {
        name: PolicySpec(
            project=name,
            profile=profiles[name],
            pixel_rules=load_pixel_rules(profiles[name], site=config.pixel_rules_dir),
            root_key=load_key(project.key_file),
            key_epoch=project.key_epoch,
            patient_id_prefix=project.patient_id_prefix,
            blank_patient_id=project.blank_patient_id,
            uninspected_pixels=project.uninspected_pixels,
            date_shift_days=project.date_shift_days,
            encrypt_to=_certificates(project),
            limits=limits,
        )
        for name, project in config.projects.items()
    }


def compile_policies(specs: Mapping[str, PolicySpec], tables: Tables) -> dict[str, Policy]:
    """The policies of ``specs``; `ConfigError` for a word that is wrong."""
    return {name: compile_policy(tables, spec) for name, spec in specs.items()}


def load_policies(config: Config, tables: Tables | None = None) -> dict[str, Policy]:
    """Each project's policy; `ConfigError` for a key, profile or rules file that is wrong."""
    return compile_policies(load_specs(config), tables or load_tables())


def _certificates(project: Project) -> tuple[str, ...]:
    chosen = project.encrypt_originals
    return tuple(load_certificate(path) for path in chosen.certificates) if chosen is not None else ()


def make_sender(
    destination: Destination, archive: EmbeddedArchive, tls: ssl.SSLContext | None, decoding: Decoding
) -> Sender:
    """The transport of a destination; ``tls``: what it speaks, where the document says so."""
    if isinstance(destination, ArchiveDestination):
        return ArchiveSender(archive)
    if isinstance(destination, DicomwebDestination):
        return DicomwebSender(destination.url, destination.headers, destination.timeout_seconds, tls)
    d = destination
    to = ApplicationEntity(d.host, d.port, d.called_ae, d.calling_ae, d.timeout_seconds, tls)
    return DimseSender(to, d.associations, Rewriting(decoding) if d.transcode == "lossless" else None)


def make_viewer(config: Config) -> Build | None:
    """The viewer that is served, if there is one, and where people sign in to it."""
    http = config.http
    if http.viewer_dir is None:
        return None
    oidc = http.auth.oidc if http.auth is not None else None
    if oidc is None or http.viewer_client_id is None:
        return Build(http.viewer_dir)
    return Build(http.viewer_dir, SignIn(oidc.issuer, http.viewer_client_id, http.viewer_scope))


def make_pool(
    config: Config, policies: dict[str, Policy], gate_key: bytes, tables: Tables, begun: list[Begun] | None = None
) -> WorkerPool:
    """Workers that know ``policies``; not started."""
    about = config.workers
    return WorkerPool(policies, gate_key, about.processes, about.memory_mib, about.seconds, tables=tables, begun=begun)


def key_values(config: Config) -> dict[str, str]:
    """Name → check value of every key of the site."""
    keys = {project_key_name(n, p.key_epoch): load_key(p.key_file) for n, p in config.projects.items()}
    keys["node"] = load_key(config.node_key_file)
    if config.audit.key_file is not None:
        keys[f"audit/{config.audit.key_epoch}"] = load_key(config.audit.key_file)
    return {name: key_check_value(key) for name, key in keys.items()}


def audit_key(config: Config) -> AuditKey | None:
    """What signs the audit stream and conceals identifiers in it, where the document names one."""
    return None if config.audit.key_file is None else AuditKey(load_key(config.audit.key_file))


def started(config: Config, policies: Mapping[str, Policy]) -> AuditEvent:
    """A record of a start: the version, and by digests and check values the document, the policies and the keys."""
    about = {
        "kind": "application",
        "version": __version__,
        "configuration": Concealed("", config.model_dump_json()),
        "policies": {name: policy.digest for name, policy in policies.items()},
        "keys": key_values(config),
    }
    return AuditEvent("started", object=about)


def stopped() -> AuditEvent:
    """A record of a stop."""
    return AuditEvent("stopped", object={"kind": "application", "version": __version__})


@dataclass(frozen=True, slots=True)
class OfflineSite:
    """What the offline twin needs of a site, without a server."""

    pool: WorkerPool
    spool: DiskSpool
    audit: AuditLog
    limit: int


async def _check_keys(config: Config) -> None:
    """A changed key is refused offline too: by what the data folder remembers, or the proxy that runs on it."""
    values = key_values(config)
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
        audit = AuditLog(folder, node="offline", key=audit_key(config))
        await audit.open()
        stack.push_async_callback(audit.close)
        await audit.record(started(config, policies))
        stack.push_async_callback(audit.record, stopped())
        pool = make_pool(config, policies, gate_key, tables)
        stack.push_async_callback(pool.close)
        await pool.start()
        spool = DiskSpool(work, Keyholder(gate_key), 1 << 62)
        stack.callback(spool.close)
        yield OfflineSite(pool, spool, audit, config.limits.instance_bytes)
