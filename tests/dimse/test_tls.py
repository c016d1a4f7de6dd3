"""Associations over TLS, without foreign programs but pynetdicom: whole instances, ends of every kind, nothing left."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt

from proxy.config_tls import ClientTls, DimseTls
from proxy.dimse.association import Association
from proxy.dimse.connecting import ConnectionFailed, connect
from proxy.dimse.requestor import Destination
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Verification
from proxy.tls import tls_of
from proxy.wire.command import C_ECHO_RQ, Command
from proxy.wire.negotiation import ProposedContext
from tests.authorities import keep, leaf, trust
from tests.dimse.servers import Serve
from tests.dimse.test_scp import instance

ECHO = ProposedContext(1, Verification.SOP_CLASS, ("1.2.840.10008.1.2",))


class Ends:
    """Both ends' TLS, and a server with it."""

    def __init__(self, folder: Path) -> None:
        both = {"ca_file": trust(folder, 0)}
        self.server = tls_of(DimseTls(**keep(folder, "server", leaf("veil")), **both))
        self.mine = keep(folder, "client", leaf("ct-1", ("ct-1", "localhost")))
        self.client = tls_of(ClientTls(**self.mine, **both))
        self.authorities = both["ca_file"]

    def foreign(self, server: bool = False) -> ssl.SSLContext:
        """What the standard library makes of the same files."""
        made = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH, cafile=self.authorities
        )
        made.load_cert_chain(self.mine["certificate_file"], self.mine["key_file"])
        made.verify_mode = ssl.CERT_REQUIRED
        return made

    async def open(self, server: DimseServer) -> Association:
        return await connect(Destination("127.0.0.1", server.port, "VEIL", "CT1", 5.0, self.client), [ECHO])


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path)


async def pong(association: Association) -> int:
    context = association.context_for(Verification.SOP_CLASS)
    assert context is not None
    command = Command(C_ECHO_RQ, AffectedSOPClassUID=context.abstract, MessageID=association.next_id())
    return (await association.ask(context, command)).command.status


async def left(server: DimseServer, count: int = 0) -> None:
    """Waits until there are so many connections."""
    async with asyncio.timeout(5):
        while server.connections != count:
            await asyncio.sleep(0.01)


async def test_who_is_there_is_known_by_its_certificate(serve: Serve, ends: Ends) -> None:
    server = await serve(tls=ends.server)
    association = await ends.open(server)
    assert await pong(association) == 0
    (theirs,) = server._associated
    der = ssl.PEM_cert_to_DER_cert(Path(ends.mine["certificate_file"]).read_text())
    assert (theirs.remote.address, theirs.remote.certificate) == ("127.0.0.1", der)
    assert association.remote.certificate is not None
    await association.release()
    await left(server)


async def test_pynetdicom_sends_large_instances(serve: Serve, ingest: Any, ends: Ends) -> None:
    server = await serve(tls=ends.server)
    dataset = instance(9 << 20)

    def send() -> int:
        ae = AE("CT1")
        wanted = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
        association = ae.associate(
            "127.0.0.1", server.port, wanted, "VEIL", tls_args=(ends.foreign(), "localhost"), max_pdu=0
        )
        assert association.is_established
        statuses = [association.send_c_store(dataset).Status for _ in range(3)]
        association.release()
        return max(statuses)

    assert await asyncio.to_thread(send) == 0
    assert [part10[-(9 << 20) :] == dataset.PixelData for _, part10, _, _ in ingest.received] == [True] * 3
    await left(server)


async def test_we_reach_pynetdicom(ends: Ends) -> None:
    ae = AE("PACS")
    ae.add_supported_context(Verification.SOP_CLASS)
    seen: list[str] = []
    theirs = ae.start_server(
        ("127.0.0.1", 0), block=False, ssl_context=ends.foreign(True),
        evt_handlers=[(evt.EVT_C_ECHO, lambda event: (seen.append(event.assoc.requestor.ae_title), 0)[1])],
    )  # fmt: skip
    to = Destination("127.0.0.1", theirs.server_address[1], "PACS", "VEIL", 5.0)
    try:
        named = tls_of(ClientTls(**ends.mine, ca_file=ends.authorities, server_name="ct-1"))
        association = await connect(
            Destination(to.host, to.port, to.called_ae, to.calling_ae, to.seconds, named), [ECHO]
        )
        assert await pong(association) == 0
        await association.release()
        wrong = Destination(to.host, to.port, to.called_ae, to.calling_ae, to.seconds, ends.client)
        with pytest.raises(ConnectionFailed, match="tls"):  # its certificate has another name
            await connect(wrong, [ECHO])
    finally:
        await asyncio.to_thread(theirs.shutdown)
        theirs.server_close()
    assert seen == ["VEIL"]


async def test_every_end_gives_everything_back(serve: Serve, ends: Ends) -> None:
    server = await serve(tls=ends.server)
    aborted, cut, standing = [await ends.open(server) for _ in range(3)]
    aborted.abort()
    cut.stream.hang_up()  # without a word, and without one of TLS
    await left(server, 1)
    assert await pong(standing) == 0
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=ends.client)
    writer.write(b"\x16\x03\x01 this is no PDU")
    assert (await asyncio.wait_for(reader.read(100), 5))[:1] in (b"\x07", b"")  # A-ABORT
    writer.close()
    await left(server, 1)
    started = asyncio.get_running_loop().time()
    await server.stop(0.2)
    assert asyncio.get_running_loop().time() - started < 3
    await asyncio.wait_for(standing.gone.wait(), 5)
    assert server.connections == 0


async def test_who_has_agreed_on_tls_and_says_nothing_ends_with_artim(serve: Serve, ends: Ends) -> None:
    server = await serve(tls=ends.server, first_seconds=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=ends.client)
    assert await asyncio.wait_for(reader.read(1), 5) == b""
    writer.close()
    await left(server)
