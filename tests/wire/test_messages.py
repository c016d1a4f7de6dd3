"""Messages survive being cut into fragments of any size; fragments that make none are an error and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.command import C_ECHO_RQ, C_STORE_RQ, Command
from proxy.wire.dimse_pdu import COMMAND, LAST, fragments
from proxy.wire.messages import COMMAND_SET_BYTES, Assembler, MessageError, Sink, split

ECHO = Command(C_ECHO_RQ, MessageID=1, AffectedSOPClassUID="1.2.840.10008.1.1")
STORE = Command(C_STORE_RQ, MessageID=2, AffectedSOPClassUID="1.2", AffectedSOPInstanceUID="1.3")


class Heard:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, int, bytes | None]] = []
        self.ended = 0
        self._data: bytearray | None = None

    def begin(self, context: int, command: Command) -> Sink | None:
        self._data = bytearray() if command.has_data else None
        self._head = (context, command.message_id)
        return self if command.has_data else None

    def write(self, data: memoryview) -> None:
        assert self._data is not None
        self._data += data

    def end(self) -> None:
        self.ended += 1
        self.messages.append((*self._head, None if self._data is None else bytes(self._data)))


def pdus(context: int, command: bool, data: bytes, largest: int) -> list[tuple[int, int, bytes]]:
    """The fragments of what `split` makes, each of which is in a PDU of its own that is not too long."""
    parts = list(split(context, command, memoryview(data), largest))
    found = []
    for head, part in zip(parts[::2], parts[1::2], strict=True):
        assert len(head) == 12
        assert 6 + len(part) == int.from_bytes(head[2:6], "big") <= largest
        found += [(c, k, bytes(d)) for c, k, d in fragments(memoryview(bytes(head[6:]) + bytes(part)))]
    return found


@given(st.binary(max_size=300), st.integers(8, 100))
def test_a_message_in_fragments_of_any_size(data: bytes, largest: int) -> None:
    heard = Heard()
    assembler = Assembler(heard)
    for fragment in (
        *pdus(1, True, ECHO.encode(False), largest),
        *pdus(3, True, STORE.encode(True), largest),
        *pdus(3, False, data, largest),
    ):
        context, control, part = fragment
        assert len(part) % 2 == 0 or control & LAST
        assembler.feed(context, control, memoryview(part))
    assert heard.messages == [(1, 1, None), (3, 2, data)]
    assert not assembler.midway


def test_only_the_last_fragment_says_so() -> None:
    controls = [control for _, control, _ in pdus(1, False, bytes(100), 30)]
    assert controls == [0] * (len(controls) - 1) + [LAST]
    parts = list(split(1, False, memoryview(bytes(100)), 30, last=False))
    assert {head[11] for head in parts[::2]} == {0}


def test_nothing_is_one_empty_fragment() -> None:
    assert pdus(1, False, b"", 100) == [(1, LAST, b"")]


def test_midway_from_the_first_fragment_to_the_last() -> None:
    assembler = Assembler(Heard())
    data = STORE.encode(True)
    assembler.feed(1, COMMAND, memoryview(data[:10]))
    assert assembler.midway
    assembler.feed(1, COMMAND | LAST, memoryview(data[10:]))
    assert assembler.midway
    assembler.feed(1, LAST, memoryview(b""))
    assert not assembler.midway


WRONG: dict[str, list[tuple[int, int, bytes]]] = {
    "data first": [(1, LAST, b"x")],
    "a command within the data": [(1, 3, STORE.encode(True)), (1, 3, ECHO.encode(False))],
    "data after a command without": [(1, 3, ECHO.encode(False)), (1, LAST, b"x")],
    "data within the command": [(1, 1, STORE.encode(True)[:10]), (1, 0, b"x")],
    "two contexts in the command": [(1, 1, STORE.encode(True)[:10]), (3, 3, STORE.encode(True)[10:])],
    "two contexts in the data": [(1, 3, STORE.encode(True)), (1, 0, b"x"), (3, LAST, b"x")],
    "no command": [(1, 3, b"xyz")],
    "a data set in crumbs": [(1, 3, STORE.encode(True)), *[(1, 0, bytes(63))] * 1025],
    "an endless command": [(1, 1, bytes(COMMAND_SET_BYTES)), (1, 1, b"xx")],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_message_is_an_error(name: str) -> None:
    heard = Heard()
    assembler = Assembler(heard)
    *before, last = WRONG[name]
    for context, control, data in before:
        assembler.feed(context, control, memoryview(data))
    ended = heard.ended
    with pytest.raises(MessageError):
        assembler.feed(last[0], last[1], memoryview(last[2]))
    assert heard.ended == ended


@given(st.lists(st.tuples(st.sampled_from([1, 3]), st.integers(0, 3), st.binary(max_size=12)), max_size=6))
def test_any_fragments_are_messages_or_an_error(parts: list[tuple[int, int, bytes]]) -> None:
    assembler = Assembler(Heard())
    try:
        assembler.feed(1, 3, memoryview(STORE.encode(True)))
        for context, control, data in parts:
            assembler.feed(context, control, memoryview(data))
    except MessageError:
        return
    ends = [n for n, (_, control, _) in enumerate(parts) if control & LAST]
    whole = parts[: ends[0] + 1] if ends else parts  # what comes after the data set is of another message
    assert all(context == 1 and not control & COMMAND for context, control, _ in whole)


def test_a_thousand_small_fragments_in_each_message_are_no_harm() -> None:
    heard = Heard()
    assembler = Assembler(heard)
    for _ in range(3):
        command = STORE.encode(True)
        parts = [(1, 1, command[:9]), (1, 3, command[9:]), *[(1, 0, b"xx")] * 1024, (1, LAST, b"")]
        for context, control, data in parts:
            assembler.feed(context, control, memoryview(data))
    assert heard.ended == 3
