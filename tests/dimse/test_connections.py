"""Peers that send raw PDUs: too long, too slow, nonsense. The server stays reachable and gives everything back."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
import time
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context

from proxy.dimse.deadline import LAST_SECONDS
from proxy.dimse.server import DimseServer
from tests.dimse.arenas import arenas
from tests.dimse.servers import Serve

ABORT = 7


def associate_rq(called: bytes = b"VEIL") -> bytes:
    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(body)) + body

    context = b"\x01\x00\x00\x00" + item(0x30, CTImageStorage.encode()) + item(0x40, ExplicitVRLittleEndian.encode())
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3")
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16), b"RAW".ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    return struct.pack(">BxI", 1, len(body)) + body


def pdata(*fragments: tuple[int, int, bytes]) -> bytes:
    body = b"".join(struct.pack(">IBB", len(d) + 2, cx, control) + d for cx, control, d in fragments)
    return struct.pack(">BxI", 4, len(body)) + body


def command(field: int = 1, data_set: int = 0, **change: bytes | None) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(value)) + value

    def number(value: int) -> bytes:
        return struct.pack("<H", value)

    uid = change.get("uid", b"1.2.3.4.")
    return (
        element(0x0002, CTImageStorage.encode() + b"\x00")
        + element(0x0100, number(field))
        + element(0x0110, number(7))
        + element(0x0700, number(0))
        + element(0x0800, number(data_set))
        + (element(0x1000, uid) if uid is not None else b"")
    )


def talk(server: DimseServer, *pdus: bytes, associate: bool = True, seconds: float = 5.0) -> list[int]:
    """Send PDUs; the types of what comes back until the server hangs up (or 0 at the end for a time-out)."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as peer:
        types = []
        try:
            if associate:
                peer.sendall(associate_rq())
                types.append(_read(peer))
            for pdu in pdus:
                peer.sendall(pdu)
            while kind := _read(peer):
                types.append(kind)
        except ConnectionError:
            pass
        except TimeoutError:
            types.append(0)
        return types


def _read(peer: socket.socket) -> int:
    head = _exactly(peer, 6)
    if len(head) < 6:
        return 0
    kind, length = struct.unpack(">BxI", head)
    _exactly(peer, length)
    return int(kind)


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := peer.recv(size - len(data))):
        data += more
    return data


def echo(server: DimseServer) -> None:
    association = AE().associate(
        "127.0.0.1", server.port, contexts=[build_context("1.2.840.10008.1.1")], ae_title="VEIL"
    )
    assert association.send_c_echo().Status == 0
    association.release()


async def quiet(server: DimseServer) -> None:
    """Every thread and descriptor of the server's connections is gone."""
    deadline = time.monotonic() + 20
    while server.connections or arenas():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


FAULTS: dict[str, tuple[bytes, ...]] = {
    "data before a command": (pdata((1, 2, b"x" * 100)),),
    "unknown command field": (pdata((1, 3, command(field=0x7777))),),
    "command that is no element": (pdata((1, 3, b"\xff" * 37)),),
    "command without an instance UID": (pdata((1, 3, command(uid=None))), pdata((1, 2, b"x"))),
    "instance UID that is no ASCII": (pdata((1, 3, command(uid="ö".encode() * 4))), pdata((1, 2, b"x"))),
    "context that was not negotiated": (pdata((3, 3, command())), pdata((3, 2, b"x"))),
    "data in another context than its command": (pdata((1, 3, command())), pdata((3, 2, b"x"))),
    "two contexts in one PDU": (pdata((1, 3, command()), (5, 2, b"x")),),
    "fragment without a control byte": (struct.pack(">BxIIB", 4, 5, 1, 1),),
    "endless command": tuple(pdata((1, 1, b"\x00" * 60_000)) for _ in range(4)),
    "PDU longer than announced": (struct.pack(">BxI", 4, 1 << 20) + b"\x00" * 100,),
    "PDU of 4 GiB": (struct.pack(">BxI", 4, 0xFFFFFFFF) + b"\x00" * 100,),
    "unknown PDU": (b"\x99\x00\x00\x00\x00\x04abcd",),
    "second A-ASSOCIATE-RQ": (associate_rq(),),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_aborts_this_association_only(
    serve: Serve, ingest: Any, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server = await serve(max_pdu=65536)
    types = await asyncio.to_thread(talk, server, *FAULTS[name])
    assert types[:1] == [2]  # A-ASSOCIATE-AC
    assert 0 not in types  # it was ended, and not by our patience
    assert set(types[1:]) <= {ABORT}
    assert ingest.received == []
    await asyncio.to_thread(echo, server)
    await quiet(server)
    assert "".join(capfd.readouterr()) == ""


async def test_huge_first_pdu_from_nobody(serve: Serve) -> None:
    server = await serve()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    types = await asyncio.to_thread(talk, server, struct.pack(">BxI", 1, 0xFFFFFFF0) + b"\x00" * 5000, associate=False)
    assert types in ([ABORT], [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    await quiet(server)


async def test_silent_and_dripping_connections_do_not_lock_others_out(serve: Serve, monkeypatch: Any) -> None:
    server = await serve(associations=5, first_seconds=30)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(10)]
    for peer in silent[:5]:
        peer.sendall(associate_rq()[:20])
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await asyncio.to_thread(echo, server)
    assert time.monotonic() - began < 15
    for peer in silent:
        peer.close()
    await quiet(server)


async def test_silent_connections_beyond_the_bound_give_way_to_new_ones(serve: Serve) -> None:
    server = await serve(strangers=10)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(30)]
        await asyncio.sleep(0.3)
        assert server.connections == 10
        assert [peer.recv(1) for peer in peers[:20]] == [b""] * 20  # those that came first
        await asyncio.to_thread(echo, server)
    await quiet(server)


async def test_associations_from_one_address_are_bounded(serve: Serve) -> None:
    server = await serve(per_address=2)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(3)]
        for peer in peers:
            peer.sendall(associate_rq())
        assert sorted([await asyncio.to_thread(_read, peer) for peer in peers]) == [2, 2, 3]
        elsewhere = stack.enter_context(
            socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0))
        )
        elsewhere.sendall(associate_rq())
        assert await asyncio.to_thread(_read, elsewhere) == 2
    await quiet(server)


async def test_a_drip_inside_a_pdu_has_a_deadline(serve: Serve) -> None:
    server = await serve(idle_seconds=1)

    def drip() -> float:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.sendall(associate_rq())
            _read(peer)
            peer.sendall(struct.pack(">BxI", 4, 1000))
            try:
                while time.monotonic() - began < 10:
                    peer.sendall(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
        return time.monotonic() - began

    assert await asyncio.to_thread(drip) < 1 + LAST_SECONDS + 1
    await quiet(server)


async def test_an_idle_association_is_aborted(serve: Serve) -> None:
    types = await asyncio.to_thread(talk, await serve(idle_seconds=1))
    assert types == [2, ABORT]


async def test_a_slow_ingest_is_not_the_peers_idleness(serve: Serve, ingest: Any) -> None:
    server = await serve(idle_seconds=1)
    ingest.gate = asyncio.Event()

    def two_stores() -> list[int]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.sendall(associate_rq())
            types = [_read(peer)]
            for _ in range(2):
                peer.sendall(pdata((1, 3, command())) + pdata((1, 2, b"x" * 10)))
                types.append(_read(peer))
                time.sleep(0.3)  # thinks a little, well within its idle time
            return types

    talking = asyncio.create_task(asyncio.to_thread(two_stores))
    await asyncio.sleep(2)
    ingest.gate.set()
    assert await talking == [2, 4, 4]


@pytest.mark.parametrize(
    "sent", [b"", associate_rq()[:20], associate_rq(), associate_rq() + pdata((1, 3, command()))[:30]]
)
async def test_stop_does_not_wait_for_peers_that_say_nothing(
    serve: Serve, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server = await serve()
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(sent)
        await asyncio.sleep(0.3)
        assert server.connections == 1
        began = time.monotonic()
        await server.stop(0.2)
        assert time.monotonic() - began < 20
        assert server.connections == 0
    assert "".join(capfd.readouterr()) == ""
