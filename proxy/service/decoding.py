"""Instances for a destination that does not read their compression: released ones, decompressed and released anew.

A worker decodes; its gate holds the result against the spooled file before anything of it leaves (`Gate.decoded`), and
what arrives here is admitted only by that release. The result lies in anonymous memory, not in the spool.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from proxy.deid.release import Keyholder
from proxy.deid.seal import Seal
from proxy.errors import DeliveryTransient, InstanceRejected, Reason, Unavailable
from proxy.service.ports import Arena, Held, Released, Verdict
from proxy.workers.arena import ArenaFull

#: trouble of a worker, which may be another's tomorrow
_NOT_ITS_FAULT = frozenset({Reason.WORKER_CRASHED, Reason.WORKER_TIMEOUT})


class Decodes(Protocol):
    """Codecs and gate, in a worker."""

    async def decode(self, project: str, fd: int) -> Verdict:
        """The released Part 10 file behind ``fd`` with native pixel data; `WorkersUnavailable`."""
        ...


class Decoding:
    """Decompresses spooled files."""

    def __init__(self, workers: Decodes, gate: Keyholder, limit: int) -> None:
        """``limit``: bytes of one result."""
        self._workers, self._gate, self._limit = workers, gate, limit

    @asynccontextmanager
    async def decompressed(self, project: str, path: Path) -> AsyncIterator[Arena]:
        """The file at ``path`` in explicit VR little endian, as long as the ``with`` lasts. Raises a `DeliveryError`.

        OSError where the file cannot be read.
        """
        released = await self._released(project, path)
        with Arena(self._limit) as arena:
            try:
                await asyncio.to_thread(_fill, arena, released, self._gate.again(released.release))
            except ArenaFull:
                raise InstanceRejected("too-large", "decompressed it is larger than limit") from None
            yield arena

    async def _released(self, project: str, path: Path) -> Released:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # not in a thread: for who is cancelled nobody would close it
        try:
            verdict = await self._workers.decode(project, fd)
        except Unavailable as error:
            raise DeliveryTransient("no-worker", str(error)) from None
        finally:
            os.close(fd)
        if isinstance(verdict, Held):
            blame = DeliveryTransient if verdict.reason in _NOT_ITS_FAULT else InstanceRejected
            raise blame("no-transcoding", str(verdict.reason))
        return verdict


def _fill(arena: Arena, released: Released, seal: Seal) -> None:
    """Write what was released, all of it; its gate is asked whether that is what it saw."""
    for chunk in released.chunks:
        if not isinstance(chunk, bytes):
            raise InstanceRejected("no-transcoding", "a result that refers to something else")
        arena.write(chunk)
    with arena.view() as view:
        seal.add(view)
    if not seal.is_of(released.release.size, released.release.tag):
        raise InstanceRejected("no-transcoding", "a result that was not released")
