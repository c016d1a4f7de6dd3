"""Mutation testing of gate and profile code: ``python tests/mutation/run.py`` (see README.md beside it).

Works in a copy of the repository in a temporary folder, never in the checkout. One process collects the tests and
learns which lines each of them runs; each mutant is tried in a fork of it, on the tests that reach it. A mutant is
killed when a test fails, an import fails, or time runs out. Ends with status 1 where fewer than 90 % are killed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants
from reach import Chooser, Places, Reach, Tracer
from transplant import Rigid, forget, transplant

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PROFILE = """\
decisions unlisted actions date_actions sequence_actions profile profile_words rule_match rules inherit private
private_blocks private_walk structured structured_outline structured_plan walk iod dummies""".split()
GATE = "verify search identifiers allowed allowed_content allowed_dates allowed_private allowed_rules assembly".split()
#: they take long, or ask a process of their own, which does not know of the change
_APART = (
    "test_faults", "test_scanner_fuzz", "test_canaries", "cost_is_linear", "megabyte", "five_million", "deflate_bomb",
    "another_process", "in_two_processes", "example_of_the_document", "key_file", "dsrdump", "in_a_fresh_interpreter",
)  # fmt: skip
#: what is collected: all tests of the core but those of pixels, and the verbs that show what a profile does
_TESTS = (
    "tests/deid",
    "tests/commands/test_explain.py",
    "tests/commands/test_conformance.py",
    "tests/store/test_rulebook.py",
    "--ignore=tests/deid/pixels",
)
#: tests that a fresh process shows to a mutant
_AFRESH = 150
_GOAL = 0.9
#: seconds that a mutant may take, and how many times as long as its tests take
_LEAST, _FACTOR = 60.0, 20.0
#: caches that only a mutant of what reads the tables has to lose
_TABLES = ("tests.deid.conftest.tables",)
_COPIED = ("proxy", "rules", "tests", "docs", "pyproject.toml")
_QUIET = ["-o", "addopts=--import-mode=importlib --strict-markers", "-p", "no:terminal", "-p", "no:cacheprovider"]
_PYTEST = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]


class Session:
    """The plugin: takes the place of pytest's loop over the collected tests."""

    def __init__(self, asked: argparse.Namespace, modules: list[str]) -> None:
        self._asked, self._modules = asked, modules
        self._failed: list[str] = []
        self.killed: dict[str, list[int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            print(f"not collected: {report.nodeid}: {str(report.longrepr).splitlines()[-1]}", flush=True)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items if not any(w in item.nodeid for w in _APART)}
        self._sources = {name: Path(self._module(name).__file__ or "") for name in {*PROFILE, *GATE, *self._modules}}
        warm()
        reaches, loading = self._learned()
        broken = [reach.name for reach in reaches if not reach.passed]
        print(f"{len(reaches)} tests; fail without any mutant and are left out: {broken}", flush=True)
        self._chooser, self._loading = Chooser(reaches, self._asked.seconds), loading
        for name in self._modules:
            self._one(name)
        return True

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"proxy.deid.{name}")

    def _learned(self) -> tuple[list[Reach], dict[str, set[int]]]:
        path: Path | None = self._asked.learned
        if path is not None and path.exists():
            reaches, loading = pickle.loads(path.read_bytes())
            return [reach for reach in reaches if reach.name in self._items], loading
        found = _forked(self._learn)
        assert not isinstance(found, str), found
        if path is not None:
            path.write_bytes(pickle.dumps(found))
        return found

    def _learn(self) -> tuple[list[Reach], dict[str, set[int]]]:
        """In a fork: what each test runs, and what the loading of the tables runs."""
        tracer = Tracer({str(path): name for name, path in self._sources.items()})
        sys.settrace(tracer)
        importlib.import_module("proxy.store.rulebook").load_tables()
        sys.settrace(None)
        loading, reaches = dict(tracer.lines), []
        items, before = list(self._items.values()), ""
        for item, following in zip(items, [*items[1:], None], strict=True):
            if (function := item.nodeid.partition("[")[0]) != before:  # a mutant finds the caches empty
                forget(("proxy", "tests"), _TABLES)
                before = function
            self._failed.clear()
            seconds = tracer.run(item, following)
            reaches.append(Reach(item.nodeid, seconds, not self._failed, dict(tracer.lines)))
        return reaches, loading

    def _one(self, name: str) -> None:
        source = self._sources[name].read_text(encoding="utf-8")
        places = Places(source)
        every = list(mutants(source))
        if self._asked.again:
            part = _survivors(every, name, self._asked.again)
        else:
            part = _chosen(every, self._asked.sample, self._asked.seed)
        tally = self.killed.setdefault(name, [0, 0])
        for mutant in part:
            started = time.monotonic()
            why = self._try(name, mutant, places)
            tally[0] += bool(why)
            tally[1] += 1
            if not why or self._asked.verbose:
                took = time.monotonic() - started
                print(f"{why or 'SURVIVED'}  {name}.py:{mutant.line}  {mutant.what}  ({took:.1f} s)", flush=True)
        print(f"{name}: {tally[0]} of {tally[1]} killed", flush=True)

    def _try(self, name: str, mutant: Mutant, places: Places) -> str:
        """ "" where it survives."""
        lines, inside = places.of(mutant.line)
        tables = not inside or not lines.isdisjoint(self._loading.get(name, set()))
        tests = list(self._chooser.tests(name, None if tables else lines))
        if not tests:
            return ""
        limit = _LEAST + _FACTOR * sum(test.seconds for test in tests)
        why = _forked(lambda: self._show(name, mutant, tests, tables), limit)
        if why == "rigid":
            why = self._afresh(name, mutant, tests, limit)
        if "::" in why:
            self._chooser.killed_by(why)
        return str(why)

    def _show(self, name: str, mutant: Mutant, tests: Iterable[Reach], tables: bool) -> str:
        """In a fork: the first test that fails."""
        try:
            transplant(self._module(name), mutant.source)
        except Rigid:
            return "rigid"
        except ImportError as error:
            return str(error)
        forget(("proxy", "tests"), () if tables else _TABLES)
        return self._first_failure([self._items[test.name] for test in tests])

    def _first_failure(self, items: list[pytest.Item]) -> str:
        for item, following in zip(items, [*items[1:], None], strict=True):
            self._failed.clear()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed[0]
        return ""

    def _afresh(self, name: str, mutant: Mutant, tests: list[Reach], limit: float) -> str:
        """In a process that imports the changed file; for what a transplant cannot show, or may not have shown."""
        path = self._sources[name]
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant.source, encoding="utf-8")
        command = [sys.executable, "-B", "-m", "pytest", *_PYTEST, *(test.name for test in tests[:_AFRESH])]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LEAST + limit, check=False)
            return f"in a fresh process: {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            return "time"
        finally:
            path.write_text(original, encoding="utf-8")


def warm() -> None:
    """What no mutant changes is done once: machine code, and the tables."""
    make = sys.modules["tests.deid.conftest"]
    make.run(make.encode(make.dataset()), make.policy())
    forget(("proxy", "tests"), _TABLES)
    gc.collect()
    gc.freeze()


def _forked(work: Callable[[], T], limit: float = 36000.0) -> T | str:
    """The result of ``work``, done in a child that leaves nothing behind; "time" where it takes too long."""
    sys.stdout.flush()
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if not child:
            try:
                os.setsid()
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                pickle.dump(work(), answer)
                answer.flush()
            finally:
                os._exit(0)
        until = time.monotonic() + limit
        while not os.waitpid(child, os.WNOHANG)[0]:
            if time.monotonic() > until:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "time"
            time.sleep(0.005)
        answer.seek(0)
        return pickle.load(answer) if answer.read(1) and not answer.seek(0) else "the process ended"


def _chosen(every: list[Mutant], most: int, seed: int) -> list[Mutant]:
    if not most or most >= len(every):
        return every
    picked = sorted(random.Random(seed).sample(range(len(every)), most))
    return [every[number] for number in picked]


def _survivors(every: list[Mutant], module: str, output: Path) -> list[Mutant]:
    """Those that survived before, by what was changed: lines may have moved."""
    found = re.findall(rf"^SURVIVED  {module}\.py:\d+  (.*)  \(\S+ s\)$", output.read_text(), re.MULTILINE)
    return [mutant for mutant in every if mutant.what in found]


def _copy(folder: Path) -> None:
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(ROOT / name, folder / name)


def _table(killed: dict[str, list[int]]) -> str:
    rows = [f"| {name} | {k} | {n} | {100 * k / n:.1f} % |" for name, (k, n) in killed.items() if n]
    k, n = (sum(tally[each] for tally in killed.values()) for each in (0, 1))
    total = f"| **all** | {k} | {n} | {100 * k / max(n, 1):.1f} % |"
    return "\n".join(["| module | killed | mutants | share |", "| --- | --- | --- | --- |", *rows, total])


def main() -> int:
    """Run; print a line for each survivor and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="of proxy/deid; default: all of gate and profile")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests that a mutant is shown to")
    parser.add_argument("--again", type=Path, help="the output of an earlier run: its survivors only")
    parser.add_argument("--learned", type=Path, help="keeps what was learnt of the tests, for further runs of the same")
    parser.add_argument("--verbose", action="store_true", help="a line for each mutant")
    asked = parser.parse_args()
    os.nice(15)
    with tempfile.TemporaryDirectory(prefix="veil-mutants-") as folder:
        _copy(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder
        sys.path.insert(0, folder)
        session = Session(asked, asked.modules or [*PROFILE, *GATE])
        pytest.main([*_QUIET, *_TESTS], plugins=[session])
        os.chdir("/")
    print(_table(session.killed))
    k, n = (sum(tally[each] for tally in session.killed.values()) for each in (0, 1))
    return 0 if n and k >= _GOAL * n else 1


if __name__ == "__main__":
    sys.exit(main())
