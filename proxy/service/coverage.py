"""The use case *which devices are covered*: what is counted by kind, put together by device. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.deid.device import Device
from proxy.deid.tables import SopClass
from proxy.store.devices import Seen

HELD, RULE = "held", "rule"


@dataclass(frozen=True, slots=True)
class Covered:
    """One device of a project. ``answer`` and ``reason``: of what was counted last. ``held``: reason → instances.

    ``sop_class``: its name in PS3.6, "" for an unknown one. ``last``: seconds since the epoch.
    """

    device: Device
    sop_class: str
    answer: str
    reason: str
    instances: int
    held: Mapping[str, int]
    last: float

    @property
    def ruled(self) -> bool:
        """Whether a device rule had a say in what came last."""
        return RULE in self.answer.split(" + ")


class Counts(Protocol):
    """`proxy.service.devices.Devices`."""

    async def of(self, project: str) -> Sequence[Seen]:
        """All of ``project``, up to now. `Unavailable`."""
        ...


class Coverage:
    """Of any project, at the moment somebody asks. ``sop_classes``: of the tables in force."""

    def __init__(self, counts: Counts, sop_classes: Callable[[], Mapping[str, SopClass]]) -> None:
        self._counts, self._sop_classes = counts, sop_classes

    async def of(self, project: str) -> list[Covered]:
        """As `covered`. `Unavailable`."""
        return covered(await self._counts.of(project), self._sop_classes())


def covered(seen: Iterable[Seen], sop_classes: Mapping[str, SopClass]) -> list[Covered]:
    """By device: what is held before what is not, then what no rule is about, then what comes most."""
    by_device: dict[Device, list[Seen]] = {}
    for each in seen:
        by_device.setdefault(each.kind.device, []).append(each)
    found = [_covered(device, rows, sop_classes) for device, rows in by_device.items()]
    return sorted(found, key=lambda each: (each.answer != HELD, each.ruled, -each.instances, each.device))


def _covered(device: Device, rows: Sequence[Seen], sop_classes: Mapping[str, SopClass]) -> Covered:
    newest = max(rows, key=lambda row: (row.last, row.kind.answer == HELD, row.kind))
    held: dict[str, int] = {}
    for row in rows:
        if row.kind.answer == HELD:
            held[row.kind.reason] = held.get(row.kind.reason, 0) + row.instances
    sop_class = sop_classes.get(device.sop_class_uid)
    return Covered(
        device,
        sop_class.name if sop_class is not None else "",
        newest.kind.answer,
        newest.kind.reason,
        sum(row.instances for row in rows),
        dict(sorted(held.items())),
        newest.last,
    )
