"""Veil's Query/Retrieve SCP on loopback over given readers, and what peers make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset

from proxy.dimse import silence
from proxy.dimse.acceptor import Bounds, Routes
from proxy.dimse.association import Association
from proxy.dimse.connecting import connect
from proxy.dimse.deadline import Patience
from proxy.dimse.query_find import Find
from proxy.dimse.query_get import Get
from proxy.dimse.query_move import Move, Open
from proxy.dimse.receiving import Budget
from proxy.dimse.requestor import Destination
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Verification
from proxy.dimse.storage import Storage
from proxy.wire.negotiation import ProposedContext


def reaching(title: str, port: int) -> Open:
    """A destination of C-MOVE on loopback."""

    async def open_(called: str, contexts: Sequence[ProposedContext]) -> Association:
        return await connect(Destination("127.0.0.1", port, title, called, 10.0), contexts)

    return open_


@asynccontextmanager
async def querying(search: Any, retrieve: Any, audit: Any, to: Mapping[str, int]) -> AsyncIterator[int]:
    """The port of ``VEIL``, project ``research``; ``to``: where C-MOVE may send, AE title → port."""
    silence()
    moves = {"research": {title: reaching(title, port) for title, port in to.items()}}
    services = (
        Verification(),
        Storage(None, None, Budget(1 << 26), 1 << 26),  # type: ignore[arg-type]  # nothing is sent to it
        Find(search, audit),
        Get(search, retrieve, audit),
        Move(search, retrieve, audit, moves),
    )
    bounds = Bounds(131072, Patience(20.0), 20, 20)
    server = DimseServer("127.0.0.1", 0, bounds, Routes({"VEIL": "research"}), lambda project: services)
    await server.start()
    yield server.port
    await server.stop(1)


def read(folder: Path) -> list[Dataset]:
    """Every DICOM file below, in the order of SOP Instance UIDs."""
    found = [pydicom.dcmread(path, force=True) for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda one: str(one.get("SOPInstanceUID", "")))
