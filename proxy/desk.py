"""The console, made of veil.yaml and a running proxy. Only wires."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from proxy.audit.trail import AuditLog
from proxy.auditing import AuditSinks
from proxy.config import Config
from proxy.console.application import Console
from proxy.console.audit_live import AuditLive
from proxy.console.audit_log import AuditPages
from proxy.console.destinations import DestinationsPage, Traffic
from proxy.console.frame import Part
from proxy.console.held import HeldPages
from proxy.console.held_entries import Entries
from proxy.console.held_one import HeldInstancePages
from proxy.console.instance import InstancePage
from proxy.console.integrity import IntegrityPages, Log
from proxy.console.overview import Overview, Running
from proxy.console.reidentify import ReidentifyPages
from proxy.console.studies import Books, StudiesPage
from proxy.console.study import StudyPage
from proxy.console.visitor import Visits
from proxy.dicomweb.forwarded import address
from proxy.dicomweb.projects import Projects
from proxy.entrance import make_desk, make_door
from proxy.service.audit_showing import Showing
from proxy.service.compare import Compare
from proxy.service.destinations import Destinations
from proxy.service.keeping import Keeping
from proxy.service.log_state import log_state
from proxy.service.reconcile import Reconcile
from proxy.service.reidentify import Reidentify
from proxy.store.queue import Queue
from proxy.store.queue_look import QueueLook
from proxy.store.study_look import StudyLook


def make_console(
    config: Config,
    audit: AuditLog,
    status: Callable[[], Awaitable[Mapping[str, Any]]],
    keeping: Keeping,
    sinks: AuditSinks,
    rules: Sequence[Part],
    queue: Queue,
    operate: Destinations,
    reconcile: Reconcile,
    compare: Compare,
    officers: Reidentify,
) -> web.Application | None:
    """The application below /console; None where it is off. `ConfigError` for accounts that cannot be read."""
    if not config.console.enabled:
        return None
    desk = make_desk(config.console, config.data_dir, audit)
    door = make_door(config.console, config.http.public_url, desk, audit)
    projects = {name: project.destinations for name, project in config.projects.items()}
    held = keeping.quarantine.list
    running = Running(
        status,
        held,
        lambda: (audit.position.seq, audit.position.hash),
        projects,
        sinks.flow.window,
        lambda: sinks.verification.last,
    )
    traffic = Traffic(status, queue.oldest_waiting, sinks.flow.window, operate, projects)
    books = Books(reconcile, audit, sinks.flow.window, list(projects))
    parts: list[Part] = [Overview(running), DestinationsPage(traffic), StudiesPage(books), *rules]
    parts.append(StudyPage(books, StudyLook(queue.database).of, compare))
    if officers.drawers:
        parts.append(ReidentifyPages(officers))
    entries, names = Entries(held), list(projects)
    parts.append(HeldPages(entries, keeping.replay, names))
    parts.append(HeldInstancePages(entries, keeping.replay, keeping.preview, names))
    visits = Visits(address, Projects({}, config.http.public_url).root)
    parts.append(AuditPages(sinks.reading, list(projects)))
    folder, kept = config.data_dir / "audit", config.audit
    log = Log(
        lambda: (audit.position.seq, audit.position.hash), lambda: log_state(folder, kept.witness_notes), status,
        sinks.key, kept.retention_days, kept.legal_hold, kept.verify_hours, sinks.verification, sinks.reading,
        sinks.export,
    )  # fmt: skip
    parts.append(IntegrityPages(log, list(projects)))
    live = AuditLive(Showing(sinks.reading), list(projects))
    parts.append(live)
    parts.append(InstancePage(sinks.reading, QueueLook(queue.database, projects).of, list(projects)))
    application = Console(desk, visits, parts, door, config.console.local_accounts).application
    application.on_shutdown.append(live.stop)
    return application
