"""What modalities find beyond C-STORE, made of a document: each project what it says, each way with its TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from proxy.clinical import Clinical
from proxy.config import Config
from proxy.dimse.commitment import StorageCommitment
from proxy.dimse.relay import MPPS, WORKLIST, Relay
from proxy.dimse.reporting import SOP_CLASS

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Certificates:
    """Those of the places that it was made for."""

    def __init__(self, *places: str) -> None:
        self.places = places

    def get(self, where: str) -> ssl.SSLContext | None:
        return TLS if where in self.places else None


def project(**more: Any) -> dict[str, Any]:
    return {"key_file": "a.key", "destinations": ["archive"], **more}


@pytest.fixture
def config() -> Config:
    ris = {"host": "10.0.0.3", "port": 104, "called_ae": "RIS", "mpps": True}
    requester = {"host": "10.0.0.7", "port": 105, "timeout_seconds": 3}
    return Config.model_validate(
        {
            "version": 1,
            "node_key_file": Path("node.key"),
            "destinations": {"archive": {"type": "archive"}},
            "peers": {"ct": {"ae_titles": ["CT1"], "projects": {"*": ["store"]}}},
            "commitment_reports": {"requesters": {"CT1": requester}},
            "clinical": {"ris": ris},
            "projects": {
                "all": project(ae_titles=["A"], path="a", clinical="ris"),
                "off": project(ae_titles=["B"], path="b", storage_commitment="off"),
            },
        }
    )


def made(config: Config, *places: str) -> Clinical:
    nothing: Any = None
    certificates: Any = Certificates(*places)
    return Clinical(config, nothing, nothing, nothing, certificates)


def test_each_project_has_what_it_says(config: Config) -> None:
    clinical = made(config)
    assert [type(service) for service in clinical.services("all")] == [StorageCommitment, Relay]
    assert list(clinical.services("off")) == list(clinical.services("upstream:old")) == []
    promises, relay = clinical.services("all")
    assert promises.syntaxes(SOP_CLASS)
    assert relay.syntaxes(MPPS)
    assert relay.syntaxes(WORKLIST) is None, "only what is switched on"


def test_each_way_has_its_tls(config: Config) -> None:
    plain, secured = made(config), made(config, "commitment_reports.requesters.CT1.tls", "clinical.ris.tls")
    for clinical, tls in ((plain, None), (secured, TLS)):
        promises, relay = clinical.services("all")
        assert isinstance(promises, StorageCommitment)
        assert isinstance(relay, Relay)
        to = promises._requesters._addresses["CT1"]
        assert (to.host, to.port, to.called_ae, to.seconds, to.tls) == ("10.0.0.7", 105, "CT1", 3.0, tls)
        assert (relay._system.to.calling_ae, relay._system.to.tls) == ("", tls)
