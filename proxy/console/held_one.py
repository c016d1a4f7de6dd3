"""One held instance: why it is held, what would become of it now, another try, or its end.

The preview shows what is decided, never a value or a pixel that is undecided; who looks is on record before. To
destroy an original takes an administrator, a page that asks again, and a reason that is recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web
from pydicom.datadict import keyword_for_tag

from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.held import CHOSEN, plain
from proxy.console.held_entries import Entries, gone
from proxy.console.pages import HEADERS
from proxy.console.pictures import Pictures
from proxy.console.refusal import Refusal
from proxy.deid.previewed import Previewed, Wish
from proxy.errors import SealBroken
from proxy.service.callers import Verb
from proxy.service.destination_words import NotSaid
from proxy.service.held_words import PURGE_WHYS, advice_on
from proxy.service.ports import HeldInstance, Peer
from proxy.service.replay import Replay

#: elements on a page
ELEMENTS = 200
_BROKEN = "This entry was altered, or sealed with another key. It cannot be opened, only purged."


class Previewing(Protocol):
    """`proxy.service.preview.Preview`."""

    async def held(self, entry: HeldInstance, peer: Peer, wish: Wish) -> Previewed:
        """What would become of it now; recorded before. KeyError, `SealBroken`, `Unavailable`."""
        ...


class HeldInstancePages:
    """Detail, preview and purge of one entry."""

    entries: Sequence[Entry] = ()

    def __init__(
        self,
        held: Entries,
        replay: Replay,
        preview: Previewing,
        projects: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held, self._replay, self._preview = held, replay, preview
        self._projects, self._pictures = tuple(projects), Pictures(clock)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        operators = may(Verb.OPERATE, self._projects)
        gets = (
            ("", self._detail),
            ("/preview", self._previewed),
            ("/picture.png", self._picture),
            ("/purge", self._ask),
        )
        return (
            *(Route("GET", f"/quarantine/{{entry}}{path}", answer, operators) for path, answer in gets),
            Route("POST", "/quarantine/{entry}/purge", self._purge, operators),
        )

    async def _detail(self, visit: Visit) -> web.StreamResponse:
        return visit.page("held_one", **self._values(visit, await self._held.of(visit)))

    async def _previewed(self, visit: Visit) -> web.StreamResponse:
        entry = await self._held.of(visit)
        frame, start = (_number(visit, name, least) for name, least in (("frame", 1), ("start", 0)))
        found = await self._look(visit, entry, Wish(start, ELEMENTS, frame))
        values: dict[str, Any] = {
            "preview": found,
            "frame": frame,
            "start": start,
            "most": ELEMENTS,
            "keyword": keyword(found.tag),
        }
        return visit.page("held_preview", **self._values(visit, entry), **values)

    async def _picture(self, visit: Visit) -> web.StreamResponse:
        """That of the page that was shown before; looked at anew, and recorded anew, where it is no longer there."""
        entry, frame = await self._held.of(visit), _number(visit, "frame", 1)
        png = self._pictures.take((visit.caller.name, entry.id, frame))
        png = png or (await self._look(visit, entry, Wish(0, 0, frame))).picture.png
        if not png:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-picture", "There is no picture of it.")
        headers = HEADERS | {"Cache-Control": "no-store"}
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def _look(self, visit: Visit, entry: HeldInstance, wish: Wish) -> Previewed:
        if not self._opens(entry):
            raise Refusal(HTTPStatus.CONFLICT, "", _BROKEN if not entry.project else "Its project is not in veil.yaml.")
        try:
            found = await self._preview.held(entry, visit.peer, wish)
        except KeyError:
            self._held.forget()
            raise gone() from None
        except SealBroken:
            raise Refusal(HTTPStatus.CONFLICT, "", _BROKEN) from None
        if wish.most:
            self._pictures.keep((visit.caller.name, entry.id, wish.frame), found.picture.png)
        return found

    async def _ask(self, visit: Visit) -> web.StreamResponse:
        entry = await self._held.of(visit)
        visit.must(Verb.ADMIN, entry.project)
        return visit.page("held_purge", **self._values(visit, entry), problem="")

    async def _purge(self, visit: Visit) -> web.StreamResponse:
        entry = await self._held.of(visit)
        visit.must(Verb.ADMIN, entry.project)
        why, ticket = visit.form.get("why", ""), visit.form.get("ticket", "").strip()
        # whoever leaves the page does not break off what has begun
        purging = asyncio.ensure_future(self._replay.purge_because(entry.id, visit.peer, why, ticket))
        try:
            await asyncio.shield(purging)
        except NotSaid as wrong:
            problem = f"Nothing was purged: {wrong}."
            return visit.page("held_purge", HTTPStatus.BAD_REQUEST, **self._values(visit, entry), problem=problem)
        except KeyError:
            raise gone() from None
        finally:
            self._held.forget()
        return visit.go("/quarantine?purged")

    def _opens(self, entry: HeldInstance) -> bool:
        return entry.project in self._projects

    def _values(self, visit: Visit, entry: HeldInstance) -> dict[str, Any]:
        advice = advice_on(entry.reason)
        return {
            "held": entry,
            "means": plain(advice.means),
            "todo": plain(advice.todo),
            "opens": self._opens(entry),
            "purges": Verb.ADMIN in visit.caller.verbs(entry.project),
            "whys": PURGE_WHYS,
            "chosen": CHOSEN,
        }


def keyword(tag: str) -> str:
    """Of a tag as ``(0008,0018)``; "" for none that PS3.6 knows."""
    return keyword_for_tag(int(tag.strip("()").replace(",", ""), 16)) if tag else ""


def _number(visit: Visit, name: str, least: int) -> int:
    said = visit.request.query.get(name, "")
    return max(int(said), least) if said.isascii() and said.isdigit() and len(said) < 10 else least
