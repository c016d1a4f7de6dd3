"""Command sets: there and back, and against pynetdicom's encoder; what is none says so and nothing else."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pynetdicom import dimse_messages
from pynetdicom.dsutils import encode

from proxy.wire.command import (
    _ELEMENTS,
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_FIND_RQ,
    C_MOVE_RQ,
    C_STORE_RQ,
    N_ACTION_RQ,
    N_EVENT_REPORT_RQ,
    N_GET_RQ,
    RESPONSE,
    Command,
    CommandError,
)

UID = "1.2.840.10008.5.1.4.1.1.2"
REQUESTS: dict[str, Command] = {
    "C_STORE_RQ": Command(
        C_STORE_RQ,
        MessageID=7,
        Priority=2,
        AffectedSOPClassUID=UID,
        AffectedSOPInstanceUID="1.2.3",
        MoveOriginatorApplicationEntityTitle="ODD",
        MoveOriginatorMessageID=65535,
    ),
    "C_ECHO_RQ": Command(C_ECHO_RQ, MessageID=1, AffectedSOPClassUID="1.2.840.10008.1.1"),
    "C_FIND_RQ": Command(C_FIND_RQ, MessageID=1, Priority=0, AffectedSOPClassUID=UID),
    "C_MOVE_RQ": Command(C_MOVE_RQ, MessageID=1, Priority=0, AffectedSOPClassUID=UID, MoveDestination="THERE"),
    "C_CANCEL_RQ": Command(C_CANCEL_RQ, MessageIDBeingRespondedTo=3),
    "C_MOVE_RSP": Command(
        C_MOVE_RQ | RESPONSE,
        MessageIDBeingRespondedTo=3,
        Status=0xFF00,
        NumberOfRemainingSuboperations=4,
        NumberOfCompletedSuboperations=3,
        NumberOfFailedSuboperations=2,
        NumberOfWarningSuboperations=0,
    ),
    "C_STORE_RSP": Command(
        C_STORE_RQ | RESPONSE,
        MessageIDBeingRespondedTo=3,
        Status=0xA900,
        OffendingElement=(0x00100010, 0x7FE00010),
        ErrorComment="odd",
    ),
    "N_ACTION_RQ": Command(
        N_ACTION_RQ, MessageID=1, RequestedSOPClassUID=UID, RequestedSOPInstanceUID="1.2.3.4", ActionTypeID=1
    ),
    "N_EVENT_REPORT_RQ": Command(
        N_EVENT_REPORT_RQ, MessageID=1, AffectedSOPClassUID=UID, AffectedSOPInstanceUID="1.2", EventTypeID=2
    ),
    "N_GET_RQ": Command(
        N_GET_RQ,
        MessageID=1,
        RequestedSOPClassUID=UID,
        RequestedSOPInstanceUID="1.2",
        AttributeIdentifierList=(0x00080005, 0x00400100),
    ),
}


def theirs(data: bytes) -> Dataset:
    return read_dataset(BytesIO(data), True, True)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("has_data", [True, False])
def test_pydicom_reads_what_we_write(name: str, has_data: bool) -> None:
    command = REQUESTS[name]
    data = command.encode(has_data)
    elements = theirs(data)
    assert elements.CommandGroupLength == len(data) - 12
    assert elements.CommandField == command.field
    assert (elements.CommandDataSetType != 0x0101) is has_data
    assert [e.tag for e in elements] == sorted(e.tag for e in elements)
    for keyword, value in command.items():
        theirs_is = elements[keyword].value
        assert (tuple(theirs_is) if isinstance(value, tuple) else theirs_is) == value
    assert len(data) % 2 == 0


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "N_GET_RQ"])
def test_we_read_what_pynetdicom_writes(name: str) -> None:
    command = REQUESTS[name]
    message = getattr(dimse_messages, name)()
    message.command_set.CommandField = command.field
    message.command_set.CommandDataSetType = 0x0101
    for keyword, value in command.items():
        setattr(message.command_set, keyword, list(value) if isinstance(value, tuple) else value)
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    found = Command.parse(encoded)
    assert found.field == command.field
    assert not found.has_data
    assert {keyword: found[keyword] for keyword in command} == dict(command)


NUMBERS = st.integers(0, 0xFFFF)
VALUES = {
    "US": NUMBERS | st.lists(NUMBERS, min_size=2, max_size=4).map(tuple),
    "AT": st.integers(0, 0xFFFFFFFF) | st.lists(st.integers(0, 0xFFFFFFFF), min_size=2, max_size=4).map(tuple),
    "UI": st.text("0123456789.", max_size=64),
    "AE": st.text("ABC xyz", max_size=16).map(str.strip),
    "LO": st.text("ABC xyz", max_size=64).map(str.strip),
}
KEYWORDS = {keyword: vr for vr, keyword in _ELEMENTS.values() if keyword not in ("CommandField", "CommandDataSetType")}


@given(
    st.sampled_from([C_STORE_RQ, C_FIND_RQ, N_ACTION_RQ, C_ECHO_RQ | RESPONSE]),
    st.fixed_dictionaries({}, optional={keyword: VALUES[vr] for keyword, vr in KEYWORDS.items()}),
    st.booleans(),
)
def test_there_and_back(field: int, values: dict[str, int | str], has_data: bool) -> None:
    found = Command.parse(Command(field, **values).encode(has_data))
    assert (found.field, found.has_data) == (field, has_data)
    assert {keyword: found[keyword] for keyword in values} == values


@pytest.mark.parametrize("name", REQUESTS)
def test_cut_off_anywhere_it_is_no_command_or_a_shorter_one(name: str) -> None:
    data = REQUESTS[name].encode(True)
    for size in range(len(data)):
        try:
            assert set(Command.parse(data[:size])) <= {*REQUESTS[name], "CommandDataSetType"}
        except CommandError:
            continue


@given(st.binary(max_size=80))
def test_any_bytes_are_a_command_or_a_command_error(data: bytes) -> None:
    with contextlib.suppress(CommandError):
        assert Command.parse(REQUESTS["C_ECHO_RQ"].encode(False) + data).field


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


STORE_FIELD = element(0x0100, b"\x01\x00")


def test_a_data_set_is_announced_by_anything_but_0101() -> None:
    assert Command.parse(STORE_FIELD + element(0x0800, b"\x00\x00")).has_data
    assert not Command.parse(STORE_FIELD + element(0x0800, b"\x01\x01")).has_data
    assert not Command.parse(STORE_FIELD).has_data


def test_elements_that_no_standard_names_are_passed_over() -> None:
    retired = element(0x0200, b"AE  ") + element(0x5110, b"x")
    assert dict(Command.parse(STORE_FIELD + retired)) == {}


@pytest.mark.parametrize(
    "data", [b"", element(0x0110, b"\x01\x00"), element(0x0100, b""), element(0x0100, b"\x77\x77")]
)
def test_without_a_known_command_field_it_is_none(data: bytes) -> None:
    with pytest.raises(CommandError, match="0000,0100"):
        Command.parse(data)


def test_an_empty_number_is_missing_and_a_foreign_comment_is_no_reason_to_give_up() -> None:
    comment = element(0x0902, "zu groß".encode("latin-1") + b" ")
    found = Command.parse(STORE_FIELD + element(0x0901, b"") + element(0x0110, b"") + comment)
    assert found.message_id == 0
    assert found.text("ErrorComment") == "zu gro�"


def test_a_uid_that_is_not_ascii_is() -> None:
    with pytest.raises(CommandError, match="ASCII"):
        Command.parse(STORE_FIELD + element(0x1000, "ö".encode()))


def test_a_response_names_what_it_answers() -> None:
    answer = REQUESTS["C_STORE_RQ"].response(0xA700, ErrorComment="no")
    assert dict(answer) == {
        "AffectedSOPClassUID": UID,
        "AffectedSOPInstanceUID": "1.2.3",
        "MessageIDBeingRespondedTo": 7,
        "Status": 0xA700,
        "ErrorComment": "no",
    }
    assert answer.field == 0x8001
    assert answer.is_response
    assert (answer.responding_to, answer.status, answer.message_id) == (7, 0xA700, 0)
    action = REQUESTS["N_ACTION_RQ"].response(0)
    assert (action.text("AffectedSOPInstanceUID"), action.number("ActionTypeID")) == ("1.2.3.4", 1)
    assert "RequestedSOPClassUID" not in action


def test_what_is_missing_has_a_value_that_nothing_else_has() -> None:
    nothing = Command(C_ECHO_RQ)
    assert (nothing.status, nothing.responding_to, nothing.message_id) == (-1, -1, 0)
    assert (nothing.text("Status"), nothing.number("ErrorComment", 9)) == ("", 9)
    assert REQUESTS["C_STORE_RSP"].number("OffendingElement") == 0x00100010
