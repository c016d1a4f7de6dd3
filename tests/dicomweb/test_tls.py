"""The server with TLS: its own, with certificates of clients that it verifies itself."""

from __future__ import annotations

import asyncio
import base64
import ssl
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.commands import health
from proxy.config_tls import ClientTls, HttpTls
from proxy.dicomweb.client import DicomwebSender
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.outgoing import open_session
from proxy.errors import DeliveryTransient, Unavailable
from proxy.service.callers import StoredToken, Verb
from proxy.service.ports import QueueRow
from proxy.tls import tls_of
from tests.authorities import keep, leaf, trust
from tests.dicomweb.door import Door

VIEWER, OTHER = leaf("viewer", ("viewer",)), leaf("other", ("other",))
STUDIES = "/dicomweb/research/studies"


def digest(pair: Any) -> str:
    return str(pair.certificate.fingerprint(SHA256()).hex())


def serving(folder: Path, kind: str) -> ssl.SSLContext:
    more = {} if kind == "none" else {"ca_file": trust(folder)}
    return tls_of(HttpTls(**keep(folder, "server", leaf("veil")), **more, client_certificates=kind))


def asking(folder: Path, pair: Any = None) -> ssl.SSLContext:
    mine = keep(folder, "client", pair) if pair is not None else {}
    return tls_of(ClientTls(**mine, ca_file=trust(folder)))


class Asked(Door):
    """A door whose address begins with https."""

    folder: Path

    def known(self, pair: Any, name: str = "gateway") -> None:
        self.tokens.append(StoredToken(name, digest(pair), {"research": frozenset(Verb)}, None, certificate=True))

    async def get(self, pair: Any = None, token: str = "", headers: Any = ()) -> int:
        url = self.root.replace("http:", "https:") + STUDIES
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            open_session(1, asking(self.folder, pair)) as session,
            session.get(url, headers={**sent, **dict(headers)}) as answer,
        ):
            return answer.status


@pytest.fixture
async def site_with_one(site: Any) -> Any:
    await site.keep(site.instance())
    return site


async def opened(site: Any, folder: Path, kind: str, hops: Hops | None = None) -> Any:
    door = Asked(site)
    door.folder = folder
    return door, door.open(hops=hops, tls=serving(folder, kind))


async def test_a_certificate_is_a_caller(site_with_one: Any, tmp_path: Path) -> None:
    door, running = await opened(site_with_one, tmp_path, "optional")
    door.known(VIEWER)
    async with running:
        assert await door.get(VIEWER) == 200
        assert door.events[-1].peer["caller"] == "certificate:gateway"
        assert await door.get(OTHER) == 401
        assert door.events[-1].reason == "unknown-certificate"
        assert await door.get() == 401
        assert door.events[-1].reason == "no-token"
        token = door.grant({"research": frozenset(Verb)}, "ohif")
        assert await door.get(VIEWER, token) == 200
        assert door.events[-1].peer["caller"] == "token:ohif"  # a request with a token is judged by the token
        assert await door.get(VIEWER, "veil_wrong") == 401
        door.tokens.clear()
        assert await door.get(VIEWER) == 401  # revoked: the next request is refused


async def test_nobody_shows_a_certificate_that_is_not_asked_for(site_with_one: Any, tmp_path: Path) -> None:
    door, running = await opened(site_with_one, tmp_path, "none")
    door.known(VIEWER)
    async with running:
        assert await door.get(VIEWER) == 401
        token = door.grant({"research": frozenset(Verb)})
        assert await door.get(None, token) == 200


async def test_a_required_one_is_required_before_the_first_byte(site_with_one: Any, tmp_path: Path) -> None:
    door, running = await opened(site_with_one, tmp_path, "required")
    door.known(VIEWER)
    async with running:
        before = len(door.events)
        for pair in (None, leaf("viewer", ("viewer",), signer=1)):
            with pytest.raises(aiohttp.ClientError):
                await door.get(pair)
        assert len(door.events) == before
        assert await door.get(VIEWER) == 200
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(door.root + STUDIES)  # plain, to a port with TLS


async def test_a_hop_hands_on_the_certificate_of_its_client_and_never_its_own(
    site_with_one: Any, tmp_path: Path
) -> None:
    header = ssl.PEM_cert_to_DER_cert(OTHER.certificate_pem.decode("ascii"))
    handed = {"Client-Cert": f":{base64.b64encode(header).decode()}:"}
    hops = Hops([ip_network("127.0.0.1/32")], "Client-Cert")
    door, running = await opened(site_with_one, tmp_path, "optional", hops)
    door.known(VIEWER, "hop")
    door.known(OTHER, "client")
    async with running:
        assert await door.get(VIEWER) == 401
        assert await door.get(VIEWER, headers=handed) == 200
        assert door.events[-1].peer["caller"] == "certificate:client"
    silent = Hops([ip_network("127.0.0.1/32")])
    door, running = await opened(site_with_one, tmp_path, "optional", silent)  # one that hands on nothing
    door.known(VIEWER, "hop")
    async with running:
        assert await door.get(VIEWER, headers=handed) == 401
    door, running = await opened(site_with_one, tmp_path, "optional")  # and from nobody else
    door.known(VIEWER, "hop")
    async with running:
        assert await door.get(VIEWER, headers=handed) == 200
        assert door.events[-1].peer["caller"] == "certificate:hop"


async def test_urls_in_answers_are_of_https(site_with_one: Any, tmp_path: Path) -> None:
    door, running = await opened(site_with_one, tmp_path, "none")
    async with running:
        token = door.grant({"research": frozenset(Verb)})
        async with open_session(1, asking(tmp_path)) as session:
            url = door.root.replace("http:", "https:")
            async with session.get(url + STUDIES, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert f'"{url}/dicomweb/research/studies/' in (await answer.text()).replace(r"\/", "/")


async def test_health_asks_by_https(site_with_one: Any, tmp_path: Path) -> None:
    door, running = await opened(site_with_one, tmp_path, "optional")
    async with running:
        port = int(door.root.rpartition(":")[2])
        assert "ready" in await asyncio.to_thread(health.ask, "127.0.0.1", port, True)
        with pytest.raises(Unavailable):
            await asyncio.to_thread(health.ask, "127.0.0.1", port, False)


async def test_veil_to_veil(site: Any, tmp_path: Path) -> None:
    """As a destination, with a certificate of our own; as nobody, or to somebody else, nothing leaves."""
    path = site.folder / "a"
    path.write_bytes(site.instance())
    row = QueueRow(1, "r", "d", "a", "0", 0, "1", "1", "2.25.1", "2.25.2", "2.25.3", "P", 0, 0.0)
    door, running = await opened(site, tmp_path, "required")
    door.known(VIEWER)
    async with running:
        url = door.root.replace("http:", "https:") + "/dicomweb/research"
        named = {"server_name": "other.example.org"}
        elsewhere = tls_of(ClientTls(**keep(tmp_path, "client", VIEWER), ca_file=trust(tmp_path), **named))
        for tls in (asking(tmp_path), elsewhere, None):
            sender = DicomwebSender(url, {}, 5.0, tls)
            with pytest.raises(DeliveryTransient):
                await sender.send(row, path)
            await sender.close()
        assert site.ingest.received == []
        sender = DicomwebSender(url, {}, 5.0, asking(tmp_path, VIEWER))
        await sender.send(row, path)
        await sender.close()
    assert [entry[3].name for entry in site.ingest.received] == ["certificate:gateway"]
