"""Verbs that ask a running proxy, or work on a file, do not wait a second for the engine to be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = ("audit", "certs", "health", "init", "quarantine", "reidentify", "reload", "serve", "status", "token", "user")
HEAVY = ("numba", "pydicom", "pynetdicom", "proxy.app")


@pytest.mark.parametrize("verb", LIGHT)
def test_the_engine_is_not_imported(verb: str) -> None:
    code = f"import sys, proxy.commands.{verb}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
