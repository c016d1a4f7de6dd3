"""A planted name that anything left behind fails the run, although every test passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_UID = b"1.2.826.0.1.3680043.10.1511.3.9"
_RUN = """
from tests.system import remains

def test_a_passes(tmp_path):
    (tmp_path / "audit.jsonl").write_bytes({content!r})
    remains.note(tmp_path, tmp_path / "gone")

def test_b_passes():
    remains.keep({body!r})
    remains.keep({clinical!r}, clinical=True)
"""


def run(folder: Path, content: bytes, body: bytes, clinical: bytes, *workers: str) -> subprocess.CompletedProcess[str]:
    """A run of two tests that pass."""
    (folder / "test_inner.py").write_text(_RUN.format(content=content, body=body, clinical=clinical))
    plugins = ["-p", "xdist.plugin", "-p", "tests.system.remains", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "VEIL_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *workers, "--rootdir", folder, folder / "test_inner.py"],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=100, check=False,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_a_leak_anywhere_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, b"name: zqxPLANT^doe", "Born 1947".encode("utf-16-le") + _UID, b"ZQXIDENT1", "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    found = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("FAILED planted name")]
    assert sorted(line.rsplit("/", 1)[1].partition("-")[0].partition(":")[0] for line in found) == [
        "audit.jsonl", "clinical", "heard", "heard",
    ]  # fmt: skip


def test_a_sender_may_hear_its_own_uids_and_the_rest_is_innocent(tmp_path: Path) -> None:
    done = run(tmp_path, b"2.25.3", b"no such study", _UID)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 files of 0 MiB searched for planted names: 0 found" in done.stdout
