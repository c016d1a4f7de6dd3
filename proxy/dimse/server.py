"""Where peers connect: listening, bounds on connections, and a stop that loses nothing under way.

Each connection is an `Acceptor`. Knows no project, no operation, no status.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence

from proxy.dimse import silence
from proxy.dimse.acceptor import Acceptor, Bounds, Gatekeeper
from proxy.dimse.deadline import Patience
from proxy.dimse.services import Service
from proxy.dimse.stream import Stream
from proxy.handshakes import Listening, listen

#: connections that the kernel keeps for us, and how many of them are accepted in one round of the event loop
_BACKLOG, _AT_ONCE = 512, 32
#: A-ASSOCIATE-RQs of more than some KiB that have begun and are not whole: each may become 256 KiB long
_MOST_LONG = 32


class DimseServer:
    """One port for all projects."""

    def __init__(
        self,
        host: str,
        port: int,
        bounds: Bounds,
        gatekeeper: Gatekeeper,
        services: Callable[[str], Sequence[Service]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``services``: those of a project, which an admitted peer may use."""
        self._address, self._tls = (host, port), tls
        self._bounds, self._gatekeeper, self._services = bounds, gatekeeper, services
        self._server: asyncio.Server | Listening | None = None
        self._strangers: dict[Acceptor, None] = {}  # connected, not associated, oldest first
        self._long: dict[Acceptor, None] = {}  # those of them who ask at length
        self._associated: set[Acceptor] = set()

    @property
    def port(self) -> int:
        """The port that is listened on; of interest when 0 was asked for."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._address[1]

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._strangers) + len(self._associated)

    async def start(self) -> None:
        """Listen. OSError when the address cannot be had."""
        silence()
        if self._tls is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._connection, *self._address, backlog=_AT_ONCE)
            for port in self._server.sockets:
                with socket.socket(fileno=os.dup(port.fileno())) as same:
                    same.listen(_BACKLOG)
        else:
            first = self._bounds.patience.first
            self._server = await listen(self._connection, *self._address, self._tls, seconds=first, backlog=_BACKLOG)

    async def stop(self, grace_seconds: float) -> None:
        """Accept no more, let running operations finish for ``grace_seconds``, then abort what is left."""
        server, self._server = self._server, None
        if server is None:
            return
        self._bounds.draining = True
        server.close()
        for stranger in list(self._strangers):
            stranger.stream.abort()
        until = asyncio.get_running_loop().time() + grace_seconds
        while self._associated and asyncio.get_running_loop().time() < until:
            for association in list(self._associated):
                if not association.under_way:
                    association.abort()
            await asyncio.sleep(0.01)
        left = [*self._strangers, *self._associated]
        for association in left:
            association.abort()
        await asyncio.gather(*(association.wind_up() for association in left))

    def arrived(self, association: Acceptor) -> None:
        """One more that nobody has associated on yet; who has been silent for longest gives way."""
        _join(self._strangers, association, self._bounds.strangers)

    def grown(self, association: Acceptor) -> None:
        """One more of those who ask at length; who began first gives way."""
        _join(self._long, association, _MOST_LONG)

    def known(self, association: Acceptor) -> None:
        """Associated."""
        self._forget(association)
        self._associated.add(association)

    def left(self, association: Acceptor) -> None:
        """Closed."""
        self._forget(association)
        self._associated.discard(association)

    def _forget(self, association: Acceptor) -> None:
        self._strangers.pop(association, None)
        self._long.pop(association, None)

    def _connection(self) -> Stream:
        return Acceptor(self._bounds, self._gatekeeper, self._services, self).stream


def _join(queue: dict[Acceptor, None], one: Acceptor, most: int) -> None:
    """Let ``one`` in; where there is no room, who came first goes."""
    if one in queue:
        return
    if len(queue) >= most:
        oldest = next(iter(queue))
        del queue[oldest]
        oldest.stream.hang_up()
    queue[one] = None


__all__ = ["Bounds", "DimseServer", "Patience"]
