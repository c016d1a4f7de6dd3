"""Callers in veil.yaml: what is consistent loads, and what is not stops the start with its place."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from proxy.admission import check_callers, make_callers
from proxy.config import Config, load_config
from proxy.errors import ConfigError

OIDC = {"issuer": "https://login.example.org/r", "audience": "veil", "jwks_url": "https://login.example.org/keys"}
LOCAL = {"issuer": OIDC["issuer"], "audience": "veil"}


def load(folder: Path, **http: Any) -> Config:
    project = {"ae_titles": ["VEIL"], "path": "research", "key_file": "a.key", "destinations": ["archive"]}
    document = {
        "version": 1, "node_key_file": "node.key", "destinations": {"archive": {"type": "archive"}},
        "projects": {"research": project}, "http": http,
    }  # fmt: skip
    path = folder / "veil.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def test_nobody_is_asked_by_default_and_nobody_is_trusted(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.http.auth, config.http.trusted_hops, config.http.rate) == (None, [], None)
    assert make_callers(config, Mock()) is None
    check_callers(config)


def test_files_are_relative_to_the_document(tmp_path: Path) -> None:
    oidc = {**OIDC, "ca_file": "hospital.pem"}
    auth = load(tmp_path, auth={"tokens_file": "keys/tokens.yaml", "oidc": oidc}).http.auth
    assert auth is not None
    assert auth.oidc is not None
    assert auth.tokens_file == tmp_path / "keys" / "tokens.yaml"
    assert (auth.oidc.ca_file, auth.oidc.jwks_file) == (tmp_path / "hospital.pem", None)
    auth = load(tmp_path, auth={"oidc": {**LOCAL, "jwks_file": "jwks.json"}}).http.auth
    assert auth is not None
    assert auth.oidc is not None
    assert (auth.tokens_file, auth.oidc.jwks_file) == (None, tmp_path / "jwks.json")


def test_hops_are_addresses_or_networks(tmp_path: Path) -> None:
    hops = load(tmp_path, trusted_hops=["10.0.0.5", "192.168.0.0/16", "2001:db8::/32"]).http.trusted_hops
    assert hops == [ip_network("10.0.0.5/32"), ip_network("192.168.0.0/16"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ({"auth": {}}, "nobody could call"),
        ({"auth": {"password": "x"}}, "not known"),
        ({"auth": {"oidc": LOCAL}}, "jwks_url or jwks_file"),
        ({"auth": {"oidc": OIDC, "certificate_header": "Client-Cert"}}, "stands in the tokens_file"),
        ({"auth": {"tokens_file": "t", "certificate_header": "Client-Cert"}}, "in trusted_hops"),
        ({"auth": {"tokens_file": "t", "certificate_header": "Client Cert"}}, "certificate_header"),
        ({"auth": {"oidc": {**OIDC, "jwks_file": "a"}}}, "jwks_url or jwks_file"),
        ({"auth": {"oidc": {**OIDC, "jwks_url": "http://login.example.org/keys"}}}, "must be https"),
        ({"auth": {"oidc": {**LOCAL, "jwks_file": "a", "ca_file": "b"}}}, "ca_file is for jwks_url"),
        ({"auth": {"oidc": {**OIDC, "issuer": ""}}}, "issuer"),
        ({"auth": {"oidc": {**OIDC, "audience": ""}}}, "audience"),
        ({"auth": {"oidc": {**OIDC, "leeway_seconds": 3600}}}, "leeway_seconds"),
        ({"auth": {"oidc": {**OIDC, "algorithms": ["HS256"]}}}, "not known"),
        ({"trusted_hops": ["10.0.0.5/8"]}, "trusted_hops"),
        ({"trusted_hops": 1}, "trusted_hops"),
        ({"trusted_hops": ["0.0.0.0/0"]}, "everybody is no reverse proxy"),
        ({"rate": {"per_second": 0, "burst": 1}}, "per_second"),
        ({"rate": {"per_second": 1}}, "burst"),
        ({"request_seconds": 0}, "request_seconds"),
        ({"host": "0.0.0.0", "auth": {"tokens_file": "t"}, "trusted_hops": ["10.0.0.5"]}, "does not encrypt"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, http: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, **http)


def test_keys_on_this_machine_need_no_tls(tmp_path: Path) -> None:
    load(tmp_path, auth={"oidc": {**OIDC, "jwks_url": "http://127.0.0.1:8080/keys"}})


def test_what_callers_are_known_by_must_be_there_at_the_start(tmp_path: Path) -> None:
    for auth, said in (
        ({"tokens_file": "none.yaml"}, "none.yaml"),
        ({"oidc": {**LOCAL, "jwks_file": "none.json"}}, "no JWK Set"),
        ({"oidc": {**OIDC, "ca_file": "none.pem"}}, "no certificates"),
    ):
        config = load(tmp_path, auth=auth)
        with pytest.raises(ConfigError, match=said):
            make_callers(config, Mock())
        with pytest.raises(ConfigError, match=said):
            check_callers(config)
