"""The servers and fakes of tests/dimse and tests/dicomweb, for real peers; how to run a peer; an Orthanc."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.pacs import Orthanc, run_orthanc

_PATH = Path(__file__).parents[1] / "dimse" / "conftest.py"


def _load() -> Any:
    """tests/ is no package, so its fixtures are shared by loading the file."""
    name = "veil_tests_dimse_fixtures"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _PATH)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


ingest = _load().ingest
serve = _load().serve


@pytest.fixture
def run() -> Callable[..., Awaitable[tuple[int, str]]]:
    """``await run(program, *arguments)`` returns the exit status and everything that was printed."""

    async def call(*command: Any, seconds: float = 100.0) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return process.returncode or 0, output.decode("utf-8", "replace")

    return call


def _dicomweb() -> Any:
    """The DICOMweb server over a real archive of tests/dicomweb, shared the same way."""
    name = "veil_tests_dicomweb_fixtures"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _PATH.parents[1] / "dicomweb" / "conftest.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


site = _dicomweb().site


@pytest.fixture
def orthanc(
    program: Callable[[str], Path], free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Orthanc]:
    """Orthanc with its DICOMweb plugin on loopback, with an empty storage that goes away with the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with run_orthanc(program("orthanc"), (free_port(), free_port()), tmp_path) as running:
        yield running
