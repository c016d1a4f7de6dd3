"""Files appear whole or not at all, privately, and a failed fsync ends the process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.errors import Unavailable
from proxy.store.durable import EXIT_NOT_DURABLE, Folder, make_folder, write_all


def test_new_folders_are_private_and_old_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    make_folder(tmp_path / "old" / "a" / "b")
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755
    assert [stat.S_IMODE((tmp_path / "old" / p).stat().st_mode) for p in ("a", "a/b")] == [0o700, 0o700]
    make_folder(tmp_path / "old" / "a" / "b")


def test_publish_replaces_atomically(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "test")
    (tmp_path / "x").write_bytes(b"old")

    def fill(fd: int) -> int:
        write_all(fd, [b"ne", memoryview(b"w"), bytearray(b"er")])
        assert (tmp_path / "x").read_bytes() == b"old"
        return 5

    assert folder.publish("x", fill) == 5
    assert folder.files() == {"x": 5}
    folder.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_whatever_interrupts_it_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    folder = Folder(tmp_path, "test")

    def fill(fd: int) -> None:
        write_all(fd, [b"half"])
        raise error

    with pytest.raises((error, Unavailable)):
        folder.publish("x", fill)
    assert folder.files() == {}
    folder.close()


FAILING = """
import errno, os, sys
from pathlib import Path
from proxy.store.durable import Folder, write_all
real, calls, nth = os.fsync, 0, int(sys.argv[2])
folder = Folder(Path(sys.argv[1]) / "box", "spool")
def failing(fd):
    global calls
    calls += 1
    if calls == nth:
        raise OSError(errno.EIO, "injected", "/secret/patient")
    real(fd)
os.fsync = failing
try:
    folder.publish("x", lambda fd: write_all(fd, [b"bytes"]))
finally:
    print("acknowledged or cleaned up", flush=True)
"""


@pytest.mark.parametrize("nth", [1, 2])
def test_a_failed_fsync_ends_the_process_at_once(tmp_path: Path, nth: int) -> None:
    run = subprocess.run([sys.executable, "-c", FAILING, str(tmp_path), str(nth)], capture_output=True, text=True)
    assert run.returncode == EXIT_NOT_DURABLE
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "fsync of" in run.stderr
    assert "EIO" in run.stderr
    assert "patient" not in run.stderr


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from proxy.errors import SpoolFull
from proxy.store.durable import Folder, write_all
folder = Folder(Path(sys.argv[1]), "spool")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    folder.publish("x", lambda fd: write_all(fd, [bytes(3 << 20)]))
except SpoolFull:
    print("full", folder.files())
"""
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout == "full {}\n"


def test_names_are_not_followed_through_links(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = Folder(tmp_path / "box", "test")
    os.symlink(tmp_path / "secret", tmp_path / "box" / "x")
    with pytest.raises(OSError, match="symbolic"):
        folder.open("x")
    folder.close()
