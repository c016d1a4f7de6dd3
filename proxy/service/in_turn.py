"""Retrieval for who takes one instance after the other (DIMSE sub-operations): listed first, each file in its turn.

What is listed was recorded. A file is made when its turn is near, so that the first one leaves while a PACS is still
asked for the others, and a long study never lies in the cache as a whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proxy.service.ports import Peer
from proxy.wire.uri import Target

#: files that are made before they are asked for
AHEAD = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance of a retrieval, by its SOP Instance UID as readers know it."""

    uid: str
    #: its de-identified file, or None where there is none to give; raises what a retrieval raises
    file: Callable[[], Awaitable[Path | None]]
    #: whether no file is a failure; else the instance is one that does not exist for readers
    required: bool = False


class Lists(Protocol):
    """The instances of one kind of project."""

    async def listed(self, project: str, targets: Sequence[Target], what: str, peer: Peer, to: str) -> list[Listed]:
        """What ``targets`` consist of, recorded, in a stable order; ``to``: who else than ``peer`` is sent them.

        Raises as `proxy.service.readers.Finds.find`.
        """
        ...


async def ready(path: Path) -> Path:
    """A file that is there already."""
    return path


async def in_turn(listed: Sequence[Listed], ahead: int = AHEAD) -> AsyncGenerator[tuple[Listed, Path | None]]:
    """Each with its file, in order, while the files of the next ``ahead`` are made. Close it: that ends the work."""
    under_way: deque[tuple[Listed, asyncio.Future[Path | None]]] = deque()
    waiting = iter(listed)
    try:
        while True:
            while len(under_way) <= ahead and (one := next(waiting, None)) is not None:
                under_way.append((one, asyncio.ensure_future(one.file())))
            if not under_way:
                return
            one, task = under_way.popleft()
            try:
                path = await task
            finally:
                task.cancel()
            yield one, path
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
