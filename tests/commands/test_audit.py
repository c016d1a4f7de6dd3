"""``veil audit``: what an officer does with a copy of the log, a public key and a witness."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from proxy.audit.keys import AuditKey, witness
from proxy.audit.trail import AuditLog
from proxy.commands.init import write_site
from proxy.service.ports import AuditEvent, Concealed
from proxy.store.keys import load_key
from tests.commands.conftest import Veil


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site")


@pytest.fixture
async def log(tmp_path: Path, config: Path) -> Path:
    """Thirty records about one instance each, in several segments."""
    folder, key = tmp_path / "audit", AuditKey(load_key(config.parent / "keys" / "audit.key"))
    trail = AuditLog(folder, "veil", key=key, segment_bytes=4000)
    await trail.open()
    for n in range(30):
        await trail.record(
            AuditEvent("held", object={"original": {"sop_instance_uid": Concealed("research", f"1.{n}")}})
        )
    await trail.close()
    return folder


@pytest.fixture
def pubkey(tmp_path: Path, config: Path, run_veil: Veil) -> Path:
    said = run_veil("audit", "pubkey", "-c", config)
    path = tmp_path / "audit.pub"
    path.write_text(said.text)
    return path


def test_a_log_is_whole_and_signed_to_its_end(log: Path, pubkey: Path, run_veil: Veil) -> None:
    said = run_veil("audit", "verify", log, "--pubkey", pubkey, "--closed")
    assert (said.status, said.text.count("\n")) == (0, 1)
    assert said.text.startswith("31 records; last 31:")
    assert said.text.endswith("; signed up to 31; whole\n")
    assert run_veil("audit", "verify", log, "--pubkey", pubkey, "--processes", 2).text == said.text


def test_what_was_changed_is_named(log: Path, pubkey: Path, run_veil: Veil) -> None:
    path = log / "audit-000002.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"success", b"failure")
    path.write_bytes(b"".join(lines))
    said = run_veil("audit", "verify", log, "--pubkey", pubkey)
    first = int(lines[0].split(b'"seq":')[1].split(b",")[0])
    assert said.status == 1
    assert f"audit-000002.jsonl:3 (record {first + 2}): the record does not match its hash\n" in said.text


def test_another_key_is_not_the_one(log: Path, tmp_path: Path, run_veil: Veil) -> None:
    other = tmp_path / "other.pub"
    other.write_text(run_veil("audit", "pubkey", "-c", write_site(tmp_path / "other")).text)
    said = run_veil("audit", "verify", log, "--pubkey", other)
    assert (said.status, "not signed by the key of this log" in said.text) == (1, True)


def test_a_witness_is_an_anchor_against_a_cut_tail(log: Path, pubkey: Path, tmp_path: Path, run_veil: Veil) -> None:
    memory, mine = tmp_path / "w.notes", tmp_path / "w.pub"
    run = ("audit", "witness", log, "--pubkey", pubkey, "--key", tmp_path / "w.key", "--memory", memory)
    said = run_veil(*run)
    assert said.status == 0
    mine.write_text(next(line for line in said.text.splitlines() if "public key" in line).partition(": ")[2])
    assert "nothing co-signed; whole" in run_veil(*run).text
    anchored = ("audit", "verify", log, "--pubkey", pubkey, "--anchor", memory, "--witness", mine)
    assert run_veil(*anchored).status == 0
    last = sorted(log.glob("*.jsonl"))[-1]
    for path in (last, last.with_suffix(".notes")):
        path.unlink(missing_ok=True)
    assert run_veil("audit", "verify", log).status == 0
    assert (run_veil(*anchored).status, run_veil(*run).status) == (1, 1)
    mine.write_text(pubkey.read_text())
    assert "the key of a log, not of a witness" in run_veil(*anchored).text
    mine.write_text(witness("witness", bytes(32)).verifier.text())
    assert "not signed by the witness" in run_veil(*anchored).text


def test_an_identifier_is_found_by_its_digest(log: Path, config: Path, run_veil: Veil) -> None:
    said = run_veil("audit", "hash", "1.7", "-c", config)
    project, _, digest = said.text.strip().partition(": ")
    assert project == "research"
    records = b"".join(path.read_bytes() for path in log.glob("*.jsonl")).splitlines()
    assert [b'"seq":9,' in line for line in records if digest.encode() in line] == [True]


def test_an_anchor_of_a_site_without_key_and_wrong_questions(
    log: Path, config: Path, pubkey: Path, tmp_path: Path, run_veil: Veil
) -> None:
    for wrong in (
        ("--anchor", "x"), ("--witness", pubkey), ("--pubkey", config), ("--pubkey", pubkey, "--anchor", config),
    ):  # fmt: skip
        assert run_veil("audit", "verify", log, *wrong).status == 2
    config.write_text(config.read_text().replace("  key_file: keys/audit.key", "  key_epoch: 1"))
    assert "this site has none" in run_veil("audit", "pubkey", "-c", config).text
    assert "audit.key_file: none" in run_veil("check", "-c", config).text
    shutil.rmtree(config.parent / "keys")
    assert run_veil("audit", "new-key", config.parent / "keys" / "audit.key").status == 0
    assert len(load_key(config.parent / "keys" / "audit.key")) == 32
