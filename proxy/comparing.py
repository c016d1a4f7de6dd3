"""How a destination is asked what it has, made of veil.yaml. Only wires."""

from __future__ import annotations

from collections.abc import Callable

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.upstream import ArchiveUpstream
from proxy.certificates import Certificates
from proxy.config import Config
from proxy.config_destinations import ArchiveDestination, DicomwebDestination
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.dimse.requestor import Destination
from proxy.dimse.upstream import DimseUpstream
from proxy.service.upstream import Upstream


def make_asked(config: Config, archive: EmbeddedArchive, certificates: Certificates) -> Callable[[str, str], Upstream]:
    """Project and destination → a way to search there, over the address that instances are sent to."""

    def asked(project: str, name: str) -> Upstream:
        d = config.destinations[name]
        tls = certificates.get(f"destinations.{name}.tls")
        if isinstance(d, ArchiveDestination):
            return ArchiveUpstream(name, archive, project)
        if isinstance(d, DicomwebDestination):
            return DicomwebUpstream(name, d.url, d.headers, 1, d.timeout_seconds, tls)
        to = Destination(d.host, d.port, d.called_ae, d.calling_ae, d.timeout_seconds, tls)
        return DimseUpstream(name, to, d.timeout_seconds, associations=1)

    return asked
