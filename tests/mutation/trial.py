"""The pytest plugin: learns what each collected test runs, and then shows each mutant to the tests that reach it."""

from __future__ import annotations

import argparse
import gc
import importlib
import pickle
import random
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from afresh import afresh
from forks import forked
from mutants import Mutant, mutants
from reach import Chooser, Places, Reach, Tracer
from transplant import Rigid, forget, transplant
from uses import made_of

#: they take long, or ask a process of their own, which does not know of the change
_APART = (
    "test_faults", "test_scanner_fuzz", "test_canaries", "cost_is_linear", "megabyte", "five_million", "deflate_bomb",
    "another_process", "in_two_processes", "example_of_the_document", "key_file", "dsrdump", "in_a_fresh_interpreter",
)  # fmt: skip
#: seconds that a mutant may take, and how many times as long as its tests take
_LEAST, _FACTOR = 60.0, 20.0
#: caches that only a mutant of what reads the tables has to lose
_TABLES = ("tests.deid.conftest.tables",)


@dataclass
class Tally:
    """Of one module: all its mutants, those tried, those killed."""

    all: int
    tried: int = 0
    killed: int = 0


class Trial:
    """The plugin: takes the place of pytest's loop over the collected tests."""

    def __init__(self, asked: argparse.Namespace, modules: list[str], known: list[str]) -> None:
        """``modules`` are tried; ``known``: those that are learnt about."""
        self._asked, self._modules, self._known = asked, modules, known
        self._failed: list[str] = []
        self.found: dict[str, Tally] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            print(f"not collected: {report.nodeid}: {str(report.longrepr).splitlines()[-1]}", flush=True)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items if not any(w in item.nodeid for w in _APART)}
        self._sources = {name: Path(self._module(name).__file__ or "") for name in {*self._known, *self._modules}}
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
        """From the file of an earlier run, for the tests that it knows."""
        path: Path | None = self._asked.learned
        before: list[Reach] = pickle.loads(path.read_bytes())[0] if path is not None and path.exists() else []
        names = {reach.name for reach in before}
        new = [item for name, item in self._items.items() if name not in names]
        found = forked(lambda: self._learn(new))
        assert not isinstance(found, str), found
        learned, loading = [reach for reach in before if reach.name in self._items] + found[0], found[1]
        if path is not None:
            path.write_bytes(pickle.dumps((learned, loading)))
        return learned, loading

    def _learn(self, items: list[pytest.Item]) -> tuple[list[Reach], dict[str, set[int]]]:
        """In a fork: what each test runs, and what the loading of the tables runs."""
        tracer = Tracer({str(path): name for name, path in self._sources.items()})
        sys.settrace(tracer)
        importlib.import_module("proxy.store.rulebook").load_tables()
        sys.settrace(None)
        loading, reaches = dict(tracer.lines), []
        before = ""
        for item, following in zip(items, [*items[1:], None][: len(items)], strict=True):
            if (function := item.nodeid.partition("[")[0]) != before:  # a mutant finds the caches empty
                forget(_cached(), _TABLES)
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
        tally = self.found.setdefault(name, Tally(len(every)))
        for mutant in part:
            started = time.monotonic()
            why = self._try(name, mutant, places)
            tally.killed += bool(why)
            tally.tried += 1
            if not why or self._asked.verbose:
                took = time.monotonic() - started
                print(f"{why or 'SURVIVED'}  {name}.py:{mutant.line}  {mutant.what}  ({took:.1f} s)", flush=True)
        print(f"{name}: {tally.killed} of {tally.tried} killed, of {tally.all} in all", flush=True)

    def _try(self, name: str, mutant: Mutant, places: Places) -> str:
        """ "" where it survives."""
        lines, inside = places.of(mutant.line)
        tables = not inside or not lines.isdisjoint(self._loading.get(name, set()))
        tests = list(self._chooser.tests(name, None if tables else lines))
        if not tests:
            return ""
        limit = _LEAST + _FACTOR * sum(test.seconds for test in tests)
        why = forked(lambda: self._show(name, mutant, tests, tables), limit)
        if why == "rigid":
            names = [test.name for test in tests]
            why = afresh(self._sources[name], mutant.source, names, _LEAST + limit)
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
        self._forget(name, tables)
        return self._first_failure([self._items[test.name] for test in tests])

    def _forget(self, name: str, tables: bool) -> None:
        """What was made with the module as it was."""
        stale = {f"proxy.deid.{each}" for each in made_of(self._sources[name])}
        if "proxy.deid.profile" in stale or tables:
            stale |= set(_cached())
        forget(stale, () if tables else _TABLES)

    def _first_failure(self, items: list[pytest.Item]) -> str:
        for item, following in zip(items, [*items[1:], None], strict=True):
            self._failed.clear()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed[0]
        return ""


def _cached() -> list[str]:
    """Modules that may keep what they made."""
    return [name for name in sys.modules if name.startswith(("proxy", "tests"))]


def warm() -> None:
    """What most mutants do not change is done once: machine code, the tables, the policies that most tests use."""
    make, forgotten = sys.modules["tests.deid.conftest"], sys.modules["tests.deid.test_gate_forgotten"]
    data = make.encode(make.dataset())
    for name in forgotten.POLICIES:
        for policy in (
            forgotten.policy_of(make, name),
            *([make.policy(name)] if name not in forgotten.OPTIONS else []),
        ):
            result, _ = make.run(data, policy)
            forgotten.GATE.verify(memoryview(data), result, policy)
    gc.collect()
    gc.freeze()


def _chosen(every: list[Mutant], most: int, seed: int) -> list[Mutant]:
    if not most or most >= len(every):
        return every
    picked = sorted(random.Random(seed).sample(range(len(every)), most))
    return [every[number] for number in picked]


def _survivors(every: list[Mutant], module: str, output: Path) -> list[Mutant]:
    """Those that survived before."""
    found = re.findall(rf"^SURVIVED  {module}\.py:(\d+)  (.*)  \(\S+ s\)$", output.read_text(), re.MULTILINE)
    return [mutant for mutant in every if (str(mutant.line), mutant.what) in found]
