"""DCMTK with TLS and identities: who is let in on our port, where our own associations go, and what a renewal does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from proxy.config_tls import ClientTls, DimseTls
from proxy.dimse.association import Association
from proxy.dimse.connecting import ConnectionFailed, connect
from proxy.dimse.requestor import Destination
from proxy.dimse.scu import DimseSender
from proxy.dimse.services import Verification
from proxy.errors import DeliveryTransient
from proxy.service.callers import StoredToken, Verb
from proxy.service.known_peers import KnownPeer
from proxy.service.peers import Admission
from proxy.service.static_tokens import StaticCallers, digest_of, new_token
from proxy.tls import Renewable, context_of, tls_of
from proxy.wire.command import C_ECHO_RQ, Command
from proxy.wire.negotiation import ProposedContext
from tests.authorities import keep, leaf, root, trust
from tests.dimse.servers import ROUTES, Serve
from tests.peers.test_dcmtk_dimse import Program, Run, bundled, queue_row, storescp
from tests.service.fakes import Audit

pytestmark = pytest.mark.peer

MODALITY = leaf("ct-1", ("ct-1.example.org",))
LATE = leaf("ct-1", ("ct-1.example.org",), late=True)
FOREIGN = leaf("ct-1", ("ct-1.example.org",), signer=1)
GRANTS = {"research": frozenset({Verb.STORE})}
ECHO = ProposedContext(1, Verification.SOP_CLASS, ("1.2.840.10008.1.2",))
SECONDS = 20.0


class Port:
    """Our port with TLS, and DCMTK as who comes."""

    def __init__(self, folder: Path, program: Program, run: Run, audit: Audit) -> None:
        self.folder, self.program, self.run, self.audit = folder, program, run, audit
        self.settings = DimseTls(**keep(folder, "server", leaf("veil")), ca_file=trust(folder, 0))
        self.tls = tls_of(self.settings)
        self.number = self.clients = 0

    def shown(self, pair: Any, trusted: int = 0) -> list[str]:
        """DCMTK's options for a certificate, and for the authority that it trusts."""
        self.clients += 1
        files = keep(self.folder, f"client{self.clients}", pair)
        return ["+tls", files["key_file"], files["certificate_file"], "+cf", trust(self.folder, trusted)]

    async def echo(self, *options: str, calling: str = "CT1", called: str = "VEIL") -> tuple[int, str]:
        started = time.monotonic()
        echoscu = self.program("echoscu")
        told = await self.run(
            echoscu, *options, "-v", "-aet", calling, "-aec", called, "127.0.0.1", self.number, seconds=SECONDS
        )
        assert time.monotonic() - started < SECONDS
        return told

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.audit.events if event.type == "denied"]


@pytest.fixture
async def port(serve: Serve, program: Program, run: Run, tmp_path: Path) -> Port:
    audit = Audit()
    made = Port(tmp_path, program, run, audit)
    known = KnownPeer(
        "ct-1", GRANTS, frozenset({"CT1"}), (ip_network("127.0.0.0/8"),), names=frozenset({"ct-1.example.org"})
    )
    server = await serve(gatekeeper=Admission(ROUTES, audit, [known]), tls=made.tls, audit=audit, first_seconds=2)
    made.number = server.port
    return made


async def test_mutual_tls(port: Port, ingest: Any) -> None:
    assert (await port.echo(*port.shown(MODALITY)))[0] == 0
    file = bundled("CT_small.dcm")
    options = [*port.shown(MODALITY), "-aet", "CT1", "-aec", "VEIL"]
    status, said = await port.run(port.program("storescu"), *options, "127.0.0.1", port.number, file)
    assert status == 0, said
    ((project, _, _, peer),) = ingest.received
    assert (project, peer.name, peer.calling_ae, peer.address) == ("research", "peer:ct-1", "CT1", "127.0.0.1")
    assert port.reasons == []


async def test_who_cannot_agree_on_tls_stays_outside_and_hurts_nobody(port: Port) -> None:
    wrong = {
        "no certificate": ["+tla", "+cf", trust(port.folder, 0)],
        "another authority": port.shown(FOREIGN),
        "a late one": port.shown(LATE),
        "a server that is not trusted": port.shown(MODALITY, trusted=1),
        "no TLS": [],
    }
    for what, options in wrong.items():
        status, said = await port.echo(*options)
        assert status != 0, (what, said)
        assert (await port.echo(*port.shown(MODALITY)))[0] == 0, what
    assert port.reasons == []  # nobody has got as far as to say who he is


async def test_a_server_certificate_that_has_ended(port: Port) -> None:
    keep(port.folder, "server", leaf("veil", late=True))
    port.tls.take(context_of(port.settings))
    assert (await port.echo(*port.shown(MODALITY)))[0] != 0


async def test_tls_to_a_port_without_it(serve: Serve, port: Port) -> None:
    port.number = (await serve()).port
    assert (await port.echo(*port.shown(MODALITY)))[0] != 0
    assert (await port.echo())[0] == 0


async def test_all_that_stands_at_a_peer_must_hold(port: Port) -> None:
    """Table 9-21 of PS3.8, as DCMTK says it."""
    wrong = {
        "unknown-calling-ae": (port.shown(MODALITY), "CT2", "VEIL", "Calling AE Title Not Recognized"),
        "wrong-certificate": (port.shown(leaf("mr", ("mr.example.org",))), "CT1", "VEIL", "Calling AE Title Not"),
        "no-such-project": (port.shown(MODALITY), "CT1", "OTHER AE", "Called AE Title Not Recognized"),
        "unknown-called-ae": (port.shown(MODALITY), "CT1", "NOBODY", "Called AE Title Not Recognized"),
    }
    for reason, (options, calling, called, expected) in wrong.items():
        status, said = await port.echo(*options, calling=calling, called=called)
        assert status != 0
        assert expected in said
        assert port.reasons[-1] == reason
    assert len(port.reasons) == len(wrong)


async def _pong(association: Association) -> int:
    context = association.context_for(Verification.SOP_CLASS)
    assert context is not None
    command = Command(C_ECHO_RQ, AffectedSOPClassUID=context.abstract, MessageID=association.next_id())
    return (await association.ask(context, command)).command.status


async def test_a_renewal_counts_for_those_who_come_and_not_for_those_who_are_there(port: Port) -> None:
    client = ClientTls(**keep(port.folder, "standing", MODALITY), ca_file=trust(port.folder, 0))
    standing = await connect(Destination("127.0.0.1", port.number, "VEIL", "CT1", SECONDS, tls_of(client)), [ECHO])
    assert await _pong(standing) == 0
    keep(port.folder, "server", leaf("veil", signer=1))
    (port.folder / "ca0.pem").write_bytes(root(1).certificate_pem)
    port.tls.take(context_of(port.settings))
    assert (await port.echo(*port.shown(FOREIGN, trusted=1)))[0] == 0
    assert (await port.echo(*port.shown(MODALITY, trusted=1)))[0] != 0  # its authority is trusted no more
    assert (await port.echo(*port.shown(FOREIGN, trusted=2)))[0] != 0
    assert await _pong(standing) == 0
    await standing.release()


# -- identities


class Identified(Port):
    """A port without TLS that wants a user."""

    def __init__(self, folder: Path, program: Program, run: Run) -> None:
        super().__init__(folder, program, run, Audit())
        self.token = new_token()
        stored = [StoredToken("ws-1", digest_of(self.token), {"*": frozenset(Verb)})]
        callers = [StaticCallers(lambda: stored, self.audit)]
        self.gate = Admission(ROUTES, self.audit, [], callers, frozenset({"research"}))

    async def user(self, *options: str, called: str = "VEIL") -> tuple[int, str]:
        command = [self.program("storescu"), *options, "-aec", called, "127.0.0.1", self.number]
        return await self.run(*command, bundled("CT_small.dcm"), seconds=SECONDS)


@pytest.fixture
async def identified(serve: Serve, program: Program, run: Run, tmp_path: Path) -> Identified:
    made = Identified(tmp_path, program, run)
    made.number = (await serve(gatekeeper=made.gate, audit=made.audit)).port
    return made


async def test_users(identified: Identified, ingest: Any, tmp_path: Path) -> None:
    good = ["-usr", "ws-1", "-pwd", identified.token]
    for options in (good, [*good, "-rsp"]):
        status, said = await identified.user(*options)
        assert status == 0, said
        assert ingest.received[-1][3].name == "token:ws-1"
    (tmp_path / "file").write_text("<Assertion/>")
    wrong: list[tuple[list[str], str]] = [
        ([], "no-identity"),
        (["-usr", "ws-1"], "unproven-identity"),
        (["-usr", "ws-2", "-pwd", identified.token], "wrong-name"),
        (["-usr", "ws-1", "-pwd", new_token()], "unknown-token"),
        (["-usr", "ws-1", "-epw"], "malformed-token"),
        (["-kt", str(tmp_path / "file")], "unsupported-identity"),
        (["--saml", str(tmp_path / "file")], "unsupported-identity"),
        (["--jwt", str(tmp_path / "file")], "unknown-token"),
    ]
    for options, reason in wrong:
        status, said = await identified.user(*options)
        assert status != 0
        assert "No Reason" in said
        assert identified.reasons[-1] == reason
    assert (await identified.user(called="OTHER AE"))[0] == 0  # which asks nobody
    assert len(ingest.received) == 3


# -- towards a PACS


@asynccontextmanager
async def pacs(program: Program, port: int, folder: Path, *options: str) -> AsyncIterator[Path]:
    """storescp with TLS that wants a certificate of authority 0."""
    files = keep(folder, "pacs", leaf("pacs", ("pacs.example.org",)))
    received = folder / "received"
    received.mkdir(exist_ok=True)
    tls = ["+tls", files["key_file"], files["certificate_file"], "+cf", trust(folder, 0)]
    async with storescp(program, port, received, *tls, *options):
        yield received


def towards(folder: Path, pair: Any = None, **more: Any) -> Renewable:
    mine = keep(folder, "ours", pair) if pair is not None else {}
    return tls_of(ClientTls(**{**mine, "ca_file": trust(folder, 0), "server_name": "pacs.example.org", **more}))


async def test_instances_go_out_by_tls(program: Program, free_port: Callable[[], int], tmp_path: Path) -> None:
    number, file = free_port(), bundled("CT_small.dcm")
    async with pacs(program, number, tmp_path) as received:
        sender = DimseSender(Destination("127.0.0.1", number, "PACS", "VEIL", SECONDS, towards(tmp_path, MODALITY)))
        await sender.send(queue_row(file), file)
        await sender.close()
        assert len(list(received.iterdir())) == 1
        wrong = {
            "as nobody": towards(tmp_path),
            "as somebody else": towards(tmp_path, FOREIGN),
            "another name": towards(tmp_path, MODALITY, server_name="other.example.org"),
            "the name of the host": towards(tmp_path, MODALITY, server_name=None),
            "another authority": towards(tmp_path, MODALITY, ca_file=trust(tmp_path, 1)),
            "no TLS": None,
        }
        for what, tls in wrong.items():
            sender = DimseSender(Destination("127.0.0.1", number, "PACS", "VEIL", SECONDS, tls))
            with pytest.raises(DeliveryTransient):
                await sender.send(queue_row(file), file)
            await sender.close()
            assert len(list(received.iterdir())) == 1, what
        anybody = towards(tmp_path, MODALITY, server_name=None, check_name=False)
        await (await connect(Destination("127.0.0.1", number, "PACS", "VEIL", SECONDS, anybody), [ECHO])).release()


async def test_tls_to_a_pacs_without_it(program: Program, free_port: Callable[[], int], tmp_path: Path) -> None:
    number = free_port()
    async with storescp(program, number, tmp_path):
        to = Destination("127.0.0.1", number, "PACS", "VEIL", 3.0, towards(tmp_path, MODALITY))
        with pytest.raises(ConnectionFailed):
            async with asyncio.timeout(5):
                await connect(to, [ECHO])
