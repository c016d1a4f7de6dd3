"""Peers that do harm, each in a thread until it is told to stop. What they get back they mostly do not read."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event

from tests.dimse.fault_site import ECHO, ECHO_RQ, read_pdu
from tests.dimse.test_connections import FAULTS, associate_rq, command, pdata

ABORT = bytes.fromhex("07000000000400000000")
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(193)

Fault = Callable[["Target", Event], None]


class Target:
    """Where the harm is done. ``peers``: how many at once, where a fault has that many."""

    def __init__(self, port: int, tls: int, silent: int = 2000, seconds: float = 5.0) -> None:
        self.port, self.tls, self.silent, self.seconds = port, tls, silent, seconds

    def connect(self, port: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.port), timeout=2)

    def associated(self, request: bytes = b"") -> socket.socket:
        """A connection on which an association was asked for; perhaps it was refused."""
        peer = self.connect()
        try:
            peer.sendall(request or associate_rq())
            read_pdu(peer)
        except OSError:
            peer.close()
            raise
        return peer


def again(fault: Callable[[Target], None]) -> Fault:
    """Do it over and over."""

    def run(target: Target, stop: Event) -> None:
        while not stop.wait(0.005):
            with contextlib.suppress(OSError):
                fault(target)

    return run


def talk(peer: socket.socket, *sent: bytes) -> None:
    """Send all, then read to the end."""
    with peer:
        for data in sent:
            peer.sendall(data)
        while read_pdu(peer)[0]:
            pass


def drips(target: Target, stop: Event) -> None:
    """Twelve connections, each of which sends another byte of its A-ASSOCIATE-RQ now and then."""
    request = associate_rq()
    with contextlib.ExitStack() as stack:
        peers = {n: (target.connect(), iter(request)) for n in range(12)}
        stack.callback(lambda: [peer.close() for peer, _ in peers.values()])
        while not stop.wait(target.seconds / 12):
            for n, (peer, rest) in list(peers.items()):
                try:
                    peer.sendall(bytes([next(rest)]))
                except (OSError, StopIteration):
                    peer.close()
                    peers[n] = (target.connect(), iter(request))


def silent(target: Target, stop: Event) -> None:
    """Two thousand connections that say nothing; who is sent away comes back."""
    peers: list[socket.socket] = []
    while not stop.wait(0.02):
        for _ in range(min(100, target.silent - len(peers))):
            with contextlib.suppress(OSError):
                peers.append(target.connect())
                peers[-1].setblocking(False)
        gone = [peer for peer in peers if _ended(peer)]
        for peer in gone:
            peer.close()
            peers.remove(peer)
    for peer in peers:
        peer.close()


def _ended(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def held(make: Callable[[Target], Iterable[socket.socket]]) -> Fault:
    """Connections that are brought into a state and left there; when they are all gone, again."""

    def run(target: Target, stop: Event) -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                peers = []
                with contextlib.suppress(OSError):
                    for peer in make(target):
                        peers.append(peer)
                        if stop.is_set():
                            break
                stop.wait(target.seconds)
                for peer in peers:
                    peer.close()

    return run


def _pour(peer: socket.socket, data: bytes) -> None:
    """Send until there is no more room on the way."""
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            peer.sendall(data)


def _huge(target: Target) -> None:
    claim = struct.pack(">BxI", 1, 0xFFFFFFFF) + bytes(1000)
    talk(target.connect(), claim)
    talk(target.associated(), struct.pack(">BxI", 4, 0xFFFFFFFF) + bytes(1000))


def _wrong(target: Target) -> None:
    for pdus in FAULTS.values():
        with contextlib.suppress(OSError):
            talk(target.associated(), *pdus)


def _cut(target: Target) -> None:
    with target.associated() as peer:
        peer.sendall(pdata((1, 3, command())) + pdata((1, 2, bytes(60_000)))[:30_000])
        peer.sendall(ABORT)  # within the fragment: it is data
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # and then a reset


def _endless(target: Target) -> Iterator[socket.socket]:
    """The last fragment never comes."""
    for _ in range(8):
        peer = target.associated()
        peer.sendall(pdata((1, 3, command())))
        for _ in range(40):
            peer.sendall(pdata((1, 0, bytes(100_000))))
        yield peer


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def large_request(size: int) -> bytes:
    """A whole A-ASSOCIATE-RQ of about ``size`` bytes, every item of it legal: 128 contexts full of short syntaxes."""
    each = b"".join(item(0x40, f"1.2.{n % 100}".encode()) for n in range(size // 128 // 10))
    fixed = struct.pack(">HH16s16s32x", 1, 0, b"VEIL".ljust(16), b"FLOOD".ljust(16))
    body = fixed + item(0x10, b"1.2.840.10008.3.1.1.1")
    for number in range(1, 256, 2):
        body += item(0x20, bytes((number, 0, 0, 0)) + item(0x30, b"1.2.840.10008.5.1.4.1.1.2") + each)
    body += item(0x50, item(0x51, bytes(4)) + item(0x52, b"1.2.3"))
    return struct.pack(">BxI", 1, len(body)) + body


LARGE = {size: large_request(size) for size in (64_000, 90_000, 240_000)}


def _requests(target: Target) -> None:
    for request in LARGE.values():
        target.associated(request).close()


def _unfinished(target: Target) -> Iterator[socket.socket]:
    """Five hundred requests of a quarter of a megabyte, of each of which the last byte never comes."""
    for _ in range(500):
        peer = target.connect()
        peer.sendall(LARGE[240_000][:-1])
        yield peer


def _deaf(target: Target) -> Iterator[socket.socket]:
    """C-ECHO by the thousand, and no response is ever read."""
    for _ in range(8):
        peer = target.associated(ECHO)
        _pour(peer, ECHO_RQ * 500)
        yield peer


def _half_closed(target: Target) -> Iterator[socket.socket]:
    for sent in itertools.islice(itertools.cycle([ECHO_RQ * 2000, b"", pdata((1, 3, command()))]), 12):
        peer = target.associated(ECHO)
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        yield peer


def _crumbs(target: Target) -> Iterator[socket.socket]:
    """A data set in fragments of two bytes, as fast as they are taken."""
    flood = pdata(*[(1, 0, b"ab")] * 16_000)
    for _ in range(6):
        peer = target.associated()
        peer.sendall(pdata((1, 3, command())))
        _pour(peer, flood)
        yield peer


def _pouring(target: Target, stop: Event, request: bytes, first: bytes, data: bytes) -> None:
    """Four peers that send without an end and read as fast as they can."""
    peers: list[socket.socket] = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            while len(peers) < 4:
                peers.append(target.associated(request))
                peers[-1].sendall(first)
                peers[-1].setblocking(False)
        for peer in list(peers):
            try:
                with contextlib.suppress(BlockingIOError):
                    peer.send(data)
                with contextlib.suppress(BlockingIOError):
                    if not peer.recv(1 << 16):
                        raise ConnectionResetError
            except OSError:
                peer.close()
                peers.remove(peer)
        time.sleep(0.001)
    for peer in peers:
        peer.close()


def _mismatch(target: Target) -> None:
    for port, sent in ((target.tls, associate_rq()), (target.port, CLIENT_HELLO)):
        with target.connect(port) as peer:
            peer.sendall(sent)
            peer.recv(100)


def _silent_tls(target: Target) -> Iterator[socket.socket]:
    """Connections that never begin their handshake, and one that begins and stops."""
    for n in range(target.silent // 4):
        peer = target.connect(target.tls)
        peer.sendall(CLIENT_HELLO[: 50 * (n % 2)])
        yield peer


MATRIX: dict[str, Fault] = {
    "12 drips": drips,
    "silent connections": silent,
    "lengths of 4 GiB": again(_huge),
    "wrong PDVs": again(_wrong),
    "cut off in a PDV": again(_cut),
    "the last fragment never comes": held(_endless),
    "large association requests": again(_requests),
    "large requests, never whole": held(_unfinished),
    "C-ECHO, responses never read": held(_deaf),
    "half closed": held(_half_closed),
    "fragments of two bytes": held(_crumbs),
    "C-ECHO without waiting": lambda target, stop: _pouring(target, stop, ECHO, b"", ECHO_RQ * 500),
    "fragments of two bytes, without an end": lambda target, stop: _pouring(
        target, stop, b"", pdata((1, 3, command())), pdata(*[(1, 0, b"ab")] * 8000)
    ),
    "TLS and no TLS mixed up": again(_mismatch),
    "TLS handshakes that stop": held(_silent_tls),
}
