"""RFC 5425 and RFC 5426 as a receiver sees them; a connection that did not end in order has confirmed nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.audit.chain import Position, seal
from proxy.audit.follow import Line
from proxy.audit.forward import SinkDown
from proxy.audit.sink_syslog import SyslogTls, SyslogUdp
from proxy.audit.watch import now
from proxy.config_tls import ClientTls
from proxy.service.ports import AuditEvent
from proxy.tls import tls_of
from tests.authorities import keep, leaf, trust


def lines(count: int, first: int = 1) -> list[Line]:
    made = (seal(AuditEvent("received"), Position(n - 1, "0" * 64), now(), "veil") for n in range(first, first + count))
    return [Line(position.seq, data) for data, position in made]


def frames(stream: bytes) -> list[bytes]:
    """RFC 5425 4.3, to the last byte."""
    found = []
    while stream:
        length, _, stream = stream.partition(b" ")
        found.append(stream[: int(length)])
        assert len(found[-1]) == int(length)
        stream = stream[int(length) :]
    return found


class Receiver(threading.Thread):
    """One TLS listener; ``serve`` is given each connection and what to append to."""

    def __init__(self, folder: Path, serve: Callable[[ssl.SSLSocket, list[bytes]], None]) -> None:
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*keep(folder, "siem", leaf("siem")).values())
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.serve, self.got = self.listener.getsockname()[1], serve, list[bytes]()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                with contextlib.suppress(OSError):
                    self.serve(self.context.wrap_socket(plain, server_side=True), self.got)


def politely(connection: ssl.SSLSocket, got: list[bytes]) -> None:
    """Read to the end of TLS, then end it."""
    while data := connection.recv(65536):
        got.append(data)
    with contextlib.suppress(OSError):
        connection.unwrap()
    connection.close()


def without_a_word(connection: ssl.SSLSocket, got: list[bytes]) -> None:
    """Read all, then close TCP alone, as rsyslog does."""
    while data := connection.recv(65536):
        got.append(data)
    socket.socket(fileno=connection.detach()).close()


def reset(connection: ssl.SSLSocket, got: list[bytes]) -> None:
    """Read a little and break off."""
    got.append(connection.recv(10))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket(fileno=connection.detach()).close()


def hang(connection: ssl.SSLSocket, got: list[bytes]) -> None:
    """Read nothing, for longer than anybody waits."""
    threading.Event().wait(60)
    connection.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Callable[[Callable[[ssl.SSLSocket, list[bytes]], None]], Receiver]]:
    running: list[Receiver] = []

    def start(serve: Callable[[ssl.SSLSocket, list[bytes]], None]) -> Receiver:
        running.append(Receiver(tmp_path, serve))
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        with contextlib.suppress(OSError):
            each.listener.shutdown(socket.SHUT_RDWR)
        each.listener.close()


def sink(folder: Path, port: int, signer: int = 0, patience: float = 5.0) -> SyslogTls:
    tls = tls_of(ClientTls(ca_file=trust(folder, signer)))
    return SyslogTls("127.0.0.1", port, "dicom", "host", 8192, tls, patience)


def send_and_confirm(to: SyslogTls, count: int) -> None:
    to.send(lines(count))
    to.confirm()


@pytest.mark.parametrize("serve", [politely, without_a_word])
def test_what_was_read_is_confirmed(tmp_path: Path, receiver, serve) -> None:
    there = receiver(serve)
    to = sink(tmp_path, there.port)
    for first in (1, 101, 201):
        to.send(lines(50, first))
        to.send(lines(50, first + 50))
        to.confirm()
    found = frames(b"".join(there.got))
    assert len(found) == 300
    assert [int(each.partition(b'sequenceId="')[2].partition(b'"')[0]) for each in found] == list(range(1, 301))


def test_who_has_answered_before_must_answer(tmp_path: Path, receiver) -> None:
    """A process that is killed after it has read ends TCP in order, too."""
    serving = iter([politely, without_a_word])
    to = sink(tmp_path, receiver(lambda *connection: next(serving)(*connection)).port)
    with pytest.raises(SinkDown, match="connection"):
        send_and_confirm(to, 50)


def test_who_never_answers_must_still_be_there(tmp_path: Path, receiver) -> None:
    there = receiver(lambda *connection: serving(*connection))
    seen: list[int] = []

    def serving(connection: ssl.SSLSocket, got: list[bytes]) -> None:
        seen.append(1)
        if len(seen) == 2:  # the first was empty
            there.listener.close()
        without_a_word(connection, got)

    with pytest.raises(SinkDown, match="refused"):
        send_and_confirm(sink(tmp_path, there.port), 50)


@pytest.mark.parametrize("serve", [reset, hang])
def test_a_connection_that_breaks_off_confirms_nothing(tmp_path: Path, receiver, serve) -> None:
    to = sink(tmp_path, receiver(serve).port, patience=0.5)
    with pytest.raises(SinkDown):
        send_and_confirm(to, 200)  # in time for the one or the other
    to.close()


def test_a_receiver_that_reads_nothing_is_not_waited_for(tmp_path: Path, receiver) -> None:
    to = sink(tmp_path, receiver(hang).port, patience=0.3)
    with pytest.raises(SinkDown, match="timeout"):
        send_and_confirm(to, 20_000)
    to.close()


def test_what_can_go_wrong_has_a_word(tmp_path: Path, receiver, free_port) -> None:
    with pytest.raises(SinkDown, match="refused"):
        sink(tmp_path, free_port()).send(lines(1))
    with pytest.raises(SinkDown, match="tls"):
        sink(tmp_path, receiver(politely).port, signer=1).send(lines(1))
    with pytest.raises(SinkDown, match="closed"):
        sink(tmp_path, 9).confirm()


def test_udp_a_datagram_for_each(free_port) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        to = SyslogUdp("127.0.0.1", there.getsockname()[1], "cef", "host", 8192)
        to.send(lines(3))
        to.confirm()
        found = [there.recv(65535) for _ in range(3)]
        assert [b" CEF:0|Veil|" in each for each in found] == [True] * 3
        to.abort()
        to.close()


def test_a_send_under_way_can_be_broken_off(tmp_path: Path, receiver) -> None:
    to = sink(tmp_path, receiver(hang).port, patience=30.0)
    failed = threading.Event()

    def send() -> None:
        with contextlib.suppress(SinkDown):
            send_and_confirm(to, 20_000)
        failed.set()

    threading.Thread(target=send, daemon=True).start()
    assert not failed.wait(1.0)
    to.abort()
    assert failed.wait(20.0)
