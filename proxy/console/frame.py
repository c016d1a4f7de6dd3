"""What the pages of the console are made of: parts with routes, and a visit: who asks, for what, with which form.

A part cannot forget who asks or where a form comes from: its routes say who may, and a form is read before the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlencode

from aiohttp import web

from proxy.console.pages import Pages, moved
from proxy.console.refusal import Refusal
from proxy.console.visitor import PLACE
from proxy.service.callers import Caller, Verb
from proxy.service.ports import Peer
from proxy.service.sign_in import Guest

#: Bytes of a form without files; ours are small.
SMALL = 16_384
#: Seconds after which a page that is watched is shown anew, as its URL says them.
SPELLS = {"15": "every 15 seconds", "60": "every minute"}
#: Who may see a page at all.
May = Callable[[Caller], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation; ``path`` below the console, "" for its first page."""

    path: str
    words: str
    may: May


async def _nobody() -> Guest | None:
    return None


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in and may make it. ``peer`` is for the audit trail, the name in it.

    ``form`` and ``files`` are there with POST, when token and origin were ours.
    """

    request: web.Request
    guest: Guest
    peer: Peer
    at: str  # the path of the console in public URLs
    token: str
    pages: Pages
    entries: Sequence[Entry]
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: who it is by now, for an answer that goes on; None: nobody any more. The session is not prolonged by it.
    again: Callable[[], Awaitable[Guest | None]] = _nobody

    @property
    def caller(self) -> Caller:
        """Whose grants count."""
        return self.guest.caller

    def must(self, verb: Verb, project: str) -> None:
        """`Refusal` (403, recorded) unless the caller may do that in ``project``."""
        if verb not in self.caller.verbs(project):
            raise Refusal(HTTPStatus.FORBIDDEN, "role", "Your role does not allow this.", project=project, verb=verb)

    def page(
        self, name: str, status: HTTPStatus = HTTPStatus.OK, anew: Mapping[str, str] | None = None, **values: Any
    ) -> web.Response:
        """The template ``name``; ``anew``: the query of a page that can be shown anew by itself, without ``every``."""
        entries = [entry for entry in self.entries if entry.may(self.caller)]
        here = self.request.path.rstrip("/").removeprefix(PLACE)
        under = [
            entry.path for entry in entries if here == entry.path or (entry.path and here.startswith(entry.path + "/"))
        ]
        frame: dict[str, Any] = {"at": self.at, "guest": self.guest.account, "token": self.token, "entries": entries}
        frame["open"] = frozenset(entry.path for entry in entries)  # what may be linked to
        frame["here"] = max(under, key=len, default=None)
        every = watched(self.request) if anew is not None else ""
        frame["anew"] = None if anew is None else {"every": every, "ways": _ways(anew)}
        answer = self.pages.page(name, status, **frame, **values)
        if every:
            answer.headers["Refresh"] = every
        return answer

    def go(self, path: str) -> web.Response:
        """Go on at ``path`` of the console, with GET: the answer to a form that was carried out."""
        return moved(self.at + path)


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` below the console, as aiohttp writes it. ``most``: bytes of a form; ``files``: it may bring files."""

    method: str
    path: str
    handler: Handler
    may: May
    most: int = SMALL
    files: bool = False


class Part(Protocol):
    """Pages that belong together."""

    @property
    def entries(self) -> Sequence[Entry]:
        """In the navigation."""
        ...

    @property
    def routes(self) -> Sequence[Route]:
        """What it answers."""
        ...


def anybody(_: Caller) -> bool:
    """Whoever is signed in."""
    return True


def may(verb: Verb, projects: Sequence[str]) -> May:
    """Whoever has ``verb`` in one of ``projects``, or everywhere."""
    return lambda caller: any(verb in caller.verbs(project) for project in projects)


def watched(request: web.Request) -> str:
    """After how many seconds the page is asked for again by itself; "" where a person asks."""
    asked = request.query.get("every", "") if request.method == "GET" else ""
    return asked if asked in SPELLS else ""


def _ways(query: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What can be chosen: the value, its words and the query of its link."""
    spells = {"": "no", **SPELLS}
    return [(each, words, urlencode({**query, **({"every": each} if each else {})})) for each, words in spells.items()]
