"""What an association can be asked to do: the operations of some SOP classes, behind one small class."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from proxy.dimse.message import Body, Message
from proxy.wire.command import Command
from proxy.wire.negotiation import Context

#: PS3.7 annex C
UNRECOGNIZED_OPERATION = 0x0211
SUCCESS = 0x0000


class Service:
    """Some SOP classes. What is not overridden is refused."""

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """The transfer syntaxes in which this SOP class is accepted; None: it is not of this service."""
        return None

    def roles(self, abstract: str, proposed: tuple[bool, bool]) -> tuple[bool, bool]:
        """The requestor's roles (SCU, SCP) that are accepted of those proposed (PS3.7 D.3.3.4)."""
        return proposed[0], False

    def extended(self, abstract: str, proposed: bytes) -> bytes | None:
        """The answer to SOP class extended negotiation (PS3.7 D.3.3.5); None: not said."""
        return None

    def body(self, association: object, context: Context, command: Command) -> Body | None:
        """Where the data set of this request goes as it comes; None: it is short, and collected.

        Raises `proxy.wire.messages.MessageError` for a command that makes no sense; it ends the association.
        """
        return None

    async def serve(self, message: Message) -> None:
        """Answer one request, with all of its responses. What it raises becomes a status, and no words of it."""
        await message.respond(UNRECOGNIZED_OPERATION)


class Verification(Service):
    """C-ECHO (PS3.4 A)."""

    SOP_CLASS = "1.2.840.10008.1.1"

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """Any that is not compressed: there is no data set."""
        return (
            ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2") if abstract == self.SOP_CLASS else None
        )

    async def serve(self, message: Message) -> None:
        """Success."""
        await message.respond(SUCCESS)


def service_of(services: Sequence[Service], abstract: str) -> Service | None:
    """The first that has this SOP class."""
    return next((one for one in services if one.syntaxes(abstract) is not None), None)
