"""Why somebody does a thing that is recorded: a word out of a few, and a ticket. Free text would hold names."""

from __future__ import annotations

from collections.abc import Collection

from proxy.errors import VeilError
from proxy.service.reidentify_words import TICKET

#: why somebody pauses or resumes a destination
WHYS = ("maintenance", "trouble", "wrong-data", "capacity", "test", "finished")


class NotSaid(VeilError):
    """Why is none of the words, or the ticket is none. Nothing was done, nothing is recorded."""


def must_say(why: str, ticket: str, whys: Collection[str] = WHYS) -> None:
    """`NotSaid` unless both may be recorded; a ticket may be ""."""
    if why not in whys:
        raise NotSaid(f"why is one of: {', '.join(whys)}")
    if ticket and not TICKET.fullmatch(ticket):
        raise NotSaid("a ticket has letters, digits and . _ / # -, 32 at most")
