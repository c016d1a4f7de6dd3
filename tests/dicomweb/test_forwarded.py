from __future__ import annotations

import base64
import hashlib
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from multidict import CIMultiDict

from proxy.dicomweb.forwarded import Forwarded, Hops
from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from tests.deid.officers import certificate, ec_key

HOPS = Hops([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("127.0.0.1/32")])


def read(remote: str, *headers: tuple[str, str], hops: Hops = HOPS) -> Forwarded:
    request = make_mocked_request("GET", "/", headers=CIMultiDict(headers))
    return hops.read(request.clone(remote=remote))


EVERYTHING = [
    ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "pacs.example.org"),
    ("X-Forwarded-Prefix", "/veil/"),
]  # fmt: skip


def test_a_trusted_hop_is_believed() -> None:
    said = Forwarded("203.0.113.9", "https", "pacs.example.org", "/veil")
    for hop in ("10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"):
        assert read(hop, *EVERYTHING) == said


@pytest.mark.parametrize("remote", ["203.0.113.1", "11.0.0.1", "2001:db9::1", "", "unix"])
def test_nobody_else_is(remote: str) -> None:
    assert read(remote, *EVERYTHING) == Forwarded(remote)
    assert read("10.0.0.1", *EVERYTHING, hops=Hops()) == Forwarded("10.0.0.1")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what the client itself has typed stands to the left
        ("10.9.9.9, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db9::1]:80", "2001:db9::1"),
        ("2001:db9::1", "2001:db9::1"),
        ("10.0.0.7", "10.0.0.7"),
        ("unknown", "10.0.0.1"),
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("1.1.1.1, <script>, 10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_client_is_the_first_that_is_not_ours(chain: str, client: str) -> None:
    assert read("10.0.0.1", ("X-Forwarded-For", chain)).address == client


def test_several_headers_are_one_list_and_the_nearest_hop_has_the_last_word() -> None:
    assert read("10.0.0.1", ("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")).address == "203.0.113.9"
    said = read("10.0.0.1", ("X-Forwarded-Host", "evil.example, good.example"), ("X-Forwarded-Proto", "http, HTTPS"))
    assert (said.host, said.scheme) == ("good.example", "https")


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "", "-a", 'a"', "a:b", "a:123456", "[zz]", "http://a"])
@pytest.mark.parametrize("prefix", ["veil", "//evil.example", "/a?b", "/a b", '/"', "/%2e"])
def test_what_is_neither_host_nor_path_is_not_believed(host: str, prefix: str) -> None:
    said = read("10.0.0.1", ("X-Forwarded-Host", host), ("X-Forwarded-Prefix", prefix), ("X-Forwarded-Proto", "ftp"))
    assert said == Forwarded("10.0.0.1")


PEM = certificate(ec_key())
DER = load_pem_x509_certificate(PEM.encode()).public_bytes(Encoding.DER)
STANDARD = f":{base64.b64encode(DER).decode()}:"


@pytest.mark.parametrize(
    "said", [STANDARD, quote(PEM), quote(PEM, safe="")], ids=["standard", "quoted", "quoted whole"]
)
def test_a_certificate_is_known_however_it_is_handed_on(said: str) -> None:
    hops = Hops([ip_network("10.0.0.0/8")], "Client-Cert")
    assert read("10.0.0.1", ("Client-Cert", said), hops=hops).certificate == hashlib.sha256(DER).hexdigest()
    assert read("203.0.113.1", ("Client-Cert", said), hops=hops).certificate == ""
    assert read("10.0.0.1", ("Client-Cert", said)).certificate == "", "no header is configured"
    assert read("10.0.0.1", ("X-Client-Cert", said), hops=hops).certificate == ""


@pytest.mark.parametrize("said", ["", ":", "::", ":!:", "x", "a" * 64, "-----BEGIN", "%"])
def test_what_is_no_certificate(said: str) -> None:
    hops = Hops([ip_network("10.0.0.0/8")], "Client-Cert")
    assert read("10.0.0.1", ("Client-Cert", said), hops=hops).certificate == ""
    twice = [("Client-Cert", STANDARD), ("Client-Cert", said)]
    assert read("10.0.0.1", *twice, hops=hops).certificate == ""


@pytest.mark.parametrize("trusted", [True, False])
async def test_urls_in_answers_stand_on_what_is_believed(site: Any, trusted: bool) -> None:
    await site.keep(site.instance())
    hops = Hops([ip_network("127.0.0.1/32")] if trusted else [])
    search, retrieve = Search(site.archive, site.audit), Retrieve(site.archive, site.audit)
    for public_url in (None, "https://fixed.example"):
        server = DicomwebServer(
            "127.0.0.1", 0, public_url, {"research": "research"}, site.ingest, search, retrieve, site.audit,
            lambda: None, 1, 1, hops=hops,
        )  # fmt: skip
        await server.start()
        own = f"http://127.0.0.1:{server.port}"
        base = public_url or ("https://pacs.example.org/veil" if trusted else own)
        async with site.http.get(f"{own}/dicomweb/research/studies", headers=dict(EVERYTHING)) as response:
            (study,) = await response.json(content_type=None)
        assert study["00081190"]["Value"] == [f"{base}/dicomweb/research/studies/2.25.1"]
        await server.stop(0)
