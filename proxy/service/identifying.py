"""Fills the identity drawer as instances are released: who reads it, and what is written. Reading: `reidentify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.deid.types import Original, Report
from proxy.store.crosswalk import Key
from proxy.store.identities import Identities
from proxy.store.officers import Officer


@dataclass(frozen=True, slots=True)
class Drawer:
    """A project's: its officers by name, requests that each has in a day, hours that one may be good for.

    Exports that each has in a day, and the patients in one.
    """

    officers: Mapping[str, Officer]
    per_day: int
    most_hours: int
    exports_per_day: int = 1
    patients_per_export: int = 200


class Identifying:
    """Writes for projects that have a drawer."""

    def __init__(self, identities: Identities, drawers: Mapping[str, Drawer]) -> None:
        self._identities, self._drawers = identities, drawers

    async def remember(self, project: str, report: Report, original: Original) -> None:
        """Write the entry of a released instance's patient, durably; nothing in a project without a drawer."""
        drawer = self._drawers.get(project)
        if drawer is not None and original.patient_id:
            key = Key(project, report.key_epoch, "patient", report.patient_id)
            await self._identities.put(key, (original.issuer, original.patient_id), tuple(drawer.officers.values()))
