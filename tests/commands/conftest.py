"""``veil``: runs a verb in this process as `proxy.cli` does, and says status and output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.cli import veil
from proxy.errors import ConfigError
from proxy.store.rulebook import load_tables

KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    text: str


_tables = lru_cache(load_tables)
Veil = Callable[..., Said]


@pytest.fixture
def run_veil(monkeypatch: pytest.MonkeyPatch) -> Veil:
    monkeypatch.setenv("COLUMNS", "200")
    for module in ("verify", "policy", "diff_rules"):
        monkeypatch.setattr(f"proxy.commands.{module}.load_tables", _tables)

    def run(*arguments: object) -> Said:
        done = CliRunner().invoke(veil, [str(argument) for argument in arguments])
        if isinstance(done.exception, ConfigError):
            return Said(2, str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(done.exit_code, done.output)

    return run


@pytest.fixture
def site(tmp_path: Path, run_veil: Veil) -> Path:
    """The veil.yaml of a fresh site with a project called research."""
    assert run_veil("init", tmp_path / "site").status == 0
    return tmp_path / "site" / "veil.yaml"
