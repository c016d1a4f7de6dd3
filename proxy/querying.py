"""Query/Retrieve as a site offers it over DIMSE, made: what is searched and retrieved, and where C-MOVE may send to.

One of the modules beside `proxy.app` that may import every room. It decides nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from proxy.certificates import Certificates
from proxy.config import Config
from proxy.config_moves import MoveDestination
from proxy.dimse.association import Association
from proxy.dimse.connecting import connect
from proxy.dimse.query_find import Find
from proxy.dimse.query_get import Get
from proxy.dimse.query_move import Move, Open
from proxy.dimse.requestor import Destination
from proxy.dimse.rewriting import Rewriting
from proxy.dimse.services import Service
from proxy.service.decoding import Decoding
from proxy.service.ports import AuditTrail
from proxy.service.readers import RetrieveOfProject, SearchOfProject
from proxy.wire.negotiation import ProposedContext

#: instances that are decompressed for those who retrieve
_AT_ONCE = 4


def make_queries(
    config: Config,
    search: SearchOfProject,
    retrieve: RetrieveOfProject,
    audit: AuditTrail,
    certificates: Certificates,
    decoding: Decoding,
) -> Callable[[str], Sequence[Service]]:
    """Project → C-FIND, C-GET and C-MOVE, where they are offered."""
    reached = {
        title: _opener(title, to, certificates.get(f"move_destinations.{title}.tls"))
        for title, to in config.move_destinations.items()
    }
    moves = {n: {title: reached[title] for title in p.move_destinations} for n, p in config.projects.items()}
    shared = Rewriting(decoding, _AT_ONCE)
    rewriting = {name: shared for name, project in config.projects.items() if project.transcode == "lossless"}
    services = (
        Find(search, audit),
        Get(search, retrieve, audit, rewriting),
        Move(search, retrieve, audit, rewriting, moves),
    )
    offered = {name for name in config.projects if _known(config, name)}
    return lambda project: services if project in offered else ()


def _known(config: Config, project: str) -> bool:
    """Whether who reads ``project`` over DIMSE is asked who he is, or nobody is over HTTP either."""
    return bool(config.peers) or config.http.auth is None or config.projects[project].identity == "required"


def _opener(title: str, to: MoveDestination, tls: ssl.SSLContext | None) -> Open:
    async def open_(called: str, contexts: Sequence[ProposedContext]) -> Association:
        where = Destination(to.host, to.port, title, to.calling_ae or called, to.timeout_seconds, tls)
        return await connect(where, contexts)

    return open_
