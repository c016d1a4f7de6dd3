"""Everybody at once: a running Veil, and the programs that speak DIMSE with it as a hospital's would.

Each program is asked in its own words; what became of it is asked of Veil and of who received.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from proxy.config import load_config
from proxy.deid.pseudonym import PseudonymProvider
from proxy.site import load_policies
from tests.peers.pacs import Orthanc, listening, run_orthanc
from tests.system.harness import Site, quiet_port
from tests.system.planting import MARKERS, Planted

APPLICATION = (sys.executable, "-m", "pynetdicom")
PRIVATE = "1.3.46.670589.5.0.1"


@dataclass
class Everybody:
    """``site`` keeps in its archive and sends to pynetdicom's storescp, which keeps in ``delivered``.

    C-MOVE goes to ``moved``, where DCMTK's storescp keeps it as THIRD, to ``orthanc``, and to whoever
    listens on the port ``own`` as WS1.
    """

    site: Site
    orthanc: Orthanc
    program: Callable[[str], Path]
    folder: Path
    delivered: Path
    moved: Path
    own: int

    def run(self, *command: Any) -> str:
        """What it prints. gdcmscu's exit status says nothing: it aborts itself after each release."""
        environment = os.environ | {"TCP_NODELAY": "1"}
        done = subprocess.run(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            cwd=self.folder,
            env=environment,
        )
        assert done.returncode == 0 or command[0] == self.program("gdcmscu"), done.stdout
        return done.stdout

    def dcmtk(self, name: str, *options: Any) -> str:
        """One of DCMTK's programs."""
        return self.run(self.program(name), "-d", "-aec", "VEIL", "127.0.0.1", self.site.dimse_port, *options)

    def application(self, name: str, *options: Any) -> str:
        """One of pynetdicom's."""
        return self.run(*APPLICATION, name, "127.0.0.1", self.site.dimse_port, *options, "-aec", "VEIL", "-d")

    def gdcm(self, *options: Any) -> str:
        """GDCM's gdcmscu."""
        return self.run(self.program("gdcmscu"), "-D", "--call", "VEIL", *options, "127.0.0.1", self.site.dimse_port)

    def ask_orthanc(self, path: str, document: Any, method: str = "POST") -> Any:
        """Have Orthanc do something."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        request = urllib.request.Request(self.orthanc.rest + path, body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said.strip() else None

    def pseudonym(self, planted: Planted) -> str:
        """The SOP Instance UID with which it leaves."""
        return self._pseudonyms.uid(planted.sop_instance_uid)

    @cached_property
    def _pseudonyms(self) -> PseudonymProvider:
        return load_policies(load_config(self.site.config))["research"].pseudonyms()


@contextmanager
def everybody(program: Callable[[str], Path], folder: Path) -> Iterator[Everybody]:
    """Started, until the end of the ``with``."""
    ports = [quiet_port() for _ in range(5)]
    delivered, moved = folder / "delivered", folder / "moved"
    with ExitStack() as stack:
        for name in (delivered, moved):
            name.mkdir()
        here = [*APPLICATION, "storescp", str(ports[0]), "-ba", "127.0.0.1", "-od", str(delivered)]
        stack.enter_context(listening(here, ports[0], folder / "pynetdicom.log"))
        third = [str(program("storescp")), "+xa", "+B", "--unique-filenames", "-od", str(moved), str(ports[1])]
        stack.enter_context(listening(third, ports[1], folder / "storescp.log"))
        orthanc = stack.enter_context(run_orthanc(program("orthanc"), (ports[2], ports[3]), folder))
        site = Site(folder / "site", _changes(ports))
        stack.callback(site.end)
        site.secrets.update(MARKERS)
        site.start()
        found = Everybody(site, orthanc, program, folder, delivered, moved, ports[4])
        found.ask_orthanc("/modalities/veil", {"AET": "VEIL", "Host": "127.0.0.1", "Port": site.dimse_port}, "PUT")
        yield found
        assert site.stop() == 0
        assert site.exposed() == []


def _changes(ports: list[int]) -> dict[str, Any]:
    pynetdicom = {"type": "dimse", "host": "127.0.0.1", "port": ports[0], "called_ae": "STORESCP"}
    destinations = {"THIRD": ports[1], "ORTHANC": ports[2], "WS1": ports[4]}
    return {
        "dimse.private_sop_classes": [PRIVATE],
        "destinations.pynetdicom": pynetdicom,
        "projects.research.destinations": ["archive", "pynetdicom"],
        "move_destinations": {name: {"host": "127.0.0.1", "port": port} for name, port in destinations.items()},
        "projects.research.move_destinations": list(destinations),
    }
