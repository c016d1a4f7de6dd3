"""A performed procedure step and a worklist through a running proxy: the clinical system has them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from tests.system.harness import Site

MPPS, WORKLIST = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.31"
SECRETS = {"Zqxrelayed", "ZQXRELAYED77", "1.2.826.0.1.4711.99"}


def identified() -> Dataset:
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID = "Zqxrelayed^Anna", "ZQXRELAYED77"
    dataset.PerformedProcedureStepStatus = "IN PROGRESS"
    return dataset


@pytest.fixture
def ris() -> Iterator[tuple[int, list[str]]]:
    """pynetdicom as the clinical system: its port, and the instances that it was told of."""
    told: list[str] = []

    def on_create(event: Any) -> tuple[int, Dataset]:
        told.append(event.request.AffectedSOPInstanceUID)
        return (0x0111 if told.count(told[-1]) > 1 else 0x0000), identified()

    def on_find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, identified()

    ae = AE("RIS")
    ae.add_supported_context(MPPS)
    ae.add_supported_context(WORKLIST)
    handlers = [(evt.EVT_N_CREATE, on_create), (evt.EVT_C_FIND, on_find)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    yield server.server_address[1], told
    server.shutdown()
    server.server_close()


def test_what_is_relayed_stays_on_the_clinical_side(make_site: Callable[..., Site], ris: tuple[int, list[str]]) -> None:
    port, told = ris
    system = {"host": "127.0.0.1", "port": port, "called_ae": "RIS", "mpps": True, "worklist": True}
    peers = {
        "ct": {"ae_titles": ["CT1"], "projects": {"research": ["store"]}},
        "viewer": {"ae_titles": ["WS1"], "projects": {"research": ["search", "retrieve"]}},
    }
    site = make_site(changes={"clinical.ris": system, "projects.research.clinical": "ris", "peers": peers})
    site.secrets.update(SECRETS)
    site.start()

    def asked(calling: str, work: Callable[[Any], Any]) -> Any:
        ae = AE(calling)
        ae.add_requested_context(MPPS)
        ae.add_requested_context(WORKLIST)
        association = ae.associate("127.0.0.1", site.dimse_port, ae_title="VEIL")
        assert association.is_established
        answer = work(association)
        association.release()
        return answer

    def create(association: Any) -> int:
        return int(association.send_n_create(identified(), MPPS, "1.2.826.0.1.4711.99")[0].Status)

    def find(association: Any) -> list[tuple[int, str]]:
        return [(s.Status, str(m.PatientID if m else "")) for s, m in association.send_c_find(identified(), WORKLIST)]

    assert [asked("CT1", create) for _ in range(2)] == [0x0000, 0x0111], "the RIS's own answers"
    assert told == ["1.2.826.0.1.4711.99"] * 2
    assert asked("CT1", find) == [(0xFF00, "ZQXRELAYED77"), (0x0000, "")]
    assert asked("WS1", find) == [(0x0124, "")], "the research side sees no worklist"
    site.stop()
    assert len(site.archived()) == 0
    trail = "".join(path.read_text() for path in (site.data / "audit").glob("*.jsonl"))
    assert trail.count('"relayed"') == 3
    assert site.exposed() == []
