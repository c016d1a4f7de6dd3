"""What modalities find on the DIMSE port beyond C-STORE, made: storage commitment, and what is relayed to a RIS.

With `proxy.app` and `proxy.site` one of the modules that may import every room. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.certificates import Certificates
from proxy.config import Config
from proxy.config_clinical import ClinicalSystem
from proxy.dimse.commitment import StorageCommitment
from proxy.dimse.relay import MPPS, WORKLIST, Relay, System
from proxy.dimse.reporting import Requesters
from proxy.dimse.requestor import Destination
from proxy.dimse.services import Service
from proxy.service.commitment import Commitment
from proxy.service.commitment_reports import Reports
from proxy.service.ports import AuditTrail
from proxy.service.reporting import Patience, Store

_HOUR = 3600.0


class Clinical:
    """Start and stop ``reports`` with the proxy; `services` are those of a project."""

    def __init__(
        self, config: Config, commitment: Commitment, store: Store, audit: AuditTrail, certificates: Certificates
    ) -> None:
        """Of the parts of a site."""
        told = config.commitment_reports
        requesters = Requesters(_addresses(config, certificates))
        patience = Patience(told.wait_hours * _HOUR, told.report_hours * _HOUR)
        self.reports = Reports(store, commitment, audit, requesters, patience)
        promises = StorageCommitment(commitment, audit, requesters, self.reports.wake)
        relays = {name: Relay(_system(name, each, certificates), audit) for name, each in config.clinical.items()}
        self._services: dict[str, list[Service]] = {name: [] for name in config.projects}
        for name, project in config.projects.items():
            if project.storage_commitment == "answer":
                self._services[name].append(promises)
            if project.clinical is not None:
                self._services[name].append(relays[project.clinical])

    def services(self, project: str) -> Sequence[Service]:
        """What ``project`` has; nothing for what is no project."""
        return self._services.get(project, ())


def _addresses(config: Config, certificates: Certificates) -> Mapping[str, Destination]:
    """AE title → where it takes reports; whom we call ourselves there, each request says."""
    return {
        title: Destination(
            to.host,
            to.port,
            title,
            "",
            to.timeout_seconds,
            certificates.get(f"commitment_reports.requesters.{title}.tls"),
        )
        for title, to in config.commitment_reports.requesters.items()
    }


def _system(name: str, to: ClinicalSystem, certificates: Certificates) -> System:
    tls = certificates.get(f"clinical.{name}.tls")
    wanted = ((MPPS, to.mpps), (WORKLIST, to.worklist))
    return System(
        Destination(to.host, to.port, to.called_ae, to.calling_ae or "", to.timeout_seconds, tls),
        frozenset(uid for uid, relayed in wanted if relayed),
    )
