"""One DIMSE message that has come, and where the bytes of its data set go. Holds, decides nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from proxy.wire.command import Command, Value
from proxy.wire.messages import MessageError
from proxy.wire.negotiation import Context

if TYPE_CHECKING:
    from proxy.dimse.association import Association

#: An identifier, a list of failed UIDs, a request for commitment of some ten thousand instances.
DATA_BYTES = 4 << 20


class Body(Protocol):
    """Takes a data set as it comes, instead of memory of the association's own."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes before returning; what there is no room for is dropped, and told at the end."""
        ...

    def discard(self) -> None:
        """Give the memory back; safe to repeat."""
        ...


class Collected:
    """A short data set, in memory."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview) -> None:
        """Append; `MessageError` beyond `DATA_BYTES`, which ends the association."""
        if len(self.data) + len(data) > DATA_BYTES:
            raise MessageError("a data set that is too long for what it is")
        self.data += data

    def discard(self) -> None:
        """Give the memory back."""
        self.data = bytearray()


@dataclass(slots=True, eq=False)
class Message:
    """A request or a response. ``body`` is the data set of one whose service wants it as it comes."""

    association: Association
    context: Context
    command: Command
    body: Body | None = None
    #: set by C-CANCEL, and when the association is over
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def data(self) -> bytes:
        """The data set, b"" where there is none."""
        return bytes(self.body.data) if isinstance(self.body, Collected) else b""

    async def respond(self, status: int, data: bytes | None = None, **elements: Value) -> None:
        """Send a response to this request: see `Association.respond`."""
        await self.association.respond(self, status, data, **elements)
