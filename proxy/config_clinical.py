"""The parts of veil.yaml about the clinical side beyond instances: reports of storage commitment, and a RIS.

Models and what must be consistent between them; `proxy.config` puts them into the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from proxy.config_tls import ClientTls, placed
from proxy.config_types import AeTitle, Name, Seconds, Strict

Hours = Annotated[float, Field(gt=0, le=24 * 366)]


class _Reached(Strict):
    """An application entity that Veil opens an association to."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    timeout_seconds: Seconds = 30.0
    tls: ClientTls | None = None


class Requester(_Reached):
    """Where an application entity takes reports of storage commitment; its AE title is the key."""


class CommitmentReports(Strict):
    """Reports of storage commitment, over DIMSE.

    ``wait_hours``: for destinations to accept what was asked about; ``report_hours``: then, for the requester to take
    the report.
    """

    wait_hours: Hours = 24.0
    report_hours: Hours = 72.0
    requesters: dict[AeTitle, Requester] = Field(default_factory=dict)


class ClinicalSystem(_Reached):
    """A RIS: what modalities ask it and tell it is relayed as it is. Without ``calling_ae`` under their own title."""

    called_ae: AeTitle
    calling_ae: AeTitle | None = None
    mpps: bool = False
    worklist: bool = False

    @model_validator(mode="after")
    def _something(self) -> ClinicalSystem:
        if not (self.mpps or self.worklist):
            raise ValueError("say what is relayed: mpps: true, worklist: true, or both")
        return self


def clinical(chosen: Mapping[str, str | None], systems: Mapping[str, ClinicalSystem], peers: bool) -> Iterator[str]:
    """What is wrong with the ``clinical`` keys of projects, project → name; ``peers``: it is said who may associate."""
    for project, name in chosen.items():
        if name is not None and name not in systems:
            yield f"projects.{project}.clinical: no clinical system is called '{name}'"
    for name in systems:
        if name not in chosen.values():
            yield f"clinical.{name}: no project relays to it; say projects.NAME.clinical: {name}"
        if not peers:
            yield f"clinical.{name}: whoever associates could ask it for patients; say who may under peers"


def clinical_at(systems: Mapping[Name, ClinicalSystem], base: Path) -> dict[Name, ClinicalSystem]:
    """``systems`` with paths relative to ``base``."""
    return {name: each.model_copy(update={"tls": placed(each.tls, base)}) for name, each in systems.items()}


def reports_at(reports: CommitmentReports, base: Path) -> CommitmentReports:
    """``reports`` with paths relative to ``base``."""
    found = {
        title: each.model_copy(update={"tls": placed(each.tls, base)}) for title, each in reports.requesters.items()
    }
    return reports.model_copy(update={"requesters": found})
