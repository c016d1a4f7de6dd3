"""A released instance in another transfer syntax, for who does not take its own: without loss, or not at all.

Of native pixel data only headers and byte order change (as over the web), encapsulated pixel data is decompressed by a
worker. Both ends are explicit VR little endian, or else implicit VR, which every DICOM application knows (PS3.5 10.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.dimse.outgoing import Data, File, part10_offset
from proxy.dimse.query_file import REWRITTEN, CannotGive, Stored, data_set
from proxy.errors import InstanceRejected
from proxy.service.decoding import Decoding
from proxy.service.ports import Arena
from proxy.wire.implicit import NotConvertible, implicit
from proxy.wire.vr import EXPLICIT_LE, NATIVE

#: the better first
SYNTAXES = REWRITTEN


class Rewriting:
    """For one destination, or for those who retrieve; few instances at a time, for each lies in memory."""

    def __init__(self, decoding: Decoding, at_once: int = 1) -> None:
        self._decoding, self._turns = decoding, asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def rewritten(self, project: str, instance: Stored, syntax: str) -> AsyncIterator[Data]:
        """The data set of ``instance`` in ``syntax``, one of `SYNTAXES`. Raises a `DeliveryError`, OSError."""
        async with self._turns:
            if instance.syntax in NATIVE:
                try:
                    data = await asyncio.to_thread(data_set, instance, syntax)
                except CannotGive as error:
                    raise InstanceRejected("no-transcoding", str(error)) from None
                yield data
                return
            async with self._decoding.decompressed(project, instance.path) as arena:
                yield await asyncio.to_thread(_data_of, arena, syntax)


def _data_of(arena: Arena, syntax: str) -> Data:
    path = Path(f"/proc/self/fd/{arena.fd}")
    offset = part10_offset(path)
    if syntax == EXPLICIT_LE:
        return File(path, offset)
    try:
        with arena.view() as view:
            return b"".join(implicit(view[offset:]))
    except NotConvertible as error:
        raise InstanceRejected("no-transcoding", str(error)) from None
