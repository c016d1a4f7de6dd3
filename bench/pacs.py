"""Orthanc with its DICOMweb plug-in as the identified PACS behind a view."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.processes import Skipped, free_port, program, running, wait_until

_PLUGINS = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """Run it with an empty storage below ``folder``; the base of its REST interface."""
    binary = program("Orthanc")
    if not _PLUGINS.exists():
        raise Skipped("Orthanc's DICOMweb plug-in not installed")
    http, storage = free_port(), folder / "orthanc"
    storage.mkdir()
    settings = {
        "StorageDirectory": str(storage), "IndexDirectory": str(storage), "Plugins": [str(_PLUGINS)],
        "HttpPort": http, "DicomPort": free_port(), "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(settings), encoding="ascii")
    base = f"http://127.0.0.1:{http}"
    with running([binary, str(configuration)], folder / "orthanc.log"):
        wait_until(lambda: _answers(base), 60, "Orthanc is not ready", 0.2)
        yield base


def fill(base: str, files: Sequence[Path]) -> None:
    """Put ``files`` in by its REST interface."""
    for file in files:
        request = urllib.request.Request(f"{base}/instances", file.read_bytes(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/system", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
