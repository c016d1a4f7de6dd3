"""PACSs that tests start on loopback: Orthanc with its DICOMweb plugin, and DCMTK's dcmqrscp. Each is a ``with``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


@contextmanager
def run_orthanc(
    binary: Path,
    ports: tuple[int, int],
    folder: Path,
    servers: Mapping[str, list[str]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Iterator[Orthanc]:
    """Orthanc with its DICOMweb plugin on loopback, with an empty storage below ``folder``.

    ``servers``: those that it asks as a client, name → URL, user, password; ``more``: settings of its own.
    """
    if not _PLUGINS.exists():
        message = "Orthanc's DICOMweb plugin is not installed: run tests/install-peers.sh"
        pytest.fail(message) if os.environ.get("VEIL_REQUIRE_PEERS") == "1" else pytest.skip(message)
    running = Orthanc(*ports)
    storage = folder / "orthanc"
    storage.mkdir()
    settings = {
        "Name": "peer", "StorageDirectory": str(storage), "IndexDirectory": str(storage), "Plugins": [str(_PLUGINS)],
        "HttpPort": running.http_port, "DicomPort": running.dimse_port, "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
        "DicomCheckCalledAet": False, "UnknownSopClassAccepted": True, "OverwriteInstances": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": dict(servers or {})},
        "StorageCompression": False, **(more or {}),
    }  # fmt: skip
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    with running_program([str(binary), str(configuration)], folder / "orthanc.log") as process:
        _wait_for(running, process, folder / "orthanc.log")
        yield running
        process.kill()  # its storage goes with the test: nobody waits the three seconds of an orderly end


@contextmanager
def running_program(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A peer that runs until the end of the ``with``; what it prints goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def listening(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A peer that listens on ``port`` of loopback, until the end of the ``with``."""
    with running_program(command, log) as process:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail(f"{command[0]} did not start: " + log.read_text(errors="replace")[-2000:])
        yield
        process.kill()  # dcmqrscp does not heed SIGTERM while a child of it waits for a peer


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


@contextmanager
def run_dcmqrscp(
    program: Path, index: Path, port: int, folder: Path, files: Iterable[Path], hosts: Mapping[str, int]
) -> Iterator[None]:
    """dcmqrscp as ``PACS`` with ``files``; ``hosts``: where C-MOVE may send to, AE title → port.

    It sends what is uncompressed (and RLE by C-GET) and cannot be told to send everything.
    """
    storage = folder / "dcmqrscp"
    storage.mkdir()
    for number, file in enumerate(files):
        copy = storage / f"{number}.dcm"
        copy.write_bytes(file.read_bytes())
        subprocess.run([str(index), str(storage), str(copy)], check=True, capture_output=True, timeout=60)
    table = "\n".join(f"host{n} = ({title}, 127.0.0.1, {to})" for n, (title, to) in enumerate(hosts.items()))
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 32\n"
        f"HostTable BEGIN\n{table}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nPACS {storage} RW (100, 1024mb) ANY\nAETable END\n"
    )
    log = folder / "dcmqrscp.log"
    command = [str(program), "-v", "--require-find", "+xr"]
    with listening([*command, "-c", str(configuration)], port, log):
        yield
