"""Query/Retrieve by TLS: who is known by his certificate, what he may do, and a third party that wants TLS too."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes them at run time
    CTImageStorage,
)
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE

from proxy.archive.archive import EmbeddedArchive
from proxy.config_tls import DimseTls
from proxy.service.callers import Verb
from proxy.service.known_peers import KnownPeer
from proxy.service.peers import Admission
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.tls import tls_of
from tests.authorities import keep, leaf, trust
from tests.dimse.conversation import part10
from tests.peers.querying import Peers, Program, Run, querying, read
from tests.peers.test_dcmtk_tls import pacs, towards
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, small

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
STUDY = f"{ROOT}1.100000001"
OF = {"searcher": frozenset({Verb.SEARCH}), "workstation": frozenset({Verb.SEARCH, Verb.RETRIEVE})}


@pytest.fixture
async def veil(
    program: Program, run: Run, tmp_path: Path, free_port: Callable[[], int]
) -> AsyncIterator[tuple[Peers, int]]:
    """Two peers that are known by their certificates; the port of ``THIRD``."""
    kept, audit, third = EmbeddedArchive(tmp_path / "archive"), Audit(), free_port()
    await kept.start()
    await kept.store("research", part10(tmp_path, small(1)))
    known = [KnownPeer(name, {"research": verbs}, names=frozenset({f"{name}.example"})) for name, verbs in OF.items()]
    port_tls = tls_of(DimseTls(**keep(tmp_path, "server", leaf("veil")), ca_file=trust(tmp_path, 0)))
    (tmp_path / "received").mkdir()
    async with querying(
        Search(kept, audit),
        Retrieve(kept, audit),
        audit,
        {"THIRD": third},
        port_tls,
        Admission({"VEIL": "research"}, audit, known),
        towards(tmp_path, leaf("veil")),
    ) as port:
        yield Peers(port, program, run, tmp_path / "received", audit), third
    await kept.close()


async def find(veil: Peers, who: str) -> tuple[int, str]:
    files = keep(veil.folder.parent, who, leaf(who, (f"{who}.example",)))
    shown = ("+tls", files["key_file"], files["certificate_file"], "+cf", trust(veil.folder.parent, 0))
    return await veil.ask("findscu", "STUDY", f"StudyInstanceUID={STUDY}", options=("-S", *shown))


async def retrieve(veil: Peers, who: str, by: Any) -> list[int]:
    """The statuses of a C-GET or C-MOVE to ``THIRD`` by pynetdicom: these programs of DCMTK 3.6.7 have no TLS."""
    context = ssl.create_default_context(cafile=trust(veil.folder.parent, 0))
    files = keep(veil.folder.parent, who, leaf(who, (f"{who}.example",)))
    context.load_cert_chain(files["certificate_file"], files["key_file"])
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", STUDY

    def ask() -> list[int]:
        ae = AE("WS1")
        ae.add_requested_context(by)
        ae.add_requested_context(CTImageStorage)
        kept = [(evt.EVT_C_STORE, lambda event: 0)]
        roles = [build_role(CTImageStorage, scp_role=True)]
        association = ae.associate(
            "127.0.0.1", veil.port, ae_title="VEIL", ext_neg=roles, evt_handlers=kept, tls_args=(context, "127.0.0.1")
        )
        assert association.is_established
        asked = (
            association.send_c_get(identifier, by) if by == GET else association.send_c_move(identifier, "THIRD", by)
        )
        statuses = [status.Status for status, _ in asked]
        association.release()
        return statuses

    return await asyncio.to_thread(ask)


async def test_who_may_what(veil: tuple[Peers, int], program: Program) -> None:
    peers, third = veil
    for who in OF:
        status, output = await find(peers, who)
        assert status == 0
        assert "DIMSE Status                  : 0x0000" in output
    for by in (GET, MOVE):
        assert await retrieve(peers, "searcher", by) == [0x0124]
    assert [event.reason for event in peers.audit.events if event.type == "denied"] == ["insufficient-scope"] * 2
    assert (await retrieve(peers, "workstation", GET))[-1] == 0
    assert (await retrieve(peers, "workstation", MOVE))[-1] == 0xA702  # nobody is there yet
    async with pacs(program, third, peers.folder.parent) as received:
        assert (await retrieve(peers, "workstation", MOVE))[-1] == 0
        assert [one.StudyInstanceUID for one in read(received)] == [STUDY]
    status, output = await find(peers, "stranger")
    assert status != 0
    assert "Calling AE Title Not Recognized" in output
    callers = {event.peer.get("caller") for event in peers.audit.events if event.type == "retrieved"}
    assert callers == {"peer:workstation"}
