"""Fixtures shared by every test: real peers and free ports. Keep it small.

A peer is a program pip cannot install (`tests/install-peers.sh` does). Where it is missing the test is skipped and
says so; with ``VEIL_REQUIRE_PEERS=1``, as in CI, it fails instead.
"""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.remains import pytest_configure, pytest_sessionfinish, pytest_terminal_summary  # noqa: F401 - hooks

#: A run starts hundreds of interpreters, and each runner compiles five hundred files. What one of them has compiled the
#: others find, also where the environment, as in containers, says that nothing is kept. ``python -B`` is obeyed.
if "-B" not in sys.orig_argv and os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False
#: Debian puts daemons where an ordinary user's PATH does not look, and Orthanc's binary has a capital letter.
_ALSO = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_NAMES = {"orthanc": ("Orthanc", "orthanc")}
#: Files that take longest, first: whoever starts one of them last lets the other runner wait for it.
_LONGEST = (
    "system/test_corpus.py", "peers/test_system_corpus.py", "system/test_verbs.py", "system/test_lifecycle.py",
    "peers/test_viewer.py", "peers/test_system_kill.py", "system/test_kill.py", "store/test_crash.py",
    "peers/test_commitment.py", "system/test_reload.py", "peers/test_viewer_sign_in.py", "peers/test_dcmtk_dimse.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of files; that of tests in a file stays."""
    here = Path(__file__).parent
    rank = {name: at for at, name in enumerate(_LONGEST)}

    def place(item: pytest.Item) -> int:
        return rank.get(str(item.path.relative_to(here)) if item.path.is_relative_to(here) else "", len(rank))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Nineteen thousand tests are not looked through again by every collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a file of tests leaves open is found with its last test, and not in the middle of another file."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def _find(name: str) -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *_ALSO])
    for candidate in _NAMES.get(name, (name,)):
        if found := shutil.which(candidate, path=path):
            return Path(found)
    return None


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """``program("storescu")`` is the path of a peer; the test is skipped, or in CI fails, where it is missing."""

    def require(name: str) -> Path:
        found = _find(name)
        if found is not None:
            return found
        message = f"{name} is not installed: run tests/install-peers.sh"
        if os.environ.get("VEIL_REQUIRE_PEERS") == "1":
            pytest.fail(message)
        pytest.skip(message)

    return require


@pytest.fixture
def free_port() -> Callable[[], int]:
    """``free_port()`` is a loopback TCP port that nothing listened on a moment ago."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
