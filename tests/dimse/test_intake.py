"""However a stream of bytes is cut into reads, the same PDUs come out; the buffer grows with what has come only."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dimse.intake import Intake
from proxy.wire.dimse_pdu import ASSOCIATE_BYTES
from proxy.wire.upper_layer_table import Event

LARGEST = 5000


def head(kind: int, length: int) -> bytes:
    return struct.pack(">BxI", kind, length)


def feed(intake: Intake, data: bytes, most: int = 1 << 30) -> list[tuple[Event, bytes]]:
    """One read, in as many as the room and ``most`` make of it."""
    found, left = [], memoryview(data)
    while left:
        room = intake.room()
        size = min(len(room), len(left), most)
        assert size > 0
        room[:size] = left[:size]
        intake.filled(size)
        left = left[size:]
        while (pdu := intake.next()) is not None:
            found.append((pdu[0], bytes(pdu[1])))
    return found


PDUS = st.lists(
    st.sampled_from([0, 1, 6, 100, 4090, LARGEST - 1, LARGEST]).map(
        lambda n: head(4, n) + random.Random(n).randbytes(n)
    )
    | st.just(head(5, 4) + bytes(4))
    | st.integers(0, 9000).map(lambda n: head(1, n) + bytes(n)),
    max_size=8,
)


@given(PDUS, st.lists(st.integers(1, 7000), min_size=1, max_size=30), st.booleans())
def test_any_split_gives_the_same_pdus(pdus: list[bytes], sizes: list[int], enlarged: bool) -> None:
    intake, data, found, n = Intake(LARGEST, lambda: None), b"".join(pdus), [], 0
    if enlarged:
        intake.enlarge()
    while data:
        size = sizes[n % len(sizes)]
        found += feed(intake, data[:size])
        data, n = data[size:], n + 1
    assert [body for _, body in found] == [pdu[6:] for pdu in pdus]
    assert intake.taken == sum(map(len, pdus))
    assert not intake.partial


def test_byte_by_byte() -> None:
    intake = Intake(LARGEST, lambda: None)
    data = head(4, 10) + bytes(range(10)) + head(7, 4) + b"abcd"
    assert feed(intake, data, most=1) == [(Event.P_DATA_TF, bytes(range(10))), (Event.ABORT_PDU, b"abcd")]


def test_memory_grows_with_what_has_come_and_not_with_what_is_claimed() -> None:
    grown: list[int] = []
    intake = Intake(LARGEST, lambda: grown.append(1))
    feed(intake, head(1, ASSOCIATE_BYTES) + bytes(1000))
    assert len(intake._view) == 4096
    assert not grown
    feed(intake, bytes(4000))
    assert len(intake._view) == 8192
    assert len(grown) == 1


def test_the_longest_request_comes_out_whole() -> None:
    intake = Intake(LARGEST, lambda: None)
    body = random.Random(1).randbytes(ASSOCIATE_BYTES)
    assert feed(intake, head(1, len(body)) + body) == [(Event.ASSOCIATE_RQ, body)]
    assert len(intake._view) <= ASSOCIATE_BYTES + LARGEST


@pytest.mark.parametrize("wrong", [head(4, LARGEST + 1), head(1, ASSOCIATE_BYTES + 1), head(9, 4), head(5, 5)])
def test_after_an_invalid_pdu_nothing_is_read(wrong: bytes) -> None:
    intake = Intake(LARGEST, lambda: None)
    good = head(5, 4) + bytes(4)
    assert feed(intake, good + wrong + good * 3) == [(Event.RELEASE_RQ, bytes(4)), (Event.INVALID_PDU, b"")]
    assert feed(intake, good * 1000) == []
    assert not intake.partial


def test_closed_it_holds_nothing_and_still_has_room() -> None:
    intake = Intake(LARGEST, lambda: None)
    feed(intake, head(4, 100) + bytes(50))
    intake.close()
    assert len(intake.room()) == 1
    assert feed(intake, head(5, 4) + bytes(4)) == []
