"""The servers and fakes of tests/dimse and tests/dicomweb, for real peers; how to run a peer; an Orthanc."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
_PLUGINS = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: DIMSE as ``ORTHANC`` (any caller), DICOMweb and its REST interface, without passwords."""

    dimse_port: int
    http_port: int

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        return f"{self.rest}/dicom-web"

    def get(self, path: str) -> Any:
        """JSON of its REST interface."""
        with urllib.request.urlopen(self.rest + path, timeout=10) as response:
            return json.load(response)

    def instances(self) -> dict[str, dict[str, str]]:
        """SOP Instance UID → main DICOM tags of what it holds."""
        found = [self.get(f"/instances/{key}")["MainDicomTags"] for key in self.get("/instances")]
        return {tags["SOPInstanceUID"]: tags for tags in found}

    def file(self, sop_instance_uid: str) -> bytes:
        """The Part 10 file as it keeps it."""
        request = urllib.request.Request(f"{self.rest}/tools/lookup", sop_instance_uid.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            (match,) = json.load(response)
        with urllib.request.urlopen(f"{self.rest}{match['Path']}/file", timeout=30) as response:
            return bytes(response.read())


@pytest.fixture
def orthanc(
    program: Callable[[str], Path], free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Orthanc]:
    """Orthanc with its DICOMweb plugin on loopback, with an empty storage that goes away with the test."""
    binary = program("orthanc")
    if not _PLUGINS.exists():
        message = "Orthanc's DICOMweb plugin is not installed: run tests/install-peers.sh"
        pytest.fail(message) if os.environ.get("VEIL_REQUIRE_PEERS") == "1" else pytest.skip(message)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Orthanc(free_port(), free_port())
    folder = tmp_path / "orthanc"
    folder.mkdir()
    settings = {
        "Name": "peer", "StorageDirectory": str(folder), "IndexDirectory": str(folder), "Plugins": [str(_PLUGINS)],
        "HttpPort": running.http_port, "DicomPort": running.dimse_port, "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False, "UnknownSopClassAccepted": True, "OverwriteInstances": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "StorageCompression": False,
    }  # fmt: skip
    configuration = tmp_path / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    with (tmp_path / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([str(binary), str(configuration)], stdout=log, stderr=log)
    try:
        _wait_for(running, process, tmp_path / "orthanc.log")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(orthanc: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 40
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            orthanc.get("/system")
            socket.create_connection(("127.0.0.1", orthanc.dimse_port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("Orthanc did not start: " + log.read_text(errors="replace")[-2000:])
