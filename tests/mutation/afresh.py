"""A mutant in a process of its own, which imports the changed file: for what a transplant cannot change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from uses import made_of

#: tests that a fresh process shows to a mutant
_MOST = 150
_PYTEST = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]


def afresh(path: Path, source: str, tests: list[str], limit: float) -> str:
    """Why ``source`` in the place of ``path`` fails the tests; "" where it does not."""
    original = path.read_text(encoding="utf-8")
    _write(path, source)
    command = [sys.executable, "-B", "-m", "pytest", *_PYTEST, *tests[:_MOST]]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        return f"in a fresh process: {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        return "time"
    finally:
        _write(path, original)


def _write(path: Path, source: str) -> None:
    """And forget the machine code of all that is made of it: numba looks at the one file only."""
    path.write_text(source, encoding="utf-8")
    for name in made_of(path):
        for cached in (path.parent / "__pycache__").glob(f"{name}.*.nb?"):
            cached.unlink()
