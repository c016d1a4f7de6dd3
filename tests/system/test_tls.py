"""A whole proxy with TLS on both ports, by the certificates of `veil certs dev`: peers, callers, a renewal."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Site, until
from tests.system.modality import Modality, Refused, split
from tests.system.planting import fresh

Make = Callable[..., Site]
#: A-ASSOCIATE-RJ: permanent, by the service user, calling AE title not recognized (PS3.8 table 9-21)
CALLING_UNKNOWN = "PDU 3 010103"


def records(site: Site, kind: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for line in lines if (record := json.loads(line))["type"] == kind]


def context(folder: Path, name: str = "") -> ssl.SSLContext:
    """A client that trusts the authority of ``folder`` and shows the certificate of ``name``."""
    made = ssl.create_default_context(cafile=folder / "ca.pem")
    if name:
        made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return made


def get(site: Site, path: str, tls: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection("localhost", site.http_port, timeout=10, context=tls)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def store(site: Site, tls: ssl.SSLContext | None, calling: str = "CT1") -> str:
    """ "stored", the PDU that refuses the association, or "lost"."""
    sop_class, sop_instance, syntax, dataset = split(fresh().part10)
    try:
        with Modality(site.dimse_port, [(sop_class, [syntax])], timeout=20, calling=calling, tls=tls) as modality:
            answer = modality.store(sop_class, sop_instance, dataset)
            modality.release()
    except Refused as refused:
        return str(refused)
    except OSError:
        return "lost"
    return "stored" if answer.status == 0 else f"{answer.status:04X}"


@pytest.fixture
def site(make_site: Make, tmp_path: Path) -> Site:
    certs = tmp_path / "certs"
    tls = {"certificate_file": f"{certs}/server.pem", "key_file": f"{certs}/server.key", "ca_file": f"{certs}/ca.pem"}
    peer = {"ae_titles": ["CT1"], "certificate_names": ["modality"], "projects": {"research": ["store"]}}
    site = make_site(
        changes={
            "dimse.tls": tls,
            "http.tls": {**tls, "client_certificates": "required"},
            "http.auth": {"tokens_file": "keys/tokens.yaml"},
            "peers": {"ct-1": peer},
        }
    )
    site.veil("certs", "dev", str(certs), check=True)
    scopes = [part for verb in ("search", "retrieve") for part in ("--scope", f"research:{verb}")]
    viewer = ["--name", "workstation", "--certificate", str(certs / "viewer.pem")]
    site.veil("token", "new", "-c", str(site.config), *viewer, *scopes, check=True)
    return site


def test_peers_callers_and_a_renewal(site: Site, tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    checked = site.veil("check", "-c", str(site.config))
    assert "dimse.tls: certificate until" in checked.stdout
    site.spawn()
    until(lambda: (site.data / "control.sock").exists(), 60, "the operator's socket is there")
    until(lambda: bool(site.control("/status")["ready"]), 60, "the proxy is ready")
    assert site.veil("health", "-c", str(site.config)).returncode == 0
    assert f"https://127.0.0.1:{site.http_port}/dicomweb/research" in site.log.read_text()

    assert store(site, context(certs, "modality")) == "stored"
    assert store(site, context(certs, "modality"), "CT2") == CALLING_UNKNOWN
    assert store(site, context(certs, "viewer")) == CALLING_UNKNOWN
    assert store(site, context(certs)) == "lost"
    assert store(site, None) == "lost"
    site.drain()
    assert len(site.archived()) == 1
    assert [record["peer"]["caller"] for record in records(site, "released")] == ["peer:ct-1"]
    assert [record["reason"] for record in records(site, "denied")] == ["unknown-calling-ae", "wrong-certificate"]

    studies = "/dicomweb/research/studies"
    assert get(site, studies, context(certs, "viewer")) == 200
    assert records(site, "query")[-1]["peer"]["caller"] == "certificate:workstation"
    assert get(site, studies, context(certs, "modality")) == 401
    with pytest.raises((OSError, http.client.HTTPException)):
        get(site, studies, context(certs))

    renewed(site, certs, tmp_path / "next")
    assert site.stop() == 0


def renewed(site: Site, certs: Path, following: Path) -> None:
    """A key without its certificate changes nothing; all of it together another authority. Without a restart."""
    site.veil("certs", "dev", str(following), check=True)
    shutil.copy(following / "server.key", certs / "server.key")
    refused = site.veil("reload", "-c", str(site.config))
    assert refused.returncode != 0
    assert "not the key of the certificate" in refused.stderr
    assert store(site, context(certs, "modality")) == "stored"
    (_,) = records(site, "certificates-refused")
    for name in ("server.pem", "ca.pem"):
        shutil.copy(following / name, certs / name)
    os.kill(site.pid, signal.SIGHUP)
    until(lambda: bool(records(site, "certificates-reloaded")), 60, "the new certificates are in force")
    assert store(site, context(following, "modality")) == "stored"
    assert get(site, "/readyz", context(following, "viewer")) == 200
