"""The Storage SCU: C-STORE of spooled Part 10 files, bytes unchanged, over associations that are kept and reused."""

from __future__ import annotations

from pathlib import Path

from proxy.service.ports import QueueRow


class DimseSender:
    """A `proxy.service.ports.Sender` for one PACS that takes C-STORE."""

    def __init__(self, host: str, port: int, called_ae: str, calling_ae: str, timeout_seconds: float) -> None:
        self._address = (host, port)
        self._titles = (called_ae, calling_ae)
        self._seconds = timeout_seconds

    async def send(self, row: QueueRow, path: Path) -> None:
        """Returns when the destination has accepted the instance. Raises a `DeliveryError`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Release every association."""
