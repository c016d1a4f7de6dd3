"""Peers that break the protocols themselves: garbage, half-closed and abandoned connections, multipart that is none."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.system.harness import Site
from tests.system.modality import (
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Modality,
    Refused,
    associate_rq,
    p_data,
    split,
    store_rq,
)
from tests.system.planting import fresh
from tests.system.stow import CONTENT_TYPE, multipart, post
from tests.system.watch import Memory

MIB = 1 << 20
CT = "1.2.840.10008.5.1.4.1.1.2"
ALLOWANCE = 64 * MIB
BOUNDARY = b"--system-test-boundary"


@pytest.fixture
def untouched(able: Site) -> Iterator[Site]:
    """Nothing was received, so nothing may be held and nothing stored, and it must not cost memory."""
    able.drain()
    before = able.held(), able.archived().keys()
    with Memory(able.pid) as memory:
        yield able
    able.drain()
    assert (able.held(), able.archived().keys()) == before
    assert memory.peak - memory.before < ALLOWANCE


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def read_to_end(peer: socket.socket) -> bytes:
    """What the peer says until it closes; it must close."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65536):
            said += piece
    return said


# ---- DIMSE ----

ASSOCIATE = associate_rq([(CT, [EXPLICIT])])


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: veil\r\n\r\n",
        bytes(range(256)) * 64,
        struct.pack(">BBI", 1, 0, 0xFFFFFFF0) + b"x" * 1000,
        struct.pack(">BBI", 1, 0, 0),
        struct.pack(">BBI", 9, 0, 4) + b"abcd",
        p_data(1, 3, store_rq(CT, "1.2.3")),
        ASSOCIATE[:50],
        ASSOCIATE[:-30],
        ASSOCIATE[:6] + b"\xff" * (len(ASSOCIATE) - 6),
    ],
    ids=["http", "noise", "4 GiB PDU", "empty", "no such PDU", "data first", "a third", "nearly", "garbled"],
)
def test_something_else_than_an_association_is_asked_for(untouched: Site, sent: bytes) -> None:
    with connected(untouched.dimse_port) as peer:
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        read_to_end(peer)


def half_a_store(site: Site, parts: int = 1) -> Modality:
    """An association in the middle of a C-STORE."""
    one = fresh()
    modality = Modality(site.dimse_port, [(CT, [EXPLICIT])])
    modality.socket.sendall(p_data(1, 3, store_rq(CT, one.sop_instance_uid)))
    dataset = split(one.part10)[3]
    for number in range(parts):
        modality.socket.sendall(p_data(1, 0, dataset[number * 8000 : number * 8000 + 8000]))
    return modality


def test_the_sender_vanishes_within_a_data_set(untouched: Site) -> None:
    for _ in range(20):
        half_a_store(untouched).socket.close()


def test_the_sender_resets_within_a_pdu(untouched: Site) -> None:
    for _ in range(20):
        modality = half_a_store(untouched)
        modality.socket.sendall(p_data(1, 0, bytes(10000))[:5000])
        modality.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        modality.socket.close()


def test_the_sender_closes_its_half(untouched: Site) -> None:
    modality = half_a_store(untouched)
    modality.socket.shutdown(socket.SHUT_WR)
    read_to_end(modality.socket)
    modality.socket.close()


def test_the_sender_releases_within_a_data_set(untouched: Site) -> None:
    with half_a_store(untouched) as modality:
        modality.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
        read_to_end(modality.socket)


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 0xFFFFFFFF, 1, 0),
        struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 1, 1, 0),
        struct.pack(">BBI", 4, 0, 0),
        struct.pack(">BBI", 4, 0, 0x7FFFFFFF) + bytes(1000),
        p_data(77, 0, bytes(100)),
        p_data(1, 3, b"\xff" * 100),
        p_data(1, 1, bytes(200_000)),
        ASSOCIATE,
    ],
    ids=[
        "long value",
        "short value",
        "no value",
        "2 GiB PDU",
        "context",
        "command",
        "long command",
        "associates again",
    ],
)
def test_nonsense_within_a_data_set_ends_the_association(untouched: Site, pdu: bytes) -> None:
    with half_a_store(untouched) as modality:
        modality.socket.sendall(pdu)
        modality.socket.shutdown(socket.SHUT_WR)
        read_to_end(modality.socket)


def test_an_unknown_called_ae_is_rejected(untouched: Site) -> None:
    with pytest.raises(Refused, match="PDU 3 010107"):
        Modality(untouched.dimse_port, [(VERIFICATION, [IMPLICIT])], called="NOBODY")


def test_senders_that_say_nothing_are_bounded_and_thrown_out(untouched: Site) -> None:
    silent = [connected(untouched.dimse_port) for _ in range(20)]
    held: list[Modality] = []
    try:
        with contextlib.suppress(Refused, OSError):
            while len(held) < 20:
                held.append(half_a_store(untouched))
        assert len(held) == 9, "of the configured 12, what one address may hold"
        for peer in [*silent, *(modality.socket for modality in held)]:
            read_to_end(peer)  # a time-out of ours fails the test; dimse.idle_seconds is 5
    finally:
        for peer in [*silent, *(modality.socket for modality in held)]:
            peer.close()


# ---- DICOMweb ----


@pytest.mark.parametrize(
    ("content_type", "body", "statuses"),
    [
        ("multipart/related; type=\"application/dicom\"", multipart([b"x"]), {400}),
        ("text/plain", b"hello", {415}),
        ("application/dicom", b"hello", {415}),
        ("multipart/related; type=\"text/html\"; boundary=b", b"--b\r\n\r\n[]\r\n--b--", {415}),
        ("multipart/related; type=\"application/dicom+json\"; boundary=b", b"--b\r\n\r\n[]\r\n--b--", {409}),
        (";;;", b"", {400, 415}),
        (CONTENT_TYPE, b"", {400}),
        (CONTENT_TYPE, b"no boundary in here", {400}),
        (CONTENT_TYPE, BOUNDARY + b"--\r\n", {400}),
        (CONTENT_TYPE, multipart([b"abc"])[:-30], {400}),
        (CONTENT_TYPE, BOUNDARY + b"\r\n" + b"X: y\r\n" * 200_000 + b"\r\nx", {400}),
        (CONTENT_TYPE, BOUNDARY + b"\r\n" + b"X" * 2_000_000, {400}),
        (CONTENT_TYPE, BOUNDARY + b"\r\nContent-Type: text/html\r\n\r\n<html>\r\n" + BOUNDARY + b"--", {409}),
    ],
    ids=["no boundary", "text", "single part", "HTML", "JSON of nothing", "no type", "empty", "no parts",
         "only an end", "cut off", "many headers", "long header", "another type"],
)  # fmt: skip
def test_a_body_that_is_no_store_request(untouched: Site, content_type: str, body: bytes, statuses: set[int]) -> None:
    answer = post(untouched.http_port, body, content_type)
    assert answer.status in statuses, answer
    assert b"Traceback" not in answer.body


def test_very_many_empty_parts(able: Site) -> None:
    body = (BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n\r\n") * 3000 + BOUNDARY + b"--"
    with Memory(able.pid) as memory:
        answer = post(able.http_port, body)
    assert answer.status in (400, 409)
    assert memory.peak - memory.before < ALLOWANCE


def raw_post(site: Site, headers: bytes, body: bytes) -> bytes:
    """Send a request as it stands, close our half, return what comes back."""
    head = b"POST /dicomweb/research/studies HTTP/1.1\r\nHost: veil\r\nContent-Type: " + CONTENT_TYPE.encode()
    with connected(site.http_port) as peer:
        peer.sendall(head + b"\r\n" + headers + b"\r\n\r\n" + body)
        peer.shutdown(socket.SHUT_WR)
        return read_to_end(peer)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 100000", multipart([b"abc"])[:-30]),
        (b"Content-Length: 99999999999999999999999", multipart([b"abc"])),
        (b"Content-Length: minus one", multipart([b"abc"])),
        (b"Transfer-Encoding: chunked", b"zz\r\n" + multipart([b"abc"])),
        (b"Transfer-Encoding: chunked", b"ffffffffffffffff\r\n" + multipart([b"abc"])[:-30]),
        (b"Transfer-Encoding: chunked", b"5\r\nab"),
        (b"Content-Length: 5\r\nContent-Encoding: gzip", b"\x1f\x8b\x08\0\0"),
    ],
    ids=["too long", "far too long", "no number", "no chunk", "huge chunk", "cut chunk", "gzip"],
)
def test_a_request_that_is_not_framed_as_it_says(untouched: Site, headers: bytes, body: bytes) -> None:
    answer = raw_post(untouched, headers, body)
    assert b"Traceback" not in answer
    assert not answer or answer.split()[1][:1] == b"4", answer[:200]


def test_uploads_that_are_abandoned(untouched: Site) -> None:
    body = multipart([fresh().part10])
    for cut in range(1, 20):
        with connected(untouched.http_port) as peer:
            head = f"POST /dicomweb/research/studies HTTP/1.1\r\nHost: v\r\nContent-Type: {CONTENT_TYPE}\r\n"
            peer.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) * cut // 20])
