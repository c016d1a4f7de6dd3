"""Why somebody pauses or resumes a destination: a word out of a few, and a ticket. Free text would hold names."""

from __future__ import annotations

from proxy.errors import VeilError
from proxy.service.reidentify_words import TICKET

WHYS = ("maintenance", "trouble", "wrong-data", "capacity", "test", "finished")


class NotSaid(VeilError):
    """Why is none of `WHYS`, or the ticket is none. Nothing was done, nothing is recorded."""


def must_say(why: str, ticket: str) -> None:
    """`NotSaid` unless both may be recorded; a ticket may be ""."""
    if why not in WHYS:
        raise NotSaid(f"why is one of: {', '.join(WHYS)}")
    if ticket and not TICKET.fullmatch(ticket):
        raise NotSaid("a ticket has letters, digits and . _ / # -, 32 at most")
