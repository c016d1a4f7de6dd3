"""Waiting for work that nobody may stop half way: for all of it, for its end, or in somebody's place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def every(*waits: Awaitable[None]) -> None:
    """Wait for all of ``waits``, also where one fails; then raise the first error."""
    for error in await asyncio.gather(*waits, return_exceptions=True):
        if error is not None:
            raise error


async def finished(work: asyncio.Future[Any]) -> None:
    """Wait for ``work`` however often the waiter is cancelled; its outcome has nobody to go to any more."""
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            continue
    if not work.cancelled():
        work.exception()


def tell(work: asyncio.Future[T], answer: asyncio.Future[T]) -> None:
    """What became of ``work``, to who waits for the ``answer``, if anybody still does."""
    error = None if work.cancelled() else work.exception()  # looked at, whoever has gone
    if answer.done():
        return
    if work.cancelled():
        answer.cancel()
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(work.result())
