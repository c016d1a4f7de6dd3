"""Mutation testing of gate and profile code: ``python tests/mutation/run.py`` (see README.md beside it).

Works in a copy of the repository in a temporary folder, never in the checkout. A mutant is killed when a test fails,
an import fails, or time runs out. Ends with status 1 where fewer than 90 % are killed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
_LAST = ["correlation", "golden", "canaries"]  # slow: for what the others let pass
_GATE = [*"verify needles identifiers gate_forgotten options rules private structured".split(), *_LAST]
_WALK = [*"actions counts date_policy options rules structured private explain document engine".split(), *_LAST]
_PROFILE = [*"profile profile_refusals rules options actions explain engine".split(), *_LAST]
#: module of proxy/deid → tests/deid/test_*.py that judge it, the quickest to fail first
TESTS = {
    **dict.fromkeys(("verify", "allowed", "search", "identifiers"), _GATE),
    **dict.fromkeys(("walk", "actions", "decisions"), _WALK),
    **dict.fromkeys(("profile", "profile_words", "unlisted"), _PROFILE),
}
#: what each run would import again
_AHEAD = ("numpy", "numba", "pydicom", "pydicom.data", "pydicom._dicom_dict", "pydicom.encaps", "yaml")
_GOAL = 0.9
_SECONDS = 900


class Copy:
    """The repository in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._root, self._log = folder / "repository", folder / "log"
        names = ("proxy", "rules", "tests", "docs", "pyproject.toml")
        for name in names:
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, self._root / name, ignore=ignore)
            else:
                shutil.copy(source, self._root / name)

    def source(self, module: str) -> str:
        return self._file(module).read_text(encoding="utf-8")

    def write(self, module: str, source: str) -> None:
        self._file(module).write_text(source, encoding="utf-8")
        for compiled in (self._root / "proxy" / "deid" / "__pycache__").glob(f"{module}.cpython-*.pyc"):
            compiled.unlink()

    def fails(self, module: str, *, compile_all: bool = False) -> str:
        """ "" where the tests of ``module`` pass, else what ended them. They run in a fork that has imported much."""
        sys.stdout.flush()
        child = os.fork()
        if not child:
            status = 99
            try:
                status = self._tests(module, compile_all)
            finally:
                os._exit(status)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return self._why() if status else ""
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "time"

    def _tests(self, module: str, compile_all: bool) -> int:
        """In the fork."""
        os.setsid()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(self._root)
        os.environ["PYTHONPATH"] = str(self._root)
        sys.path.insert(0, str(self._root))
        # else a mutant of the same size in the same second would be taken for the one before
        sys.dont_write_bytecode = not compile_all
        files = [f"tests/deid/test_{name}.py" for name in TESTS[module]]
        present = [file for file in files if (self._root / file).exists()]
        return int(pytest.main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", *present]))

    def _why(self) -> str:
        lines = [
            line for line in self._log.read_text(errors="replace").splitlines() if line[:6] in ("FAILED", "ERROR ")
        ]
        return lines[0][:100] if lines else self._log.read_text(errors="replace")[-300:]

    def _file(self, module: str) -> Path:
        return self._root / "proxy" / "deid" / f"{module}.py"


def main() -> int:
    """Run; print a line for each survivor and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[[], *TESTS], help="default: all")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=Path, help="the output of an earlier run: its survivors only")
    parser.add_argument("--verbose", action="store_true", help="a line for each mutant")
    asked = parser.parse_args()
    os.nice(15)
    for name in _AHEAD:  # not Veil itself: that is what changes
        importlib.import_module(name)
    killed = total = 0
    with tempfile.TemporaryDirectory(prefix="veil-mutants-") as folder:
        copy = Copy(Path(folder))
        for module in asked.modules or TESTS:
            if broken := copy.fails(module, compile_all=True):
                print(f"{module}: the tests fail without any mutant: {broken}")
                return 2
            every = list(mutants(copy.source(module)))
            part = _survivors(every, module, asked.again) if asked.again else _chosen(every, asked.sample, asked.seed)
            survived = _module(copy, module, part, verbose=asked.verbose)
            killed, total = killed + len(part) - survived, total + len(part)
            print(f"{module}: {len(part) - survived} of {len(part)} killed", flush=True)
    print(f"{killed} of {total} mutants killed: {100 * killed / max(total, 1):.1f} %")
    return 0 if killed >= _GOAL * total else 1


def _chosen(every: list[Mutant], most: int, seed: int) -> list[Mutant]:
    if not most or most >= len(every):
        return every
    picked = sorted(random.Random(seed).sample(range(len(every)), most))
    return [every[number] for number in picked]


def _survivors(every: list[Mutant], module: str, output: Path) -> list[Mutant]:
    """Those that survived before, by what was changed: lines may have moved."""
    found = re.findall(rf"^SURVIVED  {module}\.py:\d+  (.*)  \(\d+ s\)$", output.read_text(), re.MULTILINE)
    return [mutant for mutant in every if mutant.what in found]


def _module(copy: Copy, module: str, part: list[Mutant], *, verbose: bool) -> int:
    original, survived = copy.source(module), 0
    for mutant in part:
        started = time.monotonic()
        copy.write(module, mutant.source)
        why = copy.fails(module)
        if not why or verbose:
            took = time.monotonic() - started
            print(f"{why or 'SURVIVED'}  {module}.py:{mutant.line}  {mutant.what}  ({took:.0f} s)", flush=True)
        survived += not why
    copy.write(module, original)
    return survived


if __name__ == "__main__":
    sys.exit(main())
