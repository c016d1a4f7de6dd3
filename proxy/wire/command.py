"""DIMSE command sets (PS3.7 6.3, E.1): implicit VR little endian, group 0000, a dozen short elements.

Decoded into values by keyword and encoded again; elements that PS3.7 E.1 does not name are passed over. A parser for
data sets would cost ten times as much for each instance. Pure; what is no command set raises `CommandError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

Value = int | str | tuple[int, ...] | tuple[str, ...]

C_STORE_RQ, C_GET_RQ, C_FIND_RQ, C_MOVE_RQ, C_ECHO_RQ = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030
N_EVENT_REPORT_RQ, N_GET_RQ, N_SET_RQ = 0x0100, 0x0110, 0x0120
N_ACTION_RQ, N_CREATE_RQ, N_DELETE_RQ = 0x0130, 0x0140, 0x0150
C_CANCEL_RQ, RESPONSE = 0x0FFF, 0x8000

#: (0000,0800) of a message that has no data set
NO_DATA_SET = 0x0101

_REQUESTS = (C_STORE_RQ, C_GET_RQ, C_FIND_RQ, C_MOVE_RQ, C_ECHO_RQ, N_EVENT_REPORT_RQ, N_GET_RQ, N_SET_RQ)
_FIELDS = frozenset(
    field | kind for field in (*_REQUESTS, N_ACTION_RQ, N_CREATE_RQ, N_DELETE_RQ) for kind in (0, RESPONSE)
) | {C_CANCEL_RQ}

#: PS3.7 E.1: element number → VR, keyword
_ELEMENTS: dict[int, tuple[str, str]] = {
    0x0002: ("UI", "AffectedSOPClassUID"),
    0x0003: ("UI", "RequestedSOPClassUID"),
    0x0100: ("US", "CommandField"),
    0x0110: ("US", "MessageID"),
    0x0120: ("US", "MessageIDBeingRespondedTo"),
    0x0600: ("AE", "MoveDestination"),
    0x0700: ("US", "Priority"),
    0x0800: ("US", "CommandDataSetType"),
    0x0900: ("US", "Status"),
    0x0901: ("AT", "OffendingElement"),
    0x0902: ("LO", "ErrorComment"),
    0x0903: ("US", "ErrorID"),
    0x1000: ("UI", "AffectedSOPInstanceUID"),
    0x1001: ("UI", "RequestedSOPInstanceUID"),
    0x1002: ("US", "EventTypeID"),
    0x1005: ("AT", "AttributeIdentifierList"),
    0x1008: ("US", "ActionTypeID"),
    0x1020: ("US", "NumberOfRemainingSuboperations"),
    0x1021: ("US", "NumberOfCompletedSuboperations"),
    0x1022: ("US", "NumberOfFailedSuboperations"),
    0x1023: ("US", "NumberOfWarningSuboperations"),
    0x1030: ("AE", "MoveOriginatorApplicationEntityTitle"),
    0x1031: ("US", "MoveOriginatorMessageID"),
}
_NUMBER_OF = {keyword: (number, vr) for number, (vr, keyword) in _ELEMENTS.items()}
_HEADER = struct.Struct("<HHI")
_U16 = struct.Struct("<H")
_PAD = {"UI": "\0", "AE": " ", "LO": " "}

#: which SOP class and instance a response names again, by those of its request (PS3.7 10.3)
_ECHOED = (
    ("AffectedSOPClassUID", "AffectedSOPClassUID"),
    ("AffectedSOPInstanceUID", "AffectedSOPInstanceUID"),
    ("RequestedSOPClassUID", "AffectedSOPClassUID"),
    ("RequestedSOPInstanceUID", "AffectedSOPInstanceUID"),
    ("EventTypeID", "EventTypeID"),
    ("ActionTypeID", "ActionTypeID"),
)


class CommandError(ValueError):
    """The bytes are no command set, or one that PS3.7 does not know. The words carry no value."""


class Command(Mapping[str, Value]):
    """One command set, by keyword. Immutable."""

    __slots__ = ("_values", "field")

    def __init__(self, field: int, **elements: Value) -> None:
        """``field``: (0000,0100); ``elements`` by keyword, those of PS3.7 E.1 only."""
        self.field = field
        self._values: dict[str, Value] = elements

    def __getitem__(self, keyword: str) -> Value:
        return self._values[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def message_id(self) -> int:
        """(0000,0110) of a request."""
        return self.number("MessageID")

    @property
    def responding_to(self) -> int:
        """(0000,0120) of a response, or of a C-CANCEL."""
        return self.number("MessageIDBeingRespondedTo", -1)

    @property
    def status(self) -> int:
        """(0000,0900) of a response; -1 where it is missing."""
        return self.number("Status", -1)

    @property
    def has_data(self) -> bool:
        """Whether a data set follows."""
        return self.number("CommandDataSetType", NO_DATA_SET) != NO_DATA_SET

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return bool(self.field & RESPONSE)

    def text(self, keyword: str) -> str:
        """A UID, AE title or text; "" where it is missing."""
        value = self._values.get(keyword, "")
        return value if isinstance(value, str) else ""

    def number(self, keyword: str, default: int = 0) -> int:
        """A number, the first of several."""
        value = self._values.get(keyword, default)
        if isinstance(value, tuple):
            value = value[0] if value else default
        return value if isinstance(value, int) else default

    def response(self, status: int, **elements: Value) -> Command:
        """The command set that answers this request."""
        echoed = {to: self._values[of] for of, to in _ECHOED if of in self._values}
        answer: dict[str, Value] = {**echoed, "MessageIDBeingRespondedTo": self.message_id, "Status": status}
        return Command(self.field | RESPONSE, **(answer | elements))

    def encode(self, has_data: bool) -> bytes:
        """The bytes, with their group length; ``has_data``: whether a data set follows."""
        values: dict[str, Value] = self._values | {"CommandField": self.field}
        # PS3.7 9.3: any value but 0101 says that there is one; DCMTK writes 1, older peers look for 0
        values["CommandDataSetType"] = 1 if has_data else NO_DATA_SET
        numbered = sorted((*_NUMBER_OF[keyword], value) for keyword, value in values.items())
        body = b"".join(_encoded(number, vr, value) for number, vr, value in numbered)
        return _HEADER.pack(0, 0, 4) + struct.pack("<I", len(body)) + body

    @classmethod
    def parse(cls, data: bytes) -> Command:
        """Read a whole command set; raises `CommandError`."""
        values: dict[str, Value] = {}
        at, end = 0, len(data)
        while at < end:
            if at + 8 > end:
                raise CommandError("a command element is cut off")
            group, number, length = _HEADER.unpack_from(data, at)
            at += 8
            if group != 0 or at + length > end:
                raise CommandError("a command element is not of group 0000, or is cut off")
            if number in _ELEMENTS:
                vr, keyword = _ELEMENTS[number]
                values[keyword] = _decoded(vr, data[at : at + length])
            at += length
        field = values.pop("CommandField", None)
        if not isinstance(field, int) or field not in _FIELDS:
            raise CommandError("(0000,0100) is missing or unknown")
        return cls(field, **values)


def _encoded(number: int, vr: str, value: Value) -> bytes:
    if isinstance(value, str):
        raw = value.encode("ascii")
        raw += _PAD[vr].encode() * (len(raw) % 2)
    else:
        many = value if isinstance(value, tuple) else (value,)
        raw = b"".join(_number(vr, each) for each in many if isinstance(each, int))
    return _HEADER.pack(0, number, len(raw)) + raw


def _number(vr: str, value: int) -> bytes:
    return _U16.pack(value) if vr == "US" else _U16.pack(value >> 16) + _U16.pack(value & 0xFFFF)


def _decoded(vr: str, raw: bytes) -> Value:
    if vr == "LO":
        return raw.decode("ascii", "replace").strip(" \0")  # a comment that is not ASCII is no reason to give up
    if vr == "LO":  # (0000,0902) only: words for people, which no peer shall fail by
        return raw.decode("ascii", "replace").strip(" \0")
    if vr in _PAD:
        try:
            return raw.decode("ascii").strip(" \0")
        except UnicodeDecodeError:
            raise CommandError("a command element is not ASCII") from None
    size = 2 if vr == "US" else 4
    if len(raw) % size:
        raise CommandError("a number in the command set has a wrong length")
    words = struct.unpack(f"<{len(raw) // 2}H", raw)
    if vr == "AT":
        words = tuple(words[i] << 16 | words[i + 1] for i in range(0, len(words), 2))
    return words[0] if len(words) == 1 else words
