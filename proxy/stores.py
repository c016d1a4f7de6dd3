"""What a proxy keeps on disk, and its rules: opened first, closed last. Only wires.

The order matters: lock, keys, rules, database, audit; the record of the start comes before anything is received.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass

from proxy.archive.archive import EmbeddedArchive
from proxy.audit.trail import AuditLog
from proxy.auditing import AuditSinks
from proxy.beginning import record_start
from proxy.certificates import Certificates, every_tls
from proxy.config import Config
from proxy.deid.release import Keyholder
from proxy.ruling import Ruling
from proxy.site import audit_key, key_values, stopped
from proxy.store.database import Database
from proxy.store.keys import check_key, load_key
from proxy.store.lock import DataLock
from proxy.store.quarantine import QuarantineFolder
from proxy.store.spool import DiskSpool


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that outlives the process, open."""

    config: Config
    gate: Keyholder
    ruling: Ruling
    database: Database
    audit: AuditLog
    certificates: Certificates
    sinks: AuditSinks
    spool: DiskSpool
    quarantine: QuarantineFolder
    archive: EmbeddedArchive


async def open_stores(config: Config, stack: AsyncExitStack) -> Stores:
    """Open all of it; ``stack`` closes it again. `VeilError` where something cannot be used."""
    root = config.data_dir
    gate_key = secrets.token_bytes(32)
    ruling = Ruling(config, gate_key)
    lock = DataLock(root)
    lock.acquire()
    stack.callback(lock.release)
    database = await Database.open(root / "veil.db")
    stack.push_async_callback(database.close)
    for name, value in key_values(config).items():
        await check_key(database, name, value)
    audit = AuditLog(root / "audit", node="veil", segment_bytes=config.audit.segment_mib << 20, key=audit_key(config))
    await audit.open()
    stack.push_async_callback(audit.close)
    certificates = Certificates(every_tls(config), audit)
    sinks = AuditSinks(config, audit, certificates)
    sinks.start()
    stack.push_async_callback(sinks.stop)
    spool = DiskSpool(root / "spool", Keyholder(gate_key), config.limits.spool_bytes)
    stack.callback(spool.close)
    quarantine = QuarantineFolder(root / "quarantine", load_key(config.node_key_file), config.limits.quarantine_bytes)
    archive = EmbeddedArchive(root / "archive")
    await archive.start()
    stack.push_async_callback(archive.close)
    await record_start(config, ruling.policies, audit)
    stack.push_async_callback(audit.record, stopped())
    return Stores(config, Keyholder(gate_key), ruling, database, audit, certificates, sinks, spool, quarantine, archive)
