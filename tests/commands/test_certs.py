"""``veil certs dev``: what it makes works with foreign programs, belongs to its owner, and is never overwritten."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.x509 import load_pem_x509_certificate

from proxy.cli import veil
from proxy.config_tls import ClientTls, DimseTls
from proxy.errors import ConfigError
from proxy.service.known_peers import names_of
from proxy.tls import context_of


def make(folder: Path, *options: str) -> Any:
    result = CliRunner().invoke(veil, ["certs", "dev", str(folder), *options])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_and_who_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "dev"
    said = make(folder)
    assert said.exit_code == 0, said.output
    pairs = [f"{name}.{kind}" for name in ("ca", "server", "modality", "viewer") for kind in ("key", "pem")]
    assert sorted(snapshot(folder)) == sorted([".gitignore", "README", *pairs])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {0o600}
    assert (folder / ".gitignore").read_text() == "*\n"  # wherever the folder is, it is not committed


@pytest.mark.parametrize("there", ["ca.key", "server.pem", "viewer.key", ".gitignore"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConfigError, match="nothing was written"):
        make(tmp_path)
    assert snapshot(tmp_path) == {there: b"mine"}


def test_names(tmp_path: Path) -> None:
    make(tmp_path / "dev", "--name", "veil.example.org", "--name", "10.1.2.3", "--client", "ct-1", "--days", "7")
    found = {path.stem: load_pem_x509_certificate(path.read_bytes()) for path in (tmp_path / "dev").glob("*.pem")}
    assert sorted(found) == ["ca", "ct-1", "server"]
    names = names_of(_der(tmp_path / "dev" / "server.pem"))
    assert names == {"localhost", "127.0.0.1", "::1", "veil.example.org", "10.1.2.3"}
    assert names_of(_der(tmp_path / "dev" / "ct-1.pem")) == {"ct-1"}
    for certificate in found.values():
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 7
    with pytest.raises(ConfigError, match="name of its own"):
        make(tmp_path / "other", "--client", "server")
    with pytest.raises(ConfigError, match="name of its own"):
        make(tmp_path / "other", "--client", "../x")
    assert not (tmp_path / "other").exists()


def _der(path: Path) -> bytes:
    done = subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], capture_output=True, check=True)
    return done.stdout


@pytest.mark.parametrize("options", [(), ("--rsa", "--client", "modality")])
def test_openssl_and_our_own_tls_take_them(
    tmp_path: Path, program: Callable[[str], Path], options: tuple[str, ...]
) -> None:
    folder = tmp_path / "dev"
    make(folder, *options)
    leaves = [folder / f"{name}.pem" for name in ("server", "modality")]
    for purpose in ("sslserver", "sslclient"):
        command = [program("openssl"), "verify", "-x509_strict", "-purpose", purpose, "-CAfile", folder / "ca.pem"]
        subprocess.run([*command, *leaves], check=True, capture_output=True)
    files = {"certificate_file": folder / "server.pem", "key_file": folder / "server.key", "ca_file": folder / "ca.pem"}
    context_of(DimseTls(**files))
    context_of(ClientTls(**files))
