"""One process owns a data folder, and death gives it back."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.store.lock import DataLock

HOLDER = """
import sys
from pathlib import Path
from proxy.store.lock import DataLock
lock = DataLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="already in use by another veil process"):
            DataLock(tmp_path / "data").acquire()
        holder.kill()
        holder.wait()
    with DataLock(tmp_path / "data"):
        assert stat.S_IMODE((tmp_path / "data" / "lock").stat().st_mode) == 0o600


def test_release_gives_it_back(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    lock.acquire()
    with pytest.raises(ConfigError):
        DataLock(tmp_path).acquire()
    lock.release()
    lock.release()
    DataLock(tmp_path).acquire()


def test_a_child_process_does_not_inherit_it(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    lock.acquire()
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        lock.release()
        with DataLock(tmp_path):
            assert child.poll() is None
        child.kill()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"Not a directory|File exists"):
        DataLock(tmp_path / "file" / "data").acquire()
