"""C-MOVE of one instance to ourselves (PS3.4 C.4.2): the PACS sends it to an AE title of ours, over an association of
its own.

`Arrivals` is what the Storage SCP hands such instances to, as it hands others to ingest: what somebody waits for is
given to him, and what nobody waits for is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from proxy.deid.types import Claimed
from proxy.dimse.asking import SYNTAXES, Proposal, ask
from proxy.dimse.association import Association
from proxy.dimse.finding import STUDY_ROOT_FIND
from proxy.dimse.getting import outcome
from proxy.dimse.sink import Sink
from proxy.dimse.status import Outcome
from proxy.errors import Reason
from proxy.service.ports import Arena, Peer
from proxy.wire.command import C_MOVE_RQ

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
#: some PACSs want both
MOVE = Proposal("move", [(STUDY_ROOT_FIND, SYNTAXES), (STUDY_ROOT_MOVE, SYNTAXES)])
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the PACS is told: stored, or a processing failure."""

    stored: bool
    reason: Reason | None = None
    answer: str = "accept"


class Arrivals:
    """Instances on their way to us, by the key of their destination and their UID."""

    def __init__(self) -> None:
        self._awaited: dict[tuple[str, str], Sink] = {}
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def expect(self, destination: str, sink: Sink) -> AsyncIterator[None]:
        """Between these two moments ``sink`` waits for its instance, and nobody else for the same one.

        Of two the PACS would be asked twice, and nothing tells which of the two answers is whose.
        """
        key = (destination, sink.instance)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            self._awaited[key] = sink
            try:
                yield
            finally:
                sink.detach()
                del self._awaited[key]

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Arrival:
        """What `proxy.dimse.storage` calls; ``project`` is the destination's key."""
        sink = self._awaited.get((project, claimed.sop_instance_uid))
        return Arrival(sink is not None and await _copy(arena, sink))


class Ingest(Protocol):
    """Where all other instances go: see `proxy.dimse.storage.Ingest`."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """The instance is stored or held."""
        ...


class Reception:
    """What the Storage SCP hands instances to, where both may come: those sent to us, and those we asked for."""

    def __init__(self, ingest: Ingest, arrivals: Arrivals) -> None:
        self._ingest, self._arrivals = ingest, arrivals

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """``project``: of a project's AE title its name, of a destination of C-MOVE its key, which has a colon."""
        to = self._arrivals if ":" in project else self._ingest
        return await to.receive(project, arena, claimed, peer)


async def _copy(arena: Arena, sink: Sink) -> bool:
    with arena.view() as view:
        for at in range(0, len(view), _BLOCK):
            if not sink.write(arena, sink.instance, view[at : at + _BLOCK]):
                return False
            await asyncio.sleep(0)  # others have their turn
    return sink.finish(arena)


async def move(name: str, association: Association, identifier: Dataset, destination: str, sink: Sink) -> bool:
    """C-MOVE what ``identifier`` names to the AE title ``destination``; False where the PACS has nothing of it."""
    responses = ask(name, association, C_MOVE_RQ, STUDY_ROOT_MOVE, identifier, MoveDestination=destination)
    return await outcome(name, responses, sink)
