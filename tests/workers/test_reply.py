"""A reply comes back as it went; nonsense from a worker is a `ProtocolError`, leaks no descriptor, runs no code."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.deid.made_by import Device
from proxy.deid.types import Claimed, Original, Report, Slice
from proxy.deid.verify import Release
from proxy.errors import Reason
from proxy.service.ports import Held, Released
from proxy.workers import protocol
from proxy.workers.protocol import Job, ProtocolError
from proxy.workers.reply import SPILL, Reply, receive_reply, send_reply

ORIGINAL = Original("1.2.3", "1.2.4", "1.2.5", "1.2.6")
REPORT = Report("1", "2", "CT", "P", "3", "4", "5", "2000", "d", 1, {"kept": 3}, ("113100",))
RELEASE = Release(7, b"nonce", b"tag")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    before = set(os.listdir("/proc/self/fd"))
    with ours, theirs:
        ours.settimeout(5)
        yield ours, theirs
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "verdict",
    [
        Held(Reason.TOO_DEEP, "40", ORIGINAL, 1.5),
        Held(Reason.NOT_DICOM),
        Held(Reason.BURNED_IN, device=Device("Acme", "Scanner", "US", "1.2.3")),
        Released(RELEASE, (b"a", Slice(3, 4), b"b"), ORIGINAL, REPORT, 2.5),
        Released(RELEASE, (b"x" * SPILL, b"small", b"y" * (SPILL + 1)), ORIGINAL, REPORT, 2.5),
    ],
)
def test_round_trip(pair: tuple[socket.socket, socket.socket], verdict: Held | Released) -> None:
    ours, theirs = pair
    send_reply(theirs, Reply(verdict, 4096))
    assert receive_reply(ours, 1 << 30) == Reply(verdict, 4096)


def released(*chunks: object) -> tuple[object, ...]:
    report = {name: getattr(REPORT, name) for name in Report.__dataclass_fields__}
    return (1, "released", (("a", 7, b"m"), list(chunks), ("1", "2", "3", "4"), report, 1.0))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, "held", ("no-such-reason", "", None, 0.0)),
        (1, "held", ("not-dicom", "", ("too", "few"), 0.0)),
        (1, "else", ()),
        (1, "released", (("a", 7, b"m"), [], None, {}, 1.0)),
        released(("file", 0, 10)),
        released(("slice", 0)),
        Reason.NOT_DICOM,
        REPORT,
        os.system,
    ],
)
def test_nonsense(pair: tuple[socket.socket, socket.socket], value: object) -> None:
    ours, theirs = pair
    protocol.send(theirs, value)
    with pytest.raises(ProtocolError):
        receive_reply(ours, 1 << 30)


def memfd(size: int) -> int:
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.write(fd, bytes(size))
    return fd


@pytest.mark.parametrize("run", [(0, 101), (50, 51), (-1, 5), (0, 1 << 60), (0, "5")])
def test_a_chunk_beyond_its_file(pair: tuple[socket.socket, socket.socket], run: tuple[object, object]) -> None:
    ours, theirs = pair
    fd = memfd(100)
    protocol.send(theirs, released(("file", *run)), fd)
    os.close(fd)
    with pytest.raises(ProtocolError):
        receive_reply(ours, 1 << 30)


def test_more_than_a_worker_can_have_made(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    fd = memfd(100)
    protocol.send(theirs, released(("file", 0, 100)), fd)
    os.close(fd)
    with pytest.raises(ProtocolError):
        receive_reply(ours, 99)


def test_a_descriptor_that_could_still_change(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    fd = memfd(100)
    with mmap.mmap(fd, 100):
        protocol.send(theirs, released(("file", 0, 100)), fd)
        with pytest.raises(ProtocolError):
            receive_reply(ours, 1 << 30)
    os.close(fd)
    for other in os.pipe():
        protocol.send(theirs, released(("file", 0, 1)), other)
        os.close(other)
        with pytest.raises(ProtocolError):
            receive_reply(ours, 1 << 30)


def test_an_endless_frame_is_not_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack(">Q", protocol.MAX_FRAME + 1))
    with pytest.raises(ProtocolError):
        receive_reply(ours, 1 << 30)


def test_nothing_follows_a_frame(pair: tuple[socket.socket, socket.socket]) -> None:
    """Who asks waits for the answer: a second frame that is there already answers nothing that was asked."""
    ours, theirs = pair
    frame = pickle.dumps((1, "held", ("not-dicom", "", None, 0.0, None)))
    whole = struct.pack(">Q", len(frame)) + frame
    theirs.sendall(whole)
    assert receive_reply(ours, 1 << 30).resident == 1
    theirs.sendall(whole + whole)
    with pytest.raises(ProtocolError):
        receive_reply(ours, 1 << 30)


@pytest.mark.parametrize("length", [0, 1, 64 << 10, (64 << 10) - 8, 3 << 20])
def test_frames_of_every_length_come_whole(pair: tuple[socket.socket, socket.socket], length: int) -> None:
    ours, theirs = pair
    value, fd = b"x" * length, memfd(1)
    sender = threading.Thread(target=protocol.send, args=(theirs, value, fd))
    sender.start()
    found, other = protocol.receive(ours, plain=True)
    sender.join()
    assert found == value
    assert os.fstat(other).st_ino == os.fstat(fd).st_ino
    os.close(fd)
    os.close(other)


def test_a_job_comes_as_it_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    for job in (Job("p", Claimed("1", "2", "3"), 4), Job("p", Claimed(), 5, describing=True, passing=False)):
        protocol.send(theirs, job)
        assert protocol.receive(ours, plain=False) == (job, -1)


@pytest.mark.parametrize("sent", [b"", b"\0\0\0", struct.pack(">Q", 10) + b"abc"])
def test_a_worker_that_ends_in_the_middle(pair: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ours, theirs = pair
    fd = memfd(1)
    if sent:
        socket.send_fds(theirs, [sent], [fd])
    os.close(fd)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        receive_reply(ours, 1 << 30)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda b: pickle.dumps((1, "held", b))[:-5] + b)))
def test_no_bytes_of_a_worker_do_anything_but_fail(body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack(">Q", len(body)) + body)
        theirs.shutdown(socket.SHUT_WR)
        try:
            reply = receive_reply(ours, 1 << 20)
        except ProtocolError:
            return
        assert isinstance(reply.verdict, Held | Released)
