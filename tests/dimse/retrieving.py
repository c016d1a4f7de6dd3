"""Somewhere to retrieve from, and a third party to move to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from proxy.archive.archive import EmbeddedArchive
from proxy.dimse.query_get import Get
from proxy.dimse.query_move import Move
from proxy.dimse.rewriting import Rewriting
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.wire.command import C_GET_RQ, C_MOVE_RQ
from proxy.wire.negotiation import ProposedContext
from proxy.wire.vr import EXPLICIT_LE
from tests.dimse.conversation import CT, Conversation, keys, part10
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, small

GET, MOVE = "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY, SERIES = f"{ROOT}1.100000001", f"{ROOT}2.100000001"
FILES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 6)]


class Place:
    """Somewhere to retrieve from: an archive, or a view."""

    def __init__(self, search: Any, retrieve: Any, audit: Any) -> None:
        self.search, self.retrieve, self.audit = search, retrieve, audit
        self.rewriting: dict[str, Rewriting] = {}

    async def get(self, level: str = "STUDY", model: str = GET, peer: Conversation | None = None, **values: Any) -> Any:
        service = Get(self.search, self.retrieve, self.audit, self.rewriting)
        peer = peer or Conversation().offer((CT, EXPLICIT_LE), scp=True)
        await service.serve(peer.message(service, C_GET_RQ, model, keys(level, **values)))
        return peer


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Place]:
    """Five instances of one study, another of another patient."""
    kept, audit = EmbeddedArchive(tmp_path / "archive"), Audit()
    await kept.start()
    for number, data in enumerate([*FILES, small(2)]):
        await kept.store("research", part10(tmp_path, data, (str(number),)))
    yield Place(Search(kept, audit), Retrieve(kept, audit), audit)
    await kept.close()


class Third:
    """A destination of C-MOVE; each association that is opened is a conversation."""

    def __init__(self, *verdicts: int | Exception, error: Exception | None = None) -> None:
        self.verdicts, self.error = list(verdicts), error
        self.opened: list[tuple[str, list[ProposedContext]]] = []
        self.associations: list[Conversation] = []
        self.pause: asyncio.Event | None = None

    async def open(self, calling: str, contexts: Sequence[ProposedContext]) -> Any:
        if self.error is not None:
            raise self.error
        self.opened.append((calling, list(contexts)))
        peer = Conversation(verdicts=self.verdicts, pause=self.pause)
        self.associations.append(peer.offer(*((c.abstract, c.syntaxes[0]) for c in contexts)))
        return peer


async def move(place: Place, third: Third, to: str = "WS1", **values: Any) -> Conversation:
    table = {"research": {"WS1": third.open}, "other": {"WS2": third.open}}
    service, peer = Move(place.search, place.retrieve, place.audit, place.rewriting, table), Conversation()
    identifier: Dataset = keys("STUDY", **values)
    await service.serve(peer.message(service, C_MOVE_RQ, MOVE, identifier, MoveDestination=to))
    return peer
