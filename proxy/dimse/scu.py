"""The Storage SCU for one destination: few associations, kept open between instances and shared by them.

An association can carry only what was negotiated at its start, so it is opened with every (SOP class, transfer syntax)
met so far, and replaced when a new one comes. Blocking work runs in threads of this sender's own. No data set is read.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proxy.dimse import contexts, silence
from proxy.dimse.idle import IdleTimer
from proxy.dimse.link import MOST_PAIRS, Link, LinkLost, Pair, connect
from proxy.dimse.requestor import Destination
from proxy.errors import DeliveryTransient
from proxy.service.ports import QueueRow


class DimseSender:
    """A `proxy.service.ports.Sender` for one PACS that takes C-STORE."""

    def __init__(
        self,
        host: str,
        port: int,
        called_ae: str,
        calling_ae: str,
        timeout_seconds: float,
        associations: int = 4,
    ) -> None:
        """``associations``: how many at once, at most; as many `send` calls run in parallel."""
        silence()
        contexts.register()
        self._to = Destination(host, port, called_ae, calling_ae, timeout_seconds)
        self._threads = ThreadPoolExecutor(associations, thread_name_prefix=f"veil-scu-{port}")
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        self._pairs: OrderedDict[Pair, None] = OrderedDict()
        self._timer = IdleTimer(self._threads, self._release_idle)
        self._closed = False

    async def send(self, row: QueueRow, path: Path) -> None:
        """Returns when the destination has accepted the instance. Raises a `DeliveryError`."""
        if self._closed:
            raise DeliveryTransient("closed", "this sender is shut down")
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._send, row, path)
        finally:
            self._timer.arm()

    async def close(self) -> None:
        """Wait for what is under way and release every association."""
        self._closed = True
        self._timer.stop()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._release_idle)

    def _release_idle(self) -> None:
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()

    def _send(self, row: QueueRow, path: Path) -> None:
        pair = (row.sop_class_uid, row.transfer_syntax_uid)
        link = self._take(pair)
        if link is not None:
            try:
                self._store(link, row, path)
                return
            except LinkLost:
                pass  # the destination may have hung up on an idle association: that says nothing about this instance
        self._store(self._open(pair), row, path)

    def _store(self, link: Link, row: QueueRow, path: Path) -> None:
        try:
            link.store(row, path)
        finally:
            if link.usable and not self._closed:
                with self._lock:
                    self._idle.append(link)
            else:
                link.close()

    def _take(self, pair: Pair) -> Link | None:
        """An idle association that can carry ``pair``; those that cannot any more are closed on the way."""
        with self._lock:
            self._idle, unusable = [x for x in self._idle if x.usable], [x for x in self._idle if not x.usable]
            link = next((x for x in reversed(self._idle) if pair in x.proposed), None)
            if link is None and self._idle:
                unusable.append(self._idle.pop(0))  # its successor will be able to carry more
            elif link is not None:
                self._idle.remove(link)
        for old in unusable:
            old.close()
        return link

    def _open(self, pair: Pair) -> Link:
        with self._lock:
            self._pairs[pair] = None
            self._pairs.move_to_end(pair)
            while len(self._pairs) > MOST_PAIRS:
                self._pairs.popitem(last=False)
            pairs = list(self._pairs)
        return connect(self._to, pairs)
