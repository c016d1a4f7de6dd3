from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from proxy.cli import veil
from proxy.commands.init import write_site
from proxy.errors import ConfigError
from proxy.service.callers import CannotJudge, Unknown, Verb
from proxy.service.static_tokens import StaticCallers, digest_of
from proxy.store.tokens import TokensFile, load
from tests.deid.officers import certificate, ec_key


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = write_site(tmp_path / "site")
    text = path.read_text()
    path.write_text(text.replace("http:\n", "http:\n  auth: {tokens_file: keys/tokens.yaml}\n", 1))
    return path


def run(site: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(veil, ["token", *arguments, "-c", str(site)])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def make(site: Path, name: str, *scopes: str, more: tuple[str, ...] = ()) -> str:
    made = run(site, "new", "--name", name, *(part for scope in scopes for part in ("--scope", scope)), *more)
    return str(made.stdout.strip())


def file_of(site: Path) -> Path:
    return site.parent / "keys" / "tokens.yaml"


async def test_a_token_is_shown_once_and_kept_as_a_hash(site: Path) -> None:
    secret = make(site, "ohif", "research:search", "research:retrieve")
    text = file_of(site).read_text()
    assert secret not in text
    assert secret[5:] not in text
    assert stat.S_IMODE(os.stat(file_of(site)).st_mode) == 0o600
    (entry,) = yaml.safe_load(text)["tokens"]
    expected = {"name": "ohif", "sha256": digest_of(secret), "projects": {"research": ["retrieve", "search"]}}
    assert entry == expected
    caller = await StaticCallers(TokensFile(file_of(site)).read, AsyncMock()).caller(secret)
    assert (caller.name, caller.verbs("research")) == ("token:ohif", {Verb.SEARCH, Verb.RETRIEVE})


def test_tokens_are_random(site: Path) -> None:
    assert len({make(site, f"n{n}", "*:search") for n in range(3)}) == 3


async def test_revoking_is_seen_by_a_running_proxy(site: Path) -> None:
    first, second = make(site, "a", "research:search"), make(site, "b", "*:store")
    callers = StaticCallers(TokensFile(file_of(site)).read, AsyncMock())
    assert (await callers.caller(first)).name == "token:a"
    assert json.loads(run(site, "list", "--json").stdout) == [
        {"name": "a", "by": "token", "may": ["research:search"], "until": None},
        {"name": "b", "by": "token", "may": ["*:store"], "until": None},
    ]
    assert "research:search" in run(site, "list").stdout
    run(site, "revoke", "a")
    with pytest.raises(Unknown, match="unknown-token"):
        await callers.caller(first)
    assert (await callers.caller(second)).name == "token:b"
    third = make(site, "c", "research:audit")
    assert (await callers.caller(third)).name == "token:c"


async def test_days(site: Path) -> None:
    secret = make(site, "a", "research:search", more=("--days", "2"))
    read = TokensFile(file_of(site)).read
    await StaticCallers(read, AsyncMock()).caller(secret)
    with pytest.raises(Unknown, match="expired-token"):
        await StaticCallers(read, AsyncMock(), lambda: time.time() + 2 * 86400).caller(secret)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "a", "--scope", "nowhere:search"], "no project is called 'nowhere'"),
        (["--name", "a", "--scope", "research:read"], "'read' is no verb"),
        (["--name", "a", "--scope", "research"], "no project is called"),
        (["--name", "a b", "--scope", "research:search"], "a token's name"),
        (["--name", "taken", "--scope", "research:search"], "there is a token called 'taken'"),
    ],
)
def test_what_cannot_be_made(site: Path, arguments: list[str], said: str) -> None:
    make(site, "taken", "research:search")
    before = file_of(site).read_bytes()
    with pytest.raises(ConfigError, match=said):
        run(site, "new", *arguments)
    assert file_of(site).read_bytes() == before


def test_who_is_not_there_cannot_be_revoked(site: Path) -> None:
    with pytest.raises(ConfigError, match="no token is called"):
        run(site, "revoke", "a")
    site.write_text(site.read_text().replace("  auth: {tokens_file: keys/tokens.yaml}\n", ""))
    with pytest.raises(ConfigError, match="this site has none"):
        run(site, "list")


GOOD = {"name": "a", "sha256": "0" * 64, "projects": {"research": ["search"]}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"tokens": [{**GOOD, "token": "x"}]}, "Extra inputs"),
        ({"tokens": [{**GOOD, "sha256": "0"}]}, "sha256"),
        ({"tokens": [{**GOOD, "certificate": "1" * 64}]}, "one of the two"),
        ({"tokens": [{"name": "a", "projects": {}}]}, "one of the two"),
        ({"tokens": [{**GOOD, "projects": {"research": ["all"]}}]}, "search"),
        ({"tokens": [{**GOOD, "projects": {"No": []}}]}, "projects"),
        ({"tokens": [GOOD, {**GOOD, "name": "b"}]}, "two names"),
        ({"tokens": [GOOD, {**GOOD, "sha256": "1" * 64}]}, "one name"),
        ({"tokens": [{**GOOD, "expires": "2027-01-01"}]}, "expires"),
        ([], "mapping|dictionary|valid"),
        ("{", "not valid YAML"),
    ],
)
def test_a_file_that_is_wrong_stops_the_start(tmp_path: Path, document: Any, said: str) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said):
        load(path)


def test_a_file_that_others_can_read_is_not_read(site: Path) -> None:
    secret = make(site, "a", "research:search")
    tokens = TokensFile(file_of(site))
    file_of(site).chmod(0o640)
    with pytest.raises(ConfigError, match="others can read"):
        load(file_of(site))
    with pytest.raises(CannotJudge):
        tokens.read()
    file_of(site).chmod(0o600)
    assert tokens.read()[0].sha256 == digest_of(secret)
    file_of(site).unlink()
    for _ in range(2):
        with pytest.raises(CannotJudge):
            tokens.read()


async def test_a_certificate_has_a_name_instead_of_a_token(site: Path, tmp_path: Path) -> None:
    pem = tmp_path / "gateway.pem"
    pem.write_text(certificate(ec_key()))
    options = ("--scope", "research:store", "--certificate", str(pem))
    run(site, "new", "--name", "gateway", *options)
    digest = load_pem_x509_certificate(pem.read_bytes()).fingerprint(SHA256()).hex()
    assert digest in file_of(site).read_text()
    assert json.loads(run(site, "list", "--json").stdout)[0]["by"] == "certificate"
    callers = StaticCallers(TokensFile(file_of(site)).read, AsyncMock())
    assert (await callers.caller("certificate:" + digest)).name == "certificate:gateway"
    with pytest.raises(ConfigError, match="has a name already"):
        run(site, "new", "--name", "b", *options)
    pem.write_text("nothing")
    with pytest.raises(ConfigError, match="no certificate in PEM"):
        run(site, "new", "--name", "b", *options)


def test_check_reads_the_tokens(site: Path) -> None:
    result = CliRunner().invoke(veil, ["check", "-c", str(site)])
    assert "tokens.yaml" in str(result.exception)
    make(site, "a", "research:search")
    result = CliRunner().invoke(veil, ["check", "-c", str(site)])
    assert result.exit_code == 0
