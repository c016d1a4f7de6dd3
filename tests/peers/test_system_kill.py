"""Kills under load with DCMTK's storescp as the destination: every acknowledged instance is there afterwards.

`make test` takes a small share; ``VEIL_KILLS=300 python -m pytest -s tests/peers/test_system_kill.py`` is the long run.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system import killing
from tests.system.harness import Site, quiet_port, until
from tests.system.planting import MARKERS, found_in

KILLS = int(os.environ.get("VEIL_KILLS", "6"))
SEED = int(os.environ.get("VEIL_SEED", "20261120"))

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90 + 20 * KILLS)]


@pytest.fixture
def pacs(program: Callable[[str], Path], tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """storescp: its port and the folder of what it received."""
    port, folder = quiet_port(), tmp_path / "pacs"
    folder.mkdir()
    command = [program("storescp"), "--fork", "--promiscuous", "-od", folder, port]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), 60, "storescp listens")
        yield port, folder
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_acknowledged_instance_is_at_storescp_after_kills(pacs: tuple[int, Path], tmp_path: Path) -> None:
    port, folder = pacs
    destination = {"type": "dimse", "host": "127.0.0.1", "port": port, "called_ae": "PACS", "calling_ae": "VEIL"}
    site = Site(tmp_path / "site", {"destinations.pacs": destination, "projects.research.destinations": ["pacs"]})
    site.secrets.update(MARKERS)

    def arrived() -> dict[str, Path]:
        return {path.name.split(".", 1)[1]: path for path in folder.iterdir()}  # named CT.<SOP Instance UID>

    try:
        killing.run(site, KILLS, SEED, arrived)
        assert "whole" in site.veil("audit", "verify", str(site.data / "audit"), check=True).stdout
        assert site.exposed() == []
        assert found_in(folder, MARKERS) == []
    finally:
        site.end()
