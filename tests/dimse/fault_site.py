"""Two programs for the fault matrix: a server by itself, so that its memory, descriptors and time are its own, and a
peer that asks it for C-ECHO, each time on a fresh association, and writes down how long that took.

``fault_site.py serve FOLDER`` and ``fault_site.py echo PORT``; both end with their standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from proxy.dimse.acceptor import Bounds, Routes
from proxy.dimse.deadline import Patience
from proxy.dimse.receiving import Budget
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Verification
from proxy.dimse.storage import Storage
from proxy.wire import dimse_pdu
from proxy.wire.associate_write import write_request
from proxy.wire.command import C_ECHO_RQ, Command
from proxy.wire.messages import split
from proxy.wire.negotiation import ProposedContext, Request

VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"
ECHO = write_request(Request("VEIL", "PROBE", (ProposedContext(1, VERIFICATION, (IMPLICIT,)),), 16384))
ECHO_RQ = b"".join(
    split(1, True, memoryview(Command(C_ECHO_RQ, MessageID=1, AffectedSOPClassUID=VERIFICATION).encode(False)), 16384)
)
#: seconds; a peer is given up sooner than in real life, so that a test sees it
IDLE, FIRST = 3.0, 3.0
MEMORY, INSTANCE = 12 << 20, 8 << 20
PATIENCE = 5.0


class Taken:
    """Any instance is stored."""

    stored, reason, answer = True, None, "accept"

    async def receive(self, *_: Any) -> Taken:
        return self

    async def record(self, *_: Any) -> None:
        return None


async def serve(folder: Path) -> None:
    """A plain port and one with TLS; for each line that is read, the state as JSON."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "veil.pem", folder / "veil.key")
    budget = Budget(MEMORY)
    services = (Verification(), Storage(Taken(), Taken(), budget, INSTANCE))  # type: ignore[arg-type]  # a stand-in
    bounds = Bounds(131072, Patience(IDLE, FIRST), 50, 50)
    servers = [
        DimseServer("127.0.0.1", 0, bounds, Routes({"VEIL": "a", "MY AE": "b"}), lambda project: services, context)
        for context in (None, tls)
    ]
    for server in servers:
        await server.start()
    gc.freeze()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(json.dumps([server.port for server in servers]), flush=True)
    while await lines.readline():
        connections = sum(server.connections for server in servers)
        state = {"tasks": len(asyncio.all_tasks()), "connections": connections, "free": budget._free}
        print(json.dumps(state), flush=True)
    for server in servers:
        await server.stop(0)


def read_pdu(peer: socket.socket) -> tuple[int, bytes]:
    """Type and body; (0, b"") at the end of the connection."""
    head = exactly(peer, 6)
    if len(head) < 6:
        return 0, b""
    kind, length = struct.unpack(">BxI", head)
    return int(kind), exactly(peer, length)


def exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := peer.recv(size - len(data))):
        data += more
    return data


def echo(port: int) -> bool:
    """A fresh association, one C-ECHO, release."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kinds = []
        for sent in (ECHO, ECHO_RQ, dimse_pdu.RELEASE_RQ):
            peer.sendall(sent)
            kinds.append(read_pdu(peer)[0])
        return kinds == [2, 4, 6]


def probes(port: int) -> Iterator[float]:
    """How long each took, in seconds, until standard input ends; `PATIENCE` for what failed."""
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        began = time.monotonic()
        well = False
        with contextlib.suppress(OSError):
            well = echo(port)
        yield time.monotonic() - began if well else PATIENCE


def memory(pid: int) -> int:
    """What a process holds, in bytes; instances are not in it, they have a budget of their own."""
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS"))


def descriptors(pid: int) -> int:
    """How many it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(serve(Path(sys.argv[2])))  # as `veil serve` does
    else:
        print("ready", flush=True)
        print(json.dumps(list(probes(int(sys.argv[2])))))
