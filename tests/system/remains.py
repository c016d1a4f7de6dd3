"""What all sites of a run leave behind, searched once more when every test is over: nothing in it may name anybody.

A plugin of pytest (tests/conftest.py takes its hooks). Files stay where they are (`note`); what was only heard, bodies
of HTTP answers and pages in a browser, is kept in a folder of the run (`keep`). With pytest-xdist the workers write and
the controller searches. A planted marker anywhere fails the run, whichever tests passed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.searching import MARKERS, files_below, found_in

_FOLDER = "VEIL_REMAINS"
#: markers but the root of original UIDs: a sender is answered in the UIDs that it sent
_CLINICAL = tuple(marker for marker in MARKERS if not marker.startswith("1.2."))
_OWN = pytest.StashKey[Path]()
_FOUND = pytest.StashKey[tuple[str, list[str]]]()


def note(*places: Path) -> None:
    """To be searched in the end, as far as they still are there."""
    _append("places", "".join(f"{place}\n" for place in places).encode())


def keep(said: bytes | str, *, clinical: bool = False) -> None:
    """Something that a site said. ``clinical``: to a sender, who hears the UIDs that it sent."""
    data = said if isinstance(said, bytes) else said.encode("utf-8", "surrogatepass")
    _append("clinical" if clinical else "heard", data + b"\n")


def _append(kind: str, data: bytes) -> None:
    if folder := os.environ.get(_FOLDER):
        with Path(folder, f"{kind}-{os.getpid()}").open("ab") as file:
            file.write(data)


def _places(folder: Path) -> Iterator[Path]:
    named = {line for file in folder.glob("places-*") for line in file.read_text().splitlines()}
    yield from filter(Path.exists, map(Path, sorted(named)))


def search(folder: Path) -> tuple[str, list[str]]:
    """What was searched, in a line; and where a marker was found."""
    everywhere = [*_places(folder), *folder.glob("heard-*")]
    clinical = list(folder.glob("clinical-*"))
    hits = found_in(everywhere, MARKERS) + found_in(clinical, _CLINICAL)
    files = [file for place in (*everywhere, *clinical) for file in files_below(place)]
    size = sum(file.stat().st_size for file in files)
    return f"{len(files)} files of {size >> 20} MiB searched for planted names", hits


def pytest_configure(config: pytest.Config) -> None:
    """The run gets its folder; workers of pytest-xdist find it in their environment."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[_OWN] = folder = Path(tempfile.mkdtemp(prefix="veil-remains-"))
        os.environ[_FOLDER] = str(folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """All tests are over."""
    folder = session.config.stash.get(_OWN, None)
    if folder is None or not folder.exists():
        return
    session.config.stash[_FOUND] = found = search(folder)
    shutil.rmtree(folder)
    if found[1]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was found."""
    said, hits = config.stash.get(_FOUND, ("", []))
    if said and not said.startswith("0 files"):
        terminalreporter.write_line(f"{said}: {len(hits)} found")
    for hit in hits:
        terminalreporter.write_line(f"FAILED planted name: {hit}", red=True)
