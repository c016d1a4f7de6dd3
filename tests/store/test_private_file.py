from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.service.callers import CannotJudge
from proxy.store.private_file import Reread, publish, read_private


def load(path: Path) -> str:
    return read_private(path, "make one").decode()


def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    publish(file, "text")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert load(file) == "text"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_what_others_can_reach_is_not_read(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    publish(file, "text")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="others"):
        load(file)


def test_what_is_no_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="no regular file"):
        load(tmp_path / "pipe")
    publish(tmp_path / "large", "x" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="too large"):
        load(tmp_path / "large")


def test_a_change_is_noticed_and_a_broken_file_is_no_answer(tmp_path: Path) -> None:
    file = tmp_path / "file"
    publish(file, "one")
    kept = Reread(file, load, "things")
    assert kept.read() == "one"
    publish(file, "two")
    assert kept.read() == "two"
    file.chmod(0o644)
    for _ in range(2):
        with pytest.raises(CannotJudge, match="the things cannot be read"):
            kept.read()
    file.chmod(0o600)
    assert kept.read() == "two"
    file.unlink()
    with pytest.raises(CannotJudge):
        kept.read()
