"""The console, made of a running proxy: which pages there are, in the order of the navigation. Only wires."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

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
from proxy.rules_desk import rules_parts
from proxy.service.audit_showing import Showing
from proxy.service.log_state import log_state
from proxy.service.ports import Peer
from proxy.store.queue_look import QueueLook
from proxy.store.study_look import StudyLook
from proxy.stores import Stores
from proxy.works import Works


@dataclass(frozen=True, slots=True)
class Standing:
    """The running proxy as the console sees it. ``status`` and ``reload`` as of `App`."""

    stores: Stores
    works: Works
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    reload: Callable[[Peer], Coroutine[Any, Any, Mapping[str, str]]]

    def position(self) -> tuple[int, str]:
        """Number and hash of the last audit record."""
        position = self.stores.audit.position
        return position.seq, position.hash


def make_console(config: Config, standing: Standing) -> web.Application | None:
    """The application below /console; None where it is off. `ConfigError` for accounts that cannot be read."""
    if not config.console.enabled:
        return None
    audit = standing.stores.audit
    desk = make_desk(config.console, config.data_dir, audit)
    door = make_door(config.console, config.http.public_url, desk, audit)
    visits = Visits(address, Projects({}, config.http.public_url).root)
    live = AuditLive(Showing(standing.stores.sinks.reading), list(config.projects))
    parts = [
        *_traffic(config, standing),
        *_held(config, standing),
        *_rules(config, standing),
        *_audit(config, standing),
        live,
        *_officers(standing),
    ]
    application = Console(desk, visits, parts, door, config.console.local_accounts).application
    application.on_shutdown.append(live.stop)
    return application


def _traffic(config: Config, standing: Standing) -> list[Part]:
    """What comes and goes; the first page of all."""
    stores, works, sinks = standing.stores, standing.works, standing.stores.sinks
    projects = {name: project.destinations for name, project in config.projects.items()}
    held = stores.quarantine.list
    running = Running(
        standing.status, held, standing.position, projects, sinks.flow.window, lambda: sinks.verification.last
    )
    books = Books(works.reconcile, stores.audit, sinks.flow.window, list(projects))
    traffic = Traffic(standing.status, works.queue.oldest_waiting, sinks.flow.window, works.destinations, projects)
    return [
        Overview(running),
        StudiesPage(books),
        StudyPage(books, StudyLook(stores.database).of, works.compare),
        InstancePage(sinks.reading, QueueLook(stores.database, projects).of, list(projects)),
        DestinationsPage(traffic),
    ]


def _held(config: Config, standing: Standing) -> list[Part]:
    keeping, names = standing.works.keeping, list(config.projects)
    entries = Entries(keeping.quarantine.list)
    return [
        HeldPages(entries, keeping.replay, names),
        HeldInstancePages(entries, keeping.replay, keeping.preview, names),
    ]


def _rules(config: Config, standing: Standing) -> list[Part]:
    stores, works = standing.stores, standing.works
    return rules_parts(config, stores.audit, stores.ruling, standing.reload, works.devices, works.keeping.preview)


def _audit(config: Config, standing: Standing) -> list[Part]:
    sinks, kept, names = standing.stores.sinks, config.audit, list(config.projects)
    log = Log(
        standing.position,
        lambda: log_state(config.data_dir / "audit", kept.witness_notes),
        standing.status,
        sinks.key,
        kept.retention_days,
        kept.legal_hold,
        kept.verify_hours,
        sinks.verification,
        sinks.reading,
        sinks.export,
    )
    return [AuditPages(sinks.reading, names), IntegrityPages(log, names)]


def _officers(standing: Standing) -> list[Part]:
    officers = standing.works.officers
    return [ReidentifyPages(officers)] if officers.drawers else []
