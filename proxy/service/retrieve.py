"""Retrieve (PS3.18 10.4): audit first, then hand out the archive's files."""

from __future__ import annotations

from proxy.service.ports import Archive, AuditTrail


class Retrieve:
    """WADO-RS as a use case."""

    def __init__(self, archive: Archive, audit: AuditTrail) -> None:
        self._archive, self._audit = archive, audit
