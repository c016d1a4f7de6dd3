"""The identity drawers that veil.yaml describes, made: their officers, what fills and what reads them."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config import Config
from proxy.errors import ConfigError
from proxy.service.identifying import Drawer, Identifying
from proxy.service.ports import AuditTrail
from proxy.service.reidentify import Reidentify
from proxy.store.database import Database
from proxy.store.identities import Identities
from proxy.store.keys import load_certificate
from proxy.store.officers import officer
from proxy.store.reidentifications import Reidentifications


def load_drawers(config: Config) -> dict[str, Drawer]:
    """The identity drawers of projects that have one; `ConfigError` for a certificate that is wrong or stands twice."""
    found: dict[str, Drawer] = {}
    for project, said in config.projects.items():
        if (chosen := said.identity_drawer) is None:
            continue
        where = f"projects.{project}.identity_drawer.officers"
        people = {n: officer(n, load_certificate(path), f"{where}.{n}") for n, path in chosen.officers.items()}
        if len({each.key_id for each in people.values()}) < len(people):
            raise ConfigError(where, "two officers have the same key", "each needs one of their own")
        exports = chosen.exports_per_day, chosen.patients_per_export
        found[project] = Drawer(people, chosen.requests_per_day, chosen.hours, *exports)
    return found


def make_identity(
    database: Database, audit: AuditTrail, drawers: Mapping[str, Drawer], keep_days: int | None
) -> tuple[Identifying, Reidentify]:
    """What fills the drawers as instances are released, and what officers ask; ``keep_days`` as `Reidentify`."""
    identities, requests = Identities(database), Reidentifications(database)
    return Identifying(identities, drawers), Reidentify(identities, requests, audit, drawers, keep_days=keep_days)


def keep_days(config: Config) -> int | None:
    """How long requests are kept after their time: as long as the records of them."""
    return None if config.audit.legal_hold else config.audit.retention_days
