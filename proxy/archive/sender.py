"""The destination ``type: archive``: a `proxy.service.ports.Sender` that files into the embedded archive."""

from __future__ import annotations

import errno
from pathlib import Path

from proxy.archive.archive import NotFilable
from proxy.errors import DeliveryTransient, InstanceRejected
from proxy.service.ports import Archive, QueueRow


class ArchiveSender:
    """Files each row in ``row.project``. ``close`` does not close the archive: who opened it does."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def send(self, row: QueueRow, path: Path) -> None:
        """See `proxy.service.ports.Sender.send`."""
        try:
            await self._archive.store(row.project, path)
        except NotFilable as error:
            raise InstanceRejected("archive", str(error)) from None
        except OSError as error:  # a full disk, mostly
            raise DeliveryTransient(errno.errorcode.get(error.errno or 0, "EIO"), "the archive cannot write") from None

    async def close(self) -> None:
        """Nothing to give back."""
