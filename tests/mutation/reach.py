"""Which tests run which lines of the product, and which of them a mutant is shown to, the likeliest to fail first."""

from __future__ import annotations

import ast
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pytest

#: seconds of a test that asks a function or two and no engine
_QUICK = 0.02


@dataclass
class Reach:
    """What one test does: seconds, whether it passes, and the lines that it runs, by module."""

    name: str
    seconds: float = 0.0
    passed: bool = False
    lines: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def function(self) -> str:
        """Without the parameters."""
        return self.name.partition("[")[0]


class Tracer:
    """Notes lines of the files in ``modules`` (path → module)."""

    def __init__(self, modules: dict[str, str]) -> None:
        self._modules = modules
        self.lines: dict[str, set[int]] = defaultdict(set)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        module = self._modules.get(frame.f_code.co_filename)
        if module is None:
            return None
        found = self.lines[module]

        def note(frame: FrameType, event: str, argument: Any) -> Any:
            found.add(frame.f_lineno)
            return note

        found.add(frame.f_lineno)
        return note

    def run(self, item: pytest.Item, following: pytest.Item | None) -> float:
        """Seconds of CPU."""
        self.lines = defaultdict(set)
        started = time.process_time()
        sys.settrace(self)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        finally:
            sys.settrace(None)
        return time.process_time() - started


class Places:
    """Of one source: line → the lines of the statement that it belongs to, and whether that is inside a function."""

    def __init__(self, source: str) -> None:
        self._statements: list[tuple[int, int, bool]] = []
        self._visit(ast.parse(source), inside=False)

    def _visit(self, node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            within = inside or isinstance(node, ast.FunctionDef)
            if isinstance(child, ast.stmt):
                body = getattr(child, "body", None)
                last = body[0].lineno - 1 if body else child.end_lineno or child.lineno
                self._statements.append((child.lineno, max(last, child.lineno), within))
            self._visit(child, within)

    def of(self, line: int) -> tuple[set[int], bool]:
        """The lines of the innermost statement, and whether only a call runs them."""
        around = [each for each in self._statements if each[0] <= line <= each[1]]
        first, last, inside = max(around, key=lambda each: each[0], default=(line, line, False))
        return set(range(first, last + 1)), inside


class Chooser:
    """Orders tests: the module's own, the quick ones, one of each function; first those that killed before."""

    def __init__(self, reaches: list[Reach], seconds: float) -> None:
        self._reaches, self._seconds = reaches, seconds
        self._kills: dict[str, int] = defaultdict(int)

    def killed_by(self, name: str) -> None:
        """So that it comes earlier next time."""
        self._kills[name] += 1
        self._kills[name.partition("[")[0]] += 1

    def tests(self, module: str, lines: set[int] | None) -> Iterator[Reach]:
        """Tests that run one of ``lines`` of ``module`` (None: any), until they take too long together."""
        own = f"/test_{module}.py::"
        able = [
            each
            for each in self._reaches
            if each.passed
            and (module in each.lines or own in each.name)  # a test of a table runs no line of its module
            and (lines is None or not lines.isdisjoint(each.lines.get(module, ())))
        ]
        able.sort(key=lambda each: (-self._kills[each.name], each.seconds))
        seen: dict[str, int] = defaultdict(int)
        ranked = []
        for each in able:
            kills = -self._kills[each.function]
            ranked.append((own not in each.name, each.seconds > _QUICK, seen[each.function], kills, each.seconds, each))
            seen[each.function] += 1
        spent = 0.0
        for *_, each in sorted(ranked, key=lambda entry: entry[:5]):
            yield each
            spent += each.seconds
            if spent > self._seconds:
                return
