"""A Veil of its own for one measurement: ``veil init`` and ``veil serve`` as an operator runs them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.processes import Failed, free_port, running, wait_until

CALLED = "VEIL"
_VEIL = (sys.executable, "-m", "proxy.cli")


@dataclass(frozen=True, slots=True)
class Site:
    """A Veil that serves."""

    pid: int
    dimse: int
    http: int
    log: Path

    @property
    def base(self) -> str:
        """Of DICOMweb."""
        return f"http://127.0.0.1:{self.http}/dicomweb/research"

    @property
    def stow(self) -> str:
        """Where STOW-RS is taken (PS3.18 10.5)."""
        return f"http://127.0.0.1:{self.http}/dicomweb/research/studies"


@contextlib.contextmanager
def veil(folder: Path, destination_port: int = 0, changes: Mapping[str, Any] | None = None) -> Iterator[Site]:
    """Serve from ``folder``/site; drained and ended on the way out. See `make`."""
    path, dimse, http = make(folder, destination_port, changes or {})
    log = folder / "serve.log"
    with running([*_VEIL, "serve", "-c", str(path), "--drain", "10"], log, grace=40) as process:
        site = Site(process.pid, dimse, http, log)
        wait_until(lambda: _ready(process, site), 120, "veil is not ready", 0.2)
        yield site


def make(folder: Path, destination_port: int = 0, changes: Mapping[str, Any] | None = None) -> tuple[Path, int, int]:
    """Write the site; returns veil.yaml and the two ports.

    It delivers to a DIMSE destination on ``destination_port``, or, without one, into its archive. ``changes``: words of
    the project on top of that; ``upstreams`` and ``dimse`` go to where they belong.
    """
    site = folder / "site"
    made = subprocess.run([*_VEIL, "init", str(site)], capture_output=True, timeout=60, check=False)
    if made.returncode != 0:
        raise Failed(f"veil init: status {made.returncode}")
    path = site / "veil.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    dimse, http = free_port(), free_port()
    document["dimse"]["port"], document["http"]["port"] = dimse, http
    there = {"type": "dimse", "host": "127.0.0.1", "port": destination_port, "called_ae": "STORESCP"}
    document["destinations"] = {"pacs": there if destination_port else {"type": "archive"}}
    document["projects"]["research"] |= {"ae_titles": [CALLED], "path": "research", "destinations": ["pacs"]}
    for key, value in (changes or {}).items():
        if key == "dimse":
            document["dimse"] |= value
        else:
            (document if key == "upstreams" else document["projects"]["research"])[key] = value
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path, dimse, http


def _ready(process: subprocess.Popen[bytes], site: Site) -> bool:
    if process.poll() is not None:
        raise Failed(f"veil serve ended with status {process.returncode}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.http}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
