"""A few things at once, their results in the order in which they were begun."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

_T = TypeVar("_T")


class Window(Generic[_T]):
    """At most ``width`` coroutines run; ``sink`` gets each result. Nothing runs any more when the block is left.

    The first exception is raised, from `put` or at the end, after everything that was begun has come to its end.
    """

    def __init__(self, width: int, sink: Callable[[_T], None]) -> None:
        self._width, self._sink = width, sink
        self._tasks: deque[asyncio.Task[_T]] = deque()

    async def put(self, work: Coroutine[Any, Any, _T]) -> None:
        """Begin ``work``; waits for the oldest when the window is full."""
        self._tasks.append(asyncio.create_task(work))
        while len(self._tasks) >= self._width:
            self._sink(await self._tasks.popleft())

    async def drain(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            self._sink(await self._tasks.popleft())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)
        failures = [error for task in self._tasks if (error := task.exception()) is not None]
        if kind is not None:
            return
        if failures:
            raise failures[0]
        while self._tasks:
            self._sink(self._tasks.popleft().result())
