"""What peers find on the DIMSE port, made: which services each project has, who may associate, and their bounds.

With `proxy.app` and `proxy.site` one of the modules that may import every room. It decides nothing.
"""

from __future__ import annotations

import contextlib
import resource
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence

from proxy.config import Config
from proxy.dimse.acceptor import Gatekeeper
from proxy.dimse.receiving import Budget
from proxy.dimse.server import Bounds, DimseServer, Patience
from proxy.dimse.services import Service, Verification
from proxy.dimse.storage import Ingest, Storage
from proxy.errors import ConfigError
from proxy.service.ports import AuditTrail

#: Connections that nobody has associated on yet. Each costs some KiB, and with TLS 300 KiB of asyncio's.
_STRANGERS, _STRANGERS_BY_TLS = 4096, 256
#: of all associations, what one address may hold unless the site says otherwise: another one always finds a place
_SHARE = 0.8


@contextlib.contextmanager
def listening(where: str, host: str, port: int) -> Iterator[None]:
    """An address that cannot be had is the configuration's fault."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(f"{where}.port", f"cannot listen on {host}:{port}: {why}", "choose another port") from None


def routes(config: Config, arrivals: Mapping[str, str]) -> Mapping[str, str]:
    """Called AE title → project; ``arrivals``: that of a C-MOVE to ourselves → its key."""
    return {title: name for name, project in config.projects.items() for title in project.ae_titles} | dict(arrivals)


def make_dimse(
    config: Config,
    gatekeeper: Gatekeeper,
    ingest: Ingest,
    audit: AuditTrail,
    *more: Callable[[str], Sequence[Service]],
    tls: ssl.SSLContext | None = None,
) -> DimseServer:
    """The server for ``config.dimse``; not yet listening. ``more``: project → services beyond storage."""
    dimse, limits = config.dimse, config.limits
    storage = Storage(ingest, audit, Budget(limits.memory_bytes), limits.instance_bytes, dimse.private_sop_classes)
    common: Sequence[Service] = (Verification(), storage)
    most = dimse.associations
    by_one = dimse.associations_per_address or max(int(most * _SHARE), 1)
    strangers = min(_STRANGERS_BY_TLS if tls is not None else _STRANGERS, _descriptors() // 4)
    bounds = Bounds(dimse.max_pdu, Patience(dimse.idle_seconds), most, by_one, strangers)

    def services(project: str) -> Sequence[Service]:
        return [*common, *(service for of in more for service in of(project))]

    return DimseServer(dimse.host, dimse.port, bounds, gatekeeper, services, tls)


def _descriptors() -> int:
    """How many this process may have open: as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft
