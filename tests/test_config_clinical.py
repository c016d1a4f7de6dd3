"""Reports of storage commitment and clinical systems: what a document may say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config_clinical import ClinicalSystem, CommitmentReports, clinical, clinical_at, reports_at

RIS: dict[str, Any] = {"host": "10.0.0.3", "port": 104, "called_ae": "RIS", "worklist": True}
BASE = Path("/etc/veil")


def test_requesters_by_ae_title() -> None:
    told = {"requesters": {"CT 1": {"host": "10.0.0.7", "port": 104, "tls": {"ca_file": "ca.pem"}}}}
    found = reports_at(CommitmentReports.model_validate(told), BASE)
    assert (found.wait_hours, found.report_hours) == (24.0, 72.0)
    tls = found.requesters["CT 1"].tls
    assert tls is not None
    assert tls.ca_file == BASE / "ca.pem"


def test_a_clinical_system() -> None:
    found = clinical_at({"ris": ClinicalSystem.model_validate(RIS | {"tls": {"ca_file": "ca.pem"}})}, BASE)["ris"]
    assert (found.mpps, found.worklist, found.calling_ae) == (False, True, None)
    assert found.tls is not None
    assert found.tls.ca_file == BASE / "ca.pem"


@pytest.mark.parametrize("wrong", [{"worklist": False}, {"port": 0}, {"called_ae": ""}, {"modality": True}])
def test_what_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ClinicalSystem.model_validate(RIS | wrong)


@pytest.mark.parametrize("wrong", [{"wait_hours": 0}, {"requesters": {"SEVENTEEN LETTERS": {"host": "a", "port": 1}}}])
def test_what_are_no_reports(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommitmentReports.model_validate(wrong)


def test_a_project_names_a_system_and_peers_say_who_may_ask_it() -> None:
    systems = {"ris": ClinicalSystem.model_validate(RIS)}
    assert list(clinical({"research": "ris", "other": None}, systems, peers=True)) == []
    assert list(clinical({"research": None}, {}, peers=False)) == []
    (unknown, unused) = clinical({"research": "old"}, systems, peers=True)
    assert unknown == "projects.research.clinical: no clinical system is called 'old'"
    assert unused.startswith("clinical.ris: no project relays to it")
    (open_,) = clinical({"research": "ris"}, systems, peers=False)
    assert "peers" in open_
