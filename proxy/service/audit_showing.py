"""The live log on its way to readers: what each may see, until he goes, does not keep up, or may not any more.

Nobody waits for a reader. How a record looks and how it travels is the business of who shows it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Protocol

from proxy.audit.live import SlowReader, Subscription
from proxy.audit.selection import Selection
from proxy.errors import Unavailable
from proxy.service.audit_reading import AuditReading
from proxy.service.ports import Peer

#: readers at the same time; each has the log read for himself
MOST = 32
#: seconds between two signs of life, and that a reader gets to take what it was sent
HEARTBEAT, PATIENCE = 15.0, 10.0


class TooMany(Unavailable):
    """As many read the stream as may."""


class TooSlow(Exception):
    """The reader does not take what it was sent. It can still be told so: see `Answer.end`."""


class Ended(Exception):
    """The stream is over; the text says why, to the reader."""


class Answer(Protocol):
    """One reader. Each method may raise `TooSlow`, but for `end`."""

    async def begin(self, after: int) -> None:
        """What follows is what comes after record ``after``."""
        ...

    async def send(self, number: int, line: bytes) -> None:
        """One record."""
        ...

    async def beat(self, number: int) -> None:
        """A sign of life; the log was read up to ``number``."""
        ...

    async def end(self, name: str, line: bytes) -> None:
        """The last word: ``dropped`` or ``ended``, and why."""
        ...


class Showing:
    """Shows the log to several readers. `close` ends every stream, so that a stop need not wait for them."""

    def __init__(self, reading: AuditReading, heartbeat: float = HEARTBEAT, most: int = MOST) -> None:
        """``heartbeat``: seconds."""
        self._reading, self._heartbeat, self._most = reading, heartbeat, most
        self._open: set[Subscription] = set()
        self._under_way, self._closed = 0, False

    def close(self) -> None:
        """For good."""
        self._closed = True
        for each in self._open:
            each.close()

    async def show(
        self,
        selection: Selection,
        after: int | None,
        peer: Peer,
        answer: Answer,
        still: Callable[[], Awaitable[None]],
        told: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """Until the reader goes, or is dropped. `TooMany`; `AuditUnavailable` where reading cannot be recorded.

        ``still`` raises `Ended` for who may not read any more; ``told``: how a record is shown.
        """
        if self._under_way >= self._most:
            raise TooMany("too many read the stream already")
        self._under_way += 1
        try:
            subscription, at = await self._reading.follow(selection, after, peer)
            self._open.add(subscription)
            if self._closed:
                subscription.close()
            shown = _Shown(answer, subscription, at, selection.test(), still, told)
            await shown.run(self._heartbeat)
        finally:
            self._under_way -= 1
            self._open = {each for each in self._open if not each.closed}


class _Shown:
    """One subscription on its way to one reader."""

    def __init__(
        self,
        answer: Answer,
        subscription: Subscription,
        after: int,
        meant: Callable[[bytes], bool],
        still: Callable[[], Awaitable[None]],
        told: Callable[[bytes], bytes],
    ) -> None:
        """``after``: the last record that was looked at."""
        self._answer, self._subscription, self._at = answer, subscription, after
        self._meant, self._still, self._told = meant, still, told

    async def run(self, heartbeat: float) -> None:
        """To the end, whatever that is."""
        name, why = "ended", "stopping"
        try:
            await self._answer.begin(self._at)
            await self._send(heartbeat)
        except (SlowReader, TooSlow):
            name, why = "dropped", "the reader does not keep up"
        except Ended as ended:
            why = str(ended)
        finally:
            self._subscription.close()
        await self._answer.end(name, json.dumps({"reason": why, "after": self._at}).encode("ascii"))

    async def _send(self, heartbeat: float) -> None:
        now = asyncio.get_running_loop().time
        beat = now() + heartbeat
        while True:
            try:
                async with asyncio.timeout_at(beat):
                    line = await anext(self._subscription, None)
            except TimeoutError:
                pass
            else:
                if line is None:
                    return
                if self._meant(line.data):
                    await self._answer.send(line.seq, self._told(line.data))
                self._at = line.seq
            if now() >= beat:
                await self._still()
                await self._answer.beat(self._at)
                beat = now() + heartbeat
