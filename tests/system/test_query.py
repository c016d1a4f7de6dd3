"""Query/Retrieve in a running Veil: an archive and a view of it, asked and moved by pynetdicom as the workstation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes them at run time
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from tests.system.harness import KEYS, Site, quiet_port, until
from tests.system.modality import c_store
from tests.system.planting import MARKERS, fresh
from tests.system.test_callers import make_token

FIND = StudyRootQueryRetrieveInformationModelFind
GET = StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove


class Workstation:
    """Keeps what it is sent, on associations of its own or by C-GET."""

    def __init__(self) -> None:
        self.port, self.kept = quiet_port(), list[Dataset]()
        self.handlers = [(evt.EVT_C_STORE, self._store)]
        self.ae = AE("WS1")
        self.ae.add_supported_context(CTImageStorage)
        for uid in (FIND, GET, MOVE, CTImageStorage):
            self.ae.add_requested_context(uid)
        self.ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=self.handlers)

    def _store(self, event: evt.Event) -> int:
        self.kept.append(event.dataset)
        return 0

    @contextlib.contextmanager
    def on(self, site: Site, called: str) -> Iterator[Association]:
        roles = [build_role(CTImageStorage, scu_role=True, scp_role=True)]
        association = self.ae.associate(
            "127.0.0.1", site.dimse_port, ae_title=called, ext_neg=roles, evt_handlers=self.handlers
        )
        assert association.is_established
        yield association
        association.release()


def keys(**values: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword, value in {"StudyInstanceUID": "", "PatientID": "", "PatientName": "", **values}.items():
        setattr(identifier, keyword, value)
    return identifier


def found(association: Association, **values: str) -> list[Dataset]:
    return [match for status, match in association.send_c_find(keys(**values), FIND) if match is not None]


def test_an_archive_and_a_view(make_site: Callable[..., Site]) -> None:
    site, workstation = make_site(), Workstation()
    (site.folder / "keys" / "second.key").write_text(KEYS["b"] + "\n")
    (site.folder / "keys" / "second.key").chmod(0o600)
    second = {
        "ae_titles": ["SECOND"], "path": "second", "profile": "research", "key_file": "keys/second.key",
        "destinations": ["archive"], "read": {"from": "first", "mode": "view"}, "move_destinations": ["WS1"],
    }  # fmt: skip
    site.edit(
        {
            "upstreams": {"first": {"type": "archive", "project": "research"}},
            "projects.second": second,
            "move_destinations": {"WS1": {"host": "127.0.0.1", "port": workstation.port}},
        }
    )
    site.start()
    planted = fresh()
    c_store(site.dimse_port, planted.part10)
    with workstation.on(site, "VEIL") as first, workstation.on(site, "SECOND") as second_:
        until(lambda: bool(found(first)), 30, "the instance is in the archive")
        (archived,), (viewed,) = found(first), found(second_)
        assert archived.StudyInstanceUID != viewed.StudyInstanceUID
        assert archived.PatientID != viewed.PatientID
        assert found(second_, PatientID=viewed.PatientID) == [viewed]
        assert found(second_, PatientID=archived.PatientID) == []
        (refused,) = [status.Status for status, _ in second_.send_c_find(keys(PatientName="A*"), FIND)]
        assert refused == 0xC001
        for association, match in ((first, archived), (second_, viewed)):
            answers = [status for status, _ in association.send_c_get(match, GET)]
            assert (answers[-1].Status, answers[-1].NumberOfCompletedSuboperations) == (0, 1)
            assert workstation.kept[-1].StudyInstanceUID == match.StudyInstanceUID
            assert workstation.kept[-1].PatientID == match.PatientID
        moved = [status for status, _ in second_.send_c_move(viewed, "WS1", MOVE)]
        assert (moved[-1].Status, moved[-1].NumberOfCompletedSuboperations) == (0, 1)
        assert workstation.kept[-1] == workstation.kept[-2]
        (unknown,) = [status.Status for status, _ in first.send_c_move(archived, "WS1", MOVE)]
        assert unknown == 0xA801  # the first project does not name it
    workstation.ae.shutdown()
    said = repr((archived, viewed, workstation.kept))
    assert not [marker for marker in MARKERS if marker in said]
    assert site.stop() == 0


def test_what_is_read_by_known_callers_over_http_is_not_read_by_anybody(make_site: Callable[..., Site]) -> None:
    site, workstation = make_site(), Workstation()
    site.edit({"http.auth": {"tokens_file": "keys/tokens.yaml"}})
    make_token(site, "reader", "research:search")
    site.start()
    association = workstation.ae.associate("127.0.0.1", site.dimse_port, ae_title="VEIL")
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    association.release()
    workstation.ae.shutdown()
    assert accepted == {CTImageStorage}
    assert site.stop() == 0
