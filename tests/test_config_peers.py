"""Peers and TLS in veil.yaml: what the network may reach, and what is wrong is said with its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from proxy.admission import make_admission
from proxy.certificates import check_certificates, every_tls
from proxy.config import Config, load_config
from proxy.config_tls import ClientTls, ServerTls
from proxy.errors import ConfigError
from proxy.service.callers import Verb
from tests.authorities import keep, leaf, trust
from tests.service.fakes import Audit

TLS = {"certificate_file": "veil.pem", "key_file": "veil.key", "ca_file": "ca.pem"}
CLIENT = {"ca_file": "ca.pem", "certificate_file": "veil.pem", "key_file": "veil.key"}
PEER = {"addresses": ["10.1.2.0/28"], "projects": {"research": ["store"]}}
AUTH = {"tokens_file": "tokens.yaml"}
OPEN = "0.0.0.0"


def load(folder: Path, project: Any = (), **more: Any) -> Config:
    research = {"ae_titles": ["VEIL"], "path": "research", "key_file": "a.key", "destinations": ["archive"]}
    document = {
        "version": 1, "node_key_file": "node.key", "destinations": {"archive": {"type": "archive"}},
        "projects": {"research": {**research, **dict(project)}}, **more,
    }  # fmt: skip
    path = folder / "veil.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def test_the_network_may_reach_what_is_encrypted_and_knows_who_comes(tmp_path: Path) -> None:
    load(tmp_path, dimse={"host": OPEN, "tls": TLS}, peers={"ct-1": PEER}, http={"host": "127.0.0.1"})
    http = {"certificate_file": "veil.pem", "key_file": "veil.key"}
    load(tmp_path, http={"host": OPEN, "tls": http, "auth": AUTH})
    load(tmp_path, http={"host": OPEN, "tls": {**TLS, "client_certificates": "required"}})
    load(tmp_path, insecure_network=True, dimse={"host": OPEN}, http={"host": OPEN})
    load(tmp_path, insecure_network=True, dimse={"host": OPEN}, peers={"ct-1": {**PEER, "ae_titles": ["CT1"]}})
    load(tmp_path, peers={"ct-1": {"ae_titles": ["CT1"], "projects": {"*": ["store"]}}})  # on loopback a name will do


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"dimse": {"host": OPEN}}, "without dimse.tls Veil does not encrypt"),
        ({"dimse": {"host": OPEN, "tls": {**TLS, "client_certificates": "optional"}}}, "client_certificates: required"),
        ({"dimse": {"host": OPEN, "tls": TLS}}, "name the peers"),
        ({"http": {"host": OPEN, "auth": AUTH}}, "without http.tls Veil does not encrypt"),
        ({"http": {"host": OPEN, "tls": {**TLS, "client_certificates": "optional"}}}, "set http.auth"),
        ({"dimse": {"tls": {**TLS, "ca_file": None}}}, "required needs ca_file"),
        ({"dimse": {"tls": {**TLS, "client_certificates": "none"}}}, "asks for none"),
        ({"dimse": {"tls": {**TLS, "profile": "ssl3"}}}, "dimse.tls.profile"),
        ({"dimse": {"tls": {"certificate_file": "veil.pem"}}}, "dimse.tls.key_file"),
        ({"http": {"tls": {**TLS, "ca_file": None, "crl_file": "crl.pem"}}}, "crl_file"),
        ({"http": {"tls": TLS}}, "asks for none"),
        ({"peers": {"ct-1": {"projects": {"research": ["store"]}}}}, "by what this peer is known"),
        ({"peers": {"ct-1": {"ae_titles": ["CT1"]}}}, "may do nothing"),
        ({"peers": {"ct-1": {**PEER, "projects": {"research": []}}}}, "peers.ct-1.projects.research"),
        ({"peers": {"ct-1": {**PEER, "projects": {"research": ["admin"]}}}}, "peers.ct-1.projects.research"),
        ({"peers": {"ct-1": {**PEER, "projects": {"trial": ["store"]}}}}, "no project is called 'trial'"),
        ({"peers": {"ct-1": {**PEER, "addresses": ["0.0.0.0/0"]}}}, "everybody is no condition"),
        ({"peers": {"ct-1": {**PEER, "addresses": ["10.1.2.3/8"]}}}, "peers.ct-1.addresses"),
        ({"peers": {"ct-1": {**PEER, "certificate_sha256": ["abc"]}}}, "64 hexadecimal digits"),
        ({"peers": {"ct-1": {**PEER, "certificate_names": ["ct-1"]}}}, "asks nobody for one"),
        ({"peers": {"ct-1": {**PEER, "upstreams": ["old"]}}}, "no upstream with retrieve: move is called 'old'"),
        ({"peers": {"ct-1": {**PEER, "password": "x"}}}, "not known"),
        (
            {"insecure_network": True, "dimse": {"host": OPEN},
             "peers": {"ct-1": {"ae_titles": ["CT1"], "projects": {"research": ["store"]}}}},
            "an AE title is a name that anybody on the network can give",
        ),
        ({"project": {"identity": "required"}}, "nobody could be known"),
        ({"destinations": {"archive": {"type": "dicomweb", "url": "http://127.0.0.1/", "tls": CLIENT}}}, "https"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, **more)


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"certificate_file": "veil.pem"}, "belong together"),
        ({"check_name": False}, "ca_file of this PACS alone"),
        ({**CLIENT, "check_name": False, "server_name": "pacs"}, "no server_name"),
        ({"crl_file": "crl.pem"}, "crl_file"),
        ({"client_certificates": "none"}, "not known"),
    ],
)
def test_what_is_wrong_towards_a_pacs(tmp_path: Path, tls: dict[str, Any], said: str) -> None:
    pacs = {"type": "dimse", "host": "127.0.0.1", "port": 104, "called_ae": "PACS", "tls": tls}
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, destinations={"archive": pacs})


def _found(value: object) -> Iterator[ServerTls | ClientTls]:
    if isinstance(value, ServerTls | ClientTls):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _found(getattr(value, name))
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _found(each)


def everything(folder: Path) -> Config:
    """A document with TLS wherever there can be."""
    entity = {"type": "dimse", "host": "127.0.0.1", "port": 104, "called_ae": "PACS", "tls": CLIENT}
    web = {"type": "dicomweb", "url": "https://pacs.example.org", "tls": CLIENT}
    reached = {"host": "127.0.0.1", "port": 104, "tls": CLIENT}
    sinks = ["file", {"type": "syslog", "host": "siem", "tls": CLIENT}, {**web, "type": "http"}]
    return load(
        folder, {"clinical": "ris"}, dimse={"tls": TLS}, http={"tls": {**TLS, "client_certificates": "optional"}},
        destinations={"archive": {"type": "archive"}, "pacs": entity, "web": web},
        upstreams={"old": entity, "new": web}, move_destinations={"WS1": reached},
        clinical={"ris": {**reached, "called_ae": "RIS", "mpps": True}}, peers={"ct-1": PEER},
        commitment_reports={"requesters": {"CT1": reached}}, audit={"sinks": sinks},
    )  # fmt: skip


def _fields(model: type[BaseModel], seen: set[type]) -> Iterator[tuple[str, str]]:
    """Every field of the document that holds TLS."""
    seen.add(model)
    for name, field in model.model_fields.items():
        text = repr(field.annotation)
        if "Tls" in text:
            yield model.__name__, name
        for part in _models(field.annotation):
            if part not in seen and not issubclass(part, ServerTls | ClientTls):
                yield from _fields(part, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def test_every_tls_of_the_document_is_made(tmp_path: Path) -> None:
    """One that is named and not made would be silently none."""
    config = everything(tmp_path)
    found = list(_found(config))
    assert {id(tls) for tls in found} == {id(tls) for tls in every_tls(config).values()}
    assert len(found) == len(list(_fields(Config, set())))  # and the document above has them all
    for tls in found:
        assert tls.certificate_file == tmp_path / "veil.pem"
        assert tls.key_file == tmp_path / "veil.key"
        assert tls.ca_file == tmp_path / "ca.pem"


def test_check_looks_at_every_file(tmp_path: Path) -> None:
    config = everything(tmp_path)
    with pytest.raises(ConfigError, match=r"veil\.(pem|key)"):
        list(check_certificates(config))
    keep(tmp_path, "veil", leaf("veil"))
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        list(check_certificates(config))
    Path(trust(tmp_path)).rename(tmp_path / "ca.pem")
    lines = list(check_certificates(config))
    assert len(lines) == len(every_tls(config))
    day = leaf("veil").certificate.not_valid_after_utc
    assert lines[0] == f"dimse.tls: certificate until {day:%Y-%m-%d}"


def test_peers_become_what_admission_knows(tmp_path: Path) -> None:
    digest = "AB:" * 31 + "AB"
    peer = {
        "ae_titles": ["CT1"], "addresses": ["10.1.2.17"], "certificate_sha256": [digest],
        "certificate_names": ["CT-1.example.org"], "projects": {"research": ["store", "search"], "*": ["retrieve"]},
        "upstreams": ["old"],
    }  # fmt: skip
    old = {"type": "dimse", "host": "127.0.0.1", "port": 104, "called_ae": "PACS", "retrieve": "move", "move_ae": "MV"}
    config = load(tmp_path, dimse={"tls": TLS}, peers={"ct-1": peer}, upstreams={"old": old})
    (known,) = make_admission(config, {}, Audit(), None)._peers
    assert (known.name, known.ae_titles, known.digests) == ("ct-1", {"CT1"}, {"ab" * 32})
    assert known.names == {"ct-1.example.org"}
    assert known.verbs("research") == {Verb.STORE, Verb.SEARCH, Verb.RETRIEVE}
    assert known.verbs("trial") == {Verb.RETRIEVE}
    assert (known.verbs("upstream:old"), known.verbs("upstream:new")) == ({Verb.STORE}, frozenset())
