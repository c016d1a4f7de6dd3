"""``python -m bench.viewers URLS.json COUNT``: COUNT connections that read until SIGTERM; then one line of JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from itertools import cycle
from pathlib import Path

import aiohttp


async def main(urls: list[str], count: int) -> None:
    """Say a line when all have had their first answer, and a last one at the end."""
    answered = failed = 0
    stop, first = asyncio.Event(), asyncio.Semaphore(0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    source = cycle(urls)
    headers = {"Accept": 'multipart/related; type="application/octet-stream"'}

    async def view(http: aiohttp.ClientSession) -> None:
        nonlocal answered, failed
        while not stop.is_set():
            async with http.get(next(source), headers=headers) as answer:
                await answer.read()
                answered += 1
                failed += answer.status != 200
            first.release()

    connector = aiohttp.TCPConnector(limit=count)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(view(http))
        for _ in range(count):
            await first.acquire()
        print("reading", flush=True)
        began, before = time.monotonic(), answered
        await stop.wait()
        rate = (answered - before) / (time.monotonic() - began)
    print(json.dumps({"answered": answered, "failed": failed, "per_second": rate}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="ascii")), int(sys.argv[2])))
