"""Associations with one application entity: few, opened as they are needed, kept for what comes next, then released.

An association carries what was proposed at its start, and as many operations at once as its window says (PS3.7
D.3.3.3). What is said over it, and what went wrong there, is up to who uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Generic, TypeVar

from proxy.dimse.association import Association
from proxy.dimse.exchange import AssociationLost

#: An association on which nothing goes for so long is released.
IDLE_SECONDS = 10.0
#: the longest that a peer may take to let us go
_RELEASE_SECONDS = 5.0

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Link(Generic[K]):
    """An association in a pool. ``carries``: what was proposed, accepted or not; ``window``: operations at once."""

    __slots__ = ("association", "carries", "idle_since", "load", "number", "used", "window")

    def __init__(self, association: Association, carries: Collection[K], window: int = 1) -> None:
        self.association, self.carries, self.window = association, carries, window
        self.load, self.used, self.idle_since, self.number = 0, False, 0.0, 0

    @property
    def has_room(self) -> bool:
        """Whether one more operation may go over it."""
        return self.load < self.window and self.association.established


class Pool(Generic[K]):
    """At most so many associations at once; who finds none waits."""

    def __init__(
        self, open_: Callable[[K], Awaitable[Link[K]]], most: int, harmless: tuple[type[Exception], ...] = ()
    ) -> None:
        """``open_`` makes a new one that carries a key; after an error that is not ``harmless`` it is aborted."""
        self._open, self._most, self._harmless = open_, most, harmless
        self._links: list[Link[K]] = []
        self._opening = self._opened_ever = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def run(self, key: K, work: Callable[[Association], Awaitable[T]]) -> T:
        """``work`` on an association that carries ``key``; once more on a new one, where one in use turns out lost.

        That a peer hung up on others, or on who says nothing, says nothing about this work. Raises what ``open_`` and
        ``work`` raise.
        """
        link = await self._take(key)
        used = link.used
        try:
            return await self._on(link, work)
        except AssociationLost as lost:
            if not used or lost.how == "timeout" or self._closed:
                raise
        return await self._on(await self._take(key, self._opened_ever), work)

    async def close(self) -> None:
        """Release what is idle, abort what is not."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._links):
            if link.load:
                link.association.abort()
            self._end(link)
        self._wake()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _on(self, link: Link[K], work: Callable[[Association], Awaitable[T]]) -> T:
        try:
            return await work(link.association)
        except BaseException as error:
            if not isinstance(error, self._harmless):
                link.association.abort()  # half a message may be out, or half an answer yet to come
            raise
        finally:
            self._give(link)

    async def _take(self, key: K, after: int = 0) -> Link[K]:
        """An association with room, no older than the one numbered ``after``."""
        while True:
            if self._closed:
                raise AssociationLost("closed")
            for lost in [link for link in self._links if not link.association.established]:
                self._end(lost)
            fit = [link for link in self._links if link.has_room and key in link.carries and link.number > after]
            if fit:
                link = max(fit, key=lambda link: link.load)  # the others may become idle
                link.load += 1
                return link
            # one that cannot carry it makes room for one that can carry both
            idle = [link for link in self._links if not link.load]
            if idle or len(self._links) + self._opening < self._most:
                return await self._opened(key, self._end(idle[0]) if idle else None)
            await self._change()

    async def _opened(self, key: K, before: asyncio.Task[None] | None) -> Link[K]:
        self._opening += 1
        try:
            if before is not None:
                await asyncio.wait([before])
            link = await self._open(key)
            self._opened_ever += 1
            link.number = self._opened_ever
        finally:
            self._opening -= 1
            self._wake()
        self._links.append(link)
        if self._closed:
            self._end(link)
            raise AssociationLost("closed")
        link.load = 1
        return link

    def _give(self, link: Link[K]) -> None:
        link.load -= 1
        link.used, link.idle_since = True, asyncio.get_running_loop().time()
        if link in self._links and (self._closed or not link.association.established):
            self._end(link)
        self._wake()
        self._watch()

    def _end(self, link: Link[K]) -> asyncio.Task[None]:
        self._links.remove(link)
        task = asyncio.get_running_loop().create_task(_ended(link.association))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _watch(self) -> None:
        if self._timer is None and self._links and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        until = asyncio.get_running_loop().time() - IDLE_SECONDS
        for link in [link for link in self._links if not link.load and link.idle_since <= until]:
            self._end(link)
        self._watch()


async def _ended(association: Association) -> None:
    """Release it if it stands, and give its connection back."""
    try:
        await asyncio.wait_for(association.release(), _RELEASE_SECONDS)
    except TimeoutError:
        association.abort()
        await association.wind_up()
