"""Veil's Query/Retrieve SCP on loopback over given readers, and what peers make of it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset

from proxy.dimse import silence
from proxy.dimse.acceptor import Bounds, Gatekeeper, Routes
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

Run = Callable[..., Awaitable[tuple[int, str]]]
Program = Callable[[str], Path]


def reaching(title: str, port: int, tls: ssl.SSLContext | None) -> Open:
    """A destination of C-MOVE on loopback."""

    async def open_(called: str, contexts: Sequence[ProposedContext]) -> Association:
        return await connect(Destination("127.0.0.1", port, title, called, 10.0, tls), contexts)

    return open_


@asynccontextmanager
async def querying(
    search: Any,
    retrieve: Any,
    audit: Any,
    to: Mapping[str, int],
    tls: ssl.SSLContext | None = None,
    gatekeeper: Gatekeeper | None = None,
    client: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The port of ``VEIL``, project ``research``; ``to``: where C-MOVE may send, AE title → port.

    ``tls`` of the port, ``client`` towards destinations.
    """
    silence()
    moves = {"research": {title: reaching(title, port, client) for title, port in to.items()}}
    services = (
        Verification(),
        Storage(None, None, Budget(1 << 26), 1 << 26),  # type: ignore[arg-type]  # nothing is sent to it
        Find(search, audit),
        Get(search, retrieve, audit, {}),
        Move(search, retrieve, audit, {}, moves),
    )
    bounds = Bounds(131072, Patience(20.0), 20, 20)
    known = gatekeeper or Routes({"VEIL": "research"})
    server = DimseServer("127.0.0.1", 0, bounds, known, lambda project: services, tls)
    await server.start()
    yield server.port
    await server.stop(1)


@dataclass
class Peers:
    """How each program asks the SCP at ``port``; `what` it received lies in ``folder``."""

    port: int
    program: Program
    run: Run
    folder: Path
    audit: Any

    async def ask(self, name: str, level: str, *keys: str, options: tuple[str, ...] = ("-S",)) -> tuple[int, str]:
        """One of DCMTK's SCUs, as talkative as it gets."""
        asked = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
        out = [] if name == "movescu" else ["-od", str(self.folder)]
        return await self.run(self.program(name), "-d", *options, "-aec", "VEIL", *out, "127.0.0.1", self.port, *asked)

    async def find(self, level: str, *keys: str, options: tuple[str, ...] = ("-S",)) -> list[Dataset]:
        """The matches that findscu wrote."""
        for old in self.folder.glob("rsp*"):
            old.unlink()
        status, output = await self.ask("findscu", level, *keys, options=("-X", *options))
        assert status == 0, output
        return [pydicom.dcmread(path, force=True) for path in sorted(self.folder.glob("rsp*"))]

    async def app(self, name: str, *options: str) -> tuple[int, str]:
        """One of pynetdicom's applications."""
        return await self.run(
            sys.executable, "-m", "pynetdicom", name, "127.0.0.1", self.port, "-aec", "VEIL", *options
        )


def read(folder: Path) -> list[Dataset]:
    """Every DICOM file below, in the order of SOP Instance UIDs."""
    found = [pydicom.dcmread(path, force=True) for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda one: str(one.get("SOPInstanceUID", "")))
