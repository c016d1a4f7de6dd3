"""PDUs by their first six bytes, fragments within them, and the short ones; pynetdicom reads what is written."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF

from proxy.wire import dimse_pdu as wire
from proxy.wire.dimse_pdu import ASSOCIATE_BYTES, PduError, event_of, fragments, p_data_head
from proxy.wire.negotiation import Rejection
from proxy.wire.upper_layer_table import Event

LARGEST = 16384
INVALID = (Event.INVALID_PDU, 0)


def head(kind: int, length: int) -> bytes:
    return struct.pack(">BxI", kind, length)


@pytest.mark.parametrize(
    ("kind", "length", "event"),
    [
        (1, ASSOCIATE_BYTES, Event.ASSOCIATE_RQ),
        (2, 0, Event.ASSOCIATE_AC),
        (3, 4, Event.ASSOCIATE_RJ),
        (4, LARGEST, Event.P_DATA_TF),
        (5, 4, Event.RELEASE_RQ),
        (6, 4, Event.RELEASE_RP),
        (7, 4, Event.ABORT_PDU),
    ],
)
def test_known_types_of_a_length_that_is_allowed(kind: int, length: int, event: Event) -> None:
    assert event_of(head(kind, length), LARGEST) == (event, length)
    assert event_of(head(kind, 0xFFFFFFFF), LARGEST) == INVALID
    assert event_of(head(kind, length + 1), LARGEST)[0] is (event if kind == 2 else Event.INVALID_PDU)


@given(st.binary(min_size=6, max_size=6), st.integers(1024, 1 << 20))
def test_no_header_claims_more_than_is_allowed(data: bytes, largest: int) -> None:
    event, length = event_of(data, largest)
    assert length <= max(largest, ASSOCIATE_BYTES)
    assert (event, length) == INVALID or length == struct.unpack(">I", data[2:])[0]


PARTS = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3), st.binary(max_size=40)), min_size=1, max_size=5)


def pack(parts: list[tuple[int, int, bytes]]) -> bytes:
    return b"".join(struct.pack(">IBB", len(data) + 2, context, control) + data for context, control, data in parts)


@given(PARTS)
def test_fragments_are_found_as_they_were_packed(parts: list[tuple[int, int, bytes]]) -> None:
    assert [(c, k, bytes(d)) for c, k, d in fragments(memoryview(pack(parts)))] == parts


@given(PARTS, st.data())
def test_cut_off_they_are_fewer_or_an_error(parts: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    body = pack(parts)
    size = data.draw(st.integers(0, len(body) - 1))
    found = []
    try:
        for context, control, piece in fragments(memoryview(body[:size])):
            found.append((context, control, bytes(piece)))
    except PduError:
        assert found == parts[: len(found)]
    else:
        assert 0 < len(found) < len(parts)


@given(st.binary(max_size=64))
def test_any_bytes_are_fragments_within_them_or_an_error(body: bytes) -> None:
    try:
        total = sum(len(data) + 6 for _, _, data in fragments(memoryview(body)))
    except PduError:
        return
    assert total == len(body) > 0


def test_pynetdicom_reads_the_head_of_a_fragment() -> None:
    theirs = P_DATA_TF()
    theirs.decode(p_data_head(5, wire.LAST, 100) + bytes(100))
    (item,) = theirs.presentation_data_value_items
    assert (item.presentation_context_id, item.message_control_header_byte) == (5, "00000010")
    assert item.presentation_data_value == b"\x02" + bytes(100)


@pytest.mark.parametrize(
    ("ours", "kind"),
    [(wire.RELEASE_RQ, A_RELEASE_RQ), (wire.RELEASE_RP, A_RELEASE_RP), (wire.ABORT_BY_USER, A_ABORT_RQ)],
)
def test_the_short_ones_are_those_of_pynetdicom(ours: bytes, kind: type) -> None:
    theirs = kind()
    theirs.decode(ours)
    if kind is A_ABORT_RQ:
        assert (theirs.source, theirs.reason_diagnostic) == (0, 0)
        theirs.decode(wire.ABORT_BY_PROVIDER)
        assert (theirs.source, theirs.reason_diagnostic) == (2, 6)  # PS3.8 9.3.8: invalid PDU parameter value
    else:
        assert theirs.encode() == ours


def test_a_rejection_there_and_back() -> None:
    data = wire.reject(Rejection(2, 3, 1))
    theirs = A_ASSOCIATE_RJ()
    theirs.decode(data)
    assert (theirs.result, theirs.source, theirs.reason_diagnostic) == (2, 3, 1)
    assert wire.rejection_in(memoryview(data)[6:]) == Rejection(2, 3, 1)
