"""Where people sign in, in veil.yaml: what is consistent loads, and what is not stops the start with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.admission import check_callers
from proxy.config import Config, load_config
from proxy.entrance import make_client
from proxy.errors import ConfigError

OIDC = {"issuer": "https://login.example.org/r", "client_id": "veil", "roles": {"Radiology": ["research:officer"]}}
HERE = "https://veil.example.org"


def load(folder: Path, console: dict[str, Any], public_url: str | None = HERE) -> Config:
    project = {"ae_titles": ["VEIL"], "path": "research", "key_file": "a.key", "destinations": ["archive"]}
    document = {
        "version": 1, "node_key_file": "node.key", "destinations": {"archive": {"type": "archive"}},
        "projects": {"research": project}, "console": {"enabled": True, **console}, "http": {"public_url": public_url},
    }  # fmt: skip
    path = folder / "veil.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def test_a_provider_is_named_and_its_files_are_relative_to_the_document(tmp_path: Path) -> None:
    files = {"client_secret_file": "keys/console.secret", "ca_file": "hospital.pem"}
    oidc = load(tmp_path, {"oidc": {**OIDC, **files}, "local_accounts": False}).console.oidc
    assert oidc is not None
    assert (oidc.client_secret_file, oidc.ca_file) == (tmp_path / "keys" / "console.secret", tmp_path / "hospital.pem")
    assert oidc.words == "login.example.org"
    named = load(tmp_path, {"oidc": {**OIDC, "name": "St. Mary's"}}).console.oidc
    assert named is not None
    assert named.words == "St. Mary's"


def test_a_laptop_needs_no_tls(tmp_path: Path) -> None:
    load(tmp_path, {"oidc": {**OIDC, "issuer": "http://127.0.0.1:8080/r"}}, "http://localhost:8042")


@pytest.mark.parametrize(
    ("console", "public_url", "said"),
    [
        ({"local_accounts": False}, HERE, "nobody could sign in"),
        ({"oidc": OIDC}, None, "public_url is missing"),
        ({"oidc": OIDC}, "http://veil.example.org", "public_url must be https"),
        ({"oidc": {**OIDC, "issuer": "http://login.example.org"}}, HERE, "issuer must be https"),
        ({"oidc": {**OIDC, "roles": {}}}, HERE, "roles"),
        ({"oidc": {**OIDC, "roles": {"g": []}}}, HERE, "roles"),
        ({"oidc": {**OIDC, "roles": {"g": ["research:root"]}}}, HERE, "roles"),
        ({"oidc": {**OIDC, "roles": {"g": ["officer"]}}}, HERE, "roles"),
        ({"oidc": {**OIDC, "roles": {"g": ["*:viewer", "reserch:officer"]}}}, HERE, "no project is called 'reserch'"),
        ({"oidc": {**OIDC, "client_secret": "x"}}, HERE, "not known"),
        ({"oidc": {**OIDC, "client_id": ""}}, HERE, "client_id"),
        ({"oidc": {**OIDC, "name": " "}}, HERE, "name"),
        ({"oidc": {**OIDC, "leeway_seconds": 3600}}, HERE, "leeway_seconds"),
    ],
)
def test_what_does_not_go_together_stops_the_start(
    tmp_path: Path, console: dict[str, Any], public_url: str | None, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, console, public_url)
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "mode"), [("", 0o600), ("two\nlines\n", 0o600), ("ä", 0o600), ("good", 0o644)])
def test_a_secret_is_one_line_that_others_cannot_read(tmp_path: Path, text: str, mode: int) -> None:
    config = load(tmp_path, {"oidc": {**OIDC, "client_secret_file": "secret"}})
    with pytest.raises(ConfigError):
        check_callers(config)
    (tmp_path / "secret").write_text(text)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(ConfigError):
        check_callers(config)
    (tmp_path / "secret").write_text("good-one\r\n")
    (tmp_path / "secret").chmod(0o600)
    check_callers(config)
    assert config.console.oidc is not None
    read = make_client(config.console.oidc).secret
    assert read is not None
    assert read() == "good-one"
