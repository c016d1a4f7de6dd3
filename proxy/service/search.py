"""Search (PS3.18 10.6, PS3.4 C): audit first, then answer from the archive."""

from __future__ import annotations

from proxy.service.ports import Archive, AuditTrail


class Search:
    """QIDO-RS as a use case."""

    def __init__(self, archive: Archive, audit: AuditTrail) -> None:
        self._archive, self._audit = archive, audit
