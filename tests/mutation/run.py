"""Mutation testing of gate and profile code: ``python tests/mutation/run.py`` (see README.md beside it).

Works in a copy of the repository in a temporary folder, never in the checkout. One process collects the tests and
learns which lines each of them runs; each mutant is tried in a fork of it, on the tests that reach it. A mutant is
killed when a test fails, an import fails, or time runs out. Ends with status 1 where fewer than 90 % are killed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from trial import Tally, Trial

ROOT = Path(__file__).parents[2]
#: what refuses to release: the rules, the search for what identifies, the pixels' witness, the report's check
GATE = """\
verify release seal assembly said deidentified witness searches search sieve sieve_ask sieve_learn sieve_words
identifiers glance allowed allowed_content allowed_dates allowed_documents allowed_encrypted allowed_private
allowed_rules""".split()
#: what a profile says, and what carries it out element by element
PROFILE = """\
profile profile_words inherit rules rule_words rule_match decisions unlisted iod dummies actions date_actions
sequence_actions private private_blocks private_walk structured structured_outline structured_plan walk""".split()
#: what is collected: all tests of the core, of those of pixels what the gate asks, the verbs that show a profile
_TESTS = (
    *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/deid/test_*.py"))),
    "tests/deid/pixels/test_witness.py",
    "tests/commands/test_explain.py",
    "tests/commands/test_conformance.py",
    "tests/store/test_rulebook.py",
)
_GOAL = 0.9
_COPIED = ("proxy", "rules", "tests", "docs", "pyproject.toml")
_QUIET = ["-o", "addopts=--import-mode=importlib --strict-markers", "-p", "no:terminal", "-p", "no:cacheprovider"]


def _copy(folder: Path) -> None:
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(ROOT / name, folder / name)


def _share(tallies: Iterable[Tally]) -> float:
    """Of all mutants of these modules: each module's sample counts for as many as the module has."""
    tried = [tally for tally in tallies if tally.tried]
    return sum(t.killed / t.tried * t.all for t in tried) / max(sum(t.all for t in tried), 1)


def _table(found: dict[str, Tally]) -> str:
    rows = ["| module | mutants | tried | killed | share |", "| --- | --- | --- | --- | --- |"]
    parts = {**{name: [tally] for name, tally in found.items() if tally.tried}, "**all**": list(found.values())}
    for name, tallies in parts.items():
        every, tried, killed = (sum(getattr(t, key) for t in tallies) for key in ("all", "tried", "killed"))
        rows.append(f"| {name} | {every} | {tried} | {killed} | {100 * _share(tallies):.1f} % |")
    return "\n".join(rows)


def _path(text: str) -> Path:
    return Path(text).resolve()  # the run is in a folder of its own


def main() -> int:
    """Run; print a line for each survivor and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="of proxy/deid; default: all of gate and profile")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests that a mutant is shown to")
    parser.add_argument("--again", type=_path, help="the output of an earlier run: its survivors only")
    parser.add_argument("--learned", type=_path, help="keeps what was learnt of the tests, for further runs")
    parser.add_argument("--verbose", action="store_true", help="a line for each mutant")
    asked = parser.parse_args()
    os.nice(5)
    with tempfile.TemporaryDirectory(prefix="veil-mutants-") as folder:
        _copy(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder
        sys.path.insert(0, folder)
        known = [*GATE, *PROFILE]
        trial = Trial(asked, asked.modules or known, known)
        pytest.main([*_QUIET, *_TESTS], plugins=[trial])
        os.chdir("/")
    print(_table(trial.found))
    return 0 if _share(trial.found.values()) >= _GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
