"""Orthanc with TLS, both ways: it sends to us, we send to it, each showing and verifying a certificate."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.config_tls import ClientTls, DimseTls
from proxy.dimse.requestor import Destination
from proxy.dimse.scu import DimseSender
from proxy.errors import DeliveryTransient
from proxy.service.callers import Verb
from proxy.service.known_peers import KnownPeer
from proxy.service.peers import Admission
from proxy.tls import context_of, tls_of
from tests.authorities import keep, leaf, trust
from tests.dimse.servers import ROUTES, Serve
from tests.peers.pacs import Orthanc, run_orthanc
from tests.peers.test_dcmtk_dimse import bundled, queue_row
from tests.service.fakes import Audit

pytestmark = pytest.mark.peer


def sent(orthanc: Orthanc, path: str, document: Any, method: str = "POST") -> int:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(orthanc.rest + path, body, method=method), timeout=30
        ) as said:
            return int(said.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_both_ways(
    serve: Serve,
    ingest: Any,
    program: Callable[[str], Path],
    free_port: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    theirs = keep(tmp_path, "orthanc", leaf("orthanc", ("orthanc.example.org", "127.0.0.1")))
    authorities = trust(tmp_path, 0)
    audit = Audit()
    known = KnownPeer("pacs", {"research": frozenset({Verb.STORE})}, names=frozenset({"orthanc.example.org"}))
    settings = DimseTls(**keep(tmp_path, "veil", leaf("veil")), ca_file=authorities)
    tls = tls_of(settings)
    server = await serve(gatekeeper=Admission(ROUTES, audit, [known]), tls=tls, audit=audit)
    modality = {"AET": "VEIL", "Host": "127.0.0.1", "Port": server.port, "UseDicomTls": True}
    more = {
        "DicomTlsEnabled": True, "DicomTlsCertificate": theirs["certificate_file"],
        "DicomTlsPrivateKey": theirs["key_file"], "DicomTlsTrustedCertificates": authorities,
        "DicomTlsRemoteCertificateRequired": True, "DicomModalities": {"veil": modality},
    }  # fmt: skip
    ports = (free_port(), free_port())
    with run_orthanc(program("orthanc"), ports, tmp_path, more=more) as orthanc:
        file = bundled("CT_small.dcm")
        assert await asyncio.to_thread(sent, orthanc, "/modalities/veil/echo", {}) == 200
        assert await asyncio.to_thread(sent, orthanc, "/instances", file.read_bytes()) == 200
        (key,) = orthanc.get("/instances")
        assert await asyncio.to_thread(sent, orthanc, "/modalities/veil/store", [key]) == 200
        assert [peer.name for _, _, _, peer in ingest.received] == ["peer:pacs"]

        for pair, works in ((leaf("veil"), True), (leaf("veil", signer=1), False), (None, False)):
            mine = keep(tmp_path, "ours", pair) if pair is not None else {}
            shown = tls_of(ClientTls(**mine, ca_file=authorities, server_name="orthanc.example.org"))
            sender = DimseSender(Destination("127.0.0.1", orthanc.dimse_port, "ORTHANC", "VEIL", 20.0, shown))
            if works:
                await sender.send(queue_row(file), file)
            else:
                with pytest.raises(DeliveryTransient):
                    await sender.send(queue_row(file), file)
            await sender.close()

        keep(tmp_path, "veil", leaf("veil", signer=1))
        tls.take(context_of(settings))
        assert await asyncio.to_thread(sent, orthanc, "/modalities/veil/echo", {}) != 200  # it trusts us no more
