"""Which devices instances came from, and how many, one row a kind. Implements `DeviceStore` of `proxy.service.devices`.

Manufacturer, model, modality and SOP class; no station, no serial number, nobody's patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from proxy.deid.device import Device
from proxy.store.database import Database
from proxy.store.schema import device_seen

#: kinds that are kept of a project; strings come from outside, and must not fill a disk
MOST = 500
#: what came from a device too many
OTHERS = Device("(other devices)")
_DEVICE = tuple(Device.__dataclass_fields__)
_KEY = [device_seen.c[name] for name in ("project", *_DEVICE, "answer", "reason")]


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """``answer``: what answered for the pixels, as in `proxy.deid.pixels.coverage`; ``reason``: why it was held."""

    project: str
    device: Device
    answer: str
    reason: str = ""

    @property
    def lumped(self) -> Kind:
        """The same of a device that is not told apart."""
        return replace(self, device=OTHERS)

    @property
    def row(self) -> dict[str, str]:
        """By column."""
        return {"project": self.project, **asdict(self.device), "answer": self.answer, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Seen:
    """``last``: when they were counted, in seconds since the epoch."""

    kind: Kind
    instances: int
    last: float


class DeviceRows:
    """On ``database``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, counts: Mapping[Kind, int], now: float) -> None:
        """Durable when it returns. Beyond `MOST` kinds of a project devices are counted as one. `Unavailable`."""
        await self._db.run(lambda connection: _add(connection, counts, now), patient=True)

    async def of(self, project: str) -> list[Seen]:
        """All of ``project``, in no order."""
        query = sa.select(device_seen).where(device_seen.c.project == project)
        rows = await self._db.run(lambda connection: connection.execute(query).mappings().all())
        return [_seen(row) for row in rows]


def _add(connection: sa.Connection, counts: Mapping[Kind, int], now: float) -> None:
    kept = _kept(connection, {kind.project for kind in counts})
    statement = insert(device_seen)
    statement = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "instances": device_seen.c.instances + statement.excluded.instances,
            "last_at": statement.excluded.last_at,
        },
    )
    for kind, instances in sorted(counts.items()):
        known = kept[kind.project]
        if kind not in known and len(known) >= MOST:
            kind = kind.lumped
        known.add(kind)
        connection.execute(statement, kind.row | {"instances": instances, "last_at": now})


def _kept(connection: sa.Connection, projects: Iterable[str]) -> dict[str, set[Kind]]:
    found: dict[str, set[Kind]] = {project: set() for project in projects}
    query = sa.select(device_seen).where(device_seen.c.project.in_(list(found)))
    for row in connection.execute(query).mappings():
        kind = _seen(row).kind
        found[kind.project].add(kind)
    return found


def _seen(row: sa.RowMapping) -> Seen:
    device = Device(*(row[name] for name in _DEVICE))
    return Seen(Kind(row["project"], device, row["answer"], row["reason"]), row["instances"], row["last_at"])
