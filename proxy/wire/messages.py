"""DIMSE messages out of fragments and into them (PS3.7 6.3, PS3.8 Annex E). Pure: data sets go to a sink as they come.

A message is a command set, and a data set where the command says so, all in one presentation context; the fragments of
two messages never mix. Whatever breaks that raises `MessageError`, and the association ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from proxy.wire.command import Command, CommandError
from proxy.wire.dimse_pdu import COMMAND, FRAGMENT_HEADER_BYTES, LAST, p_data_head

#: A command set has a dozen short elements.
COMMAND_SET_BYTES = 64 << 10
#: Fragments of a message, but for its last, that may be smaller than so many bytes: each costs as much as a large one.
CRUMB_BYTES, MOST_CRUMBS = 64, 1024


class MessageError(ValueError):
    """Fragments that make no message. The words carry no value."""


class Sink(Protocol):
    """Where one message's data set goes."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes, before returning: the memory is used again."""
        ...


class Receiver(Protocol):
    """Who is told about messages."""

    def begin(self, context: int, command: Command) -> Sink | None:
        """A command set is whole; the sink for its data set, None where none follows. Raises `MessageError`."""
        ...

    def end(self) -> None:
        """The message that was begun is whole."""
        ...


class Assembler:
    """The fragments of one association, one direction."""

    __slots__ = ("_command", "_context", "_crumbs", "_receiver", "_sink")

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._command = bytearray()
        self._context = 0  # no message has begun
        self._crumbs = 0
        self._sink: Sink | None = None

    @property
    def midway(self) -> bool:
        """Whether a message has begun and is not whole."""
        return self._context != 0

    def feed(self, context: int, control: int, data: memoryview) -> None:
        """Take one fragment; ``control`` is its message control header (PS3.8 E.2)."""
        if self._context not in (0, context):
            raise MessageError("fragments of one message in several presentation contexts")
        self._context = context
        if len(data) < CRUMB_BYTES and not control & LAST:
            self._crumbs += 1
            if self._crumbs > MOST_CRUMBS:
                raise MessageError("a message in crumbs")
        if self._sink is not None:
            self._data(control, data)
        else:
            self._command_part(control, data)

    def _data(self, control: int, data: memoryview) -> None:
        if control & COMMAND:
            raise MessageError("a command set before the data set before it was whole")
        assert self._sink is not None  # for the type checker: `feed` has just looked
        self._sink.write(data)
        if control & LAST:
            self._sink, self._context, self._crumbs = None, 0, 0
            self._receiver.end()

    def _command_part(self, control: int, data: memoryview) -> None:
        if not control & COMMAND:
            raise MessageError("a data set without its command set")
        if len(self._command) + len(data) > COMMAND_SET_BYTES:
            raise MessageError("a command set that is too long")
        self._command += data
        if not control & LAST:
            return
        try:
            command = Command.parse(bytes(self._command))
        except CommandError as error:
            raise MessageError(str(error)) from None
        self._command.clear()
        self._crumbs = 0
        self._sink = self._receiver.begin(self._context, command)
        if self._sink is None:
            self._context = 0
            self._receiver.end()


def split(
    context: int, command: bool, data: memoryview, largest_pdu: int, last: bool = True
) -> Iterator[bytes | memoryview]:
    """P-DATA-TF PDUs of at most ``largest_pdu`` bytes (of what follows a PDU's header) that carry ``data`` whole.

    Heads and slices in turn; nothing is copied. An empty ``data`` makes one empty fragment. ``last``: nothing of this
    command or data set comes after it.
    """
    room = (largest_pdu - FRAGMENT_HEADER_BYTES) & ~1
    kind = COMMAND if command else 0
    for at in range(0, max(len(data), 1), room):
        part = data[at : at + room]
        yield p_data_head(context, kind | (LAST if last and at + room >= len(data) else 0), len(part))
        yield part
