"""``veil audit export | verify-export`` on a site at rest; `test_console_integrity.py` asks a running one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.commands.conftest import Veil


@pytest.fixture
def pubkey(tmp_path: Path, site: Path, run_veil: Veil) -> Path:
    path = tmp_path / "audit.pub"
    path.write_text(run_veil("audit", "pubkey", "-c", site).text)
    return path


def test_a_bundle_of_a_site_at_rest_verifies_and_is_on_record(site: Path, pubkey: Path, run_veil: Veil) -> None:
    out = site.parent / "out.tar.gz"
    assert (
        run_veil(
            "audit", "export", out, "--type", "started", "--outcome", "success", "--format", "cef", "-c", site
        ).status
        == 0
    )
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not out.with_name("out.tar.gz.part").exists()
    said = run_veil("audit", "verify-export", out, "--pubkey", pubkey)
    assert said.status == 0
    assert "1 records; whole" in said.text
    assert "{'outcomes': ['success'], 'types': ['started']}" in said.text
    lines = (site.parent / "data" / "audit" / "audit-000001.jsonl").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["audit-key", "started", "audit-exported", "stopped"]
    before = out.read_bytes()
    assert "is there already" in run_veil("audit", "export", out, "-c", site).text
    assert out.read_bytes() == before


def test_a_bundle_that_was_changed_is_broken(site: Path, pubkey: Path, run_veil: Veil, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.gz"
    assert run_veil("audit", "export", out, "-c", site).status == 0
    out.write_bytes(out.read_bytes()[:-20])
    said = run_veil("audit", "verify-export", out, "--pubkey", pubkey)
    assert said.status == 1
    assert "no whole tar.gz" in said.text
    assert said.text.endswith("0 records; BROKEN\n")


def test_what_cannot_be_asked_is_refused_before_anything_is_written(site: Path, run_veil: Veil) -> None:
    said = run_veil("audit", "export", site.parent / "out", "--since", "yesterday", "-c", site)
    assert said.status == 2
    assert not (site.parent / "data" / "audit").exists()
