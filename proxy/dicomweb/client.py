"""STOW-RS client (PS3.18 10.5): a destination ``type: dicomweb``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.service.ports import QueueRow


class DicomwebSender:
    """A `proxy.service.ports.Sender` over one aiohttp session, made when first needed."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_seconds: float) -> None:
        self._url, self._headers, self._timeout = url, dict(headers), timeout_seconds

    async def send(self, row: QueueRow, path: Path) -> None:
        """See `proxy.service.ports.Sender.send`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError
