"""The destination ``type: archive``: a `proxy.service.ports.Sender` that files into the embedded archive."""

from __future__ import annotations

from pathlib import Path

from proxy.service.ports import Archive, QueueRow


class ArchiveSender:
    """Files each row in ``row.project``. ``close`` does not close the archive: who opened it does."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def send(self, row: QueueRow, path: Path) -> None:
        """See `proxy.service.ports.Sender.send`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to give back."""
