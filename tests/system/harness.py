"""`Site`: one Veil in a temporary folder, run as its users run it: `python -m proxy.cli`, a veil.yaml, signals.

Nothing here imports the running parts of the product. What a site is told to keep secret (`secrets`) must never stand
in clear below its folder: `Site.exposed` searches every file, the log of `veil serve` included.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.system import remains
from tests.system.forked import Forked
from tests.system.forked import run as forked_run
from tests.system.planting import found_in

REPOSITORY = Path(__file__).resolve().parents[2]
#: keys by label, so that a run repeats itself
KEYS = {label: hashlib.sha256(b"veil system tests: " + label.encode()).hexdigest() for label in ("node", "a", "b")}
_START_SECONDS = 60.0
#: verbs for which this process has started an interpreter
_STARTED: set[str] = set()
#: what tells about a site, and planted names in questions, which no answer and no log may repeat
_INDISCREET = (
    "/metrics", "/readyz", "/dicomweb/research/studies?PatientName=Zqxplant*&PatientID=ZQXIDENT1",
    "/dicomweb/research/studies/1.2.826.0.1.3680043.10.1511.1.5/metadata", "/dicomweb/Zqxplant/studies",
    "/console/Zqxplant", "/audit/events?object=ZQXIDENT1",
)  # fmt: skip


def quiet_port() -> int:
    """A loopback port below the ephemeral range: no outgoing connection takes it while a site restarts."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)  # not what another runner draws from the same seed
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for ``condition``; AssertionError with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Site:
    """``changes`` go into veil.yaml by dotted path; ``key`` names one of `KEYS` as the project's key.

    ``afresh``: an interpreter is started for each process; otherwise for the first of each verb, as `_afresh` says.
    """

    def __init__(
        self, folder: Path, changes: Mapping[str, Any] | None = None, key: str = "a", afresh: bool = False
    ) -> None:
        self.folder, self._always_afresh = folder, afresh
        self.dimse_port, self.http_port = quiet_port(), quiet_port()
        self.log = folder.parent / f"{folder.name}.log"
        self.said = folder.parent / f"{folder.name}.said"
        self.secrets: set[str] = set()
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._temporary = folder.parent / f"{folder.name}.tmp"
        self._temporary.mkdir(parents=True)
        remains.note(folder, self._temporary, self.log, self.said)
        self.veil("init", str(folder), check=True)
        for name, label in (("node", "node"), ("research", key)):
            (folder / "keys" / f"{name}.key").write_text(KEYS[label] + "\n")
        ports = {"dimse.port": self.dimse_port, "http.port": self.http_port, "workers.count": 1}
        self.edit(ports | dict(changes or {}))

    @property
    def config(self) -> Path:
        return self.folder / "veil.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicomweb/research"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Set dotted paths of veil.yaml."""
        document = yaml.safe_load(self.config.read_text())
        for path, value in changes.items():
            *above, last = path.split(".")
            place = document
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))

    # ---- processes ----

    def veil(self, *arguments: str, check: bool = False, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end. What it says must keep the secrets too."""
        where = {"cwd": self.folder.parent, "env": self._environment()}
        if self._afresh(arguments[0]):
            command = [sys.executable, "-m", "proxy.cli", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **where)
        else:
            done = forked_run(arguments, *where.values(), timeout)
        with self.said.open("a") as said:
            said.write(done.stdout + done.stderr)
        if check:
            done.check_returncode()
        return done

    def spawn(self) -> None:
        """Start `veil serve` in a process group of its own; do not wait."""
        assert not self.running
        arguments = ("serve", "-c", str(self.config))
        with self.log.open("ab") as log:
            if not self._afresh("serve and stay"):
                self._process = Forked(arguments, (log, log), self.folder.parent, self._environment(), session=True)
                return
            self._process = subprocess.Popen(
                [sys.executable, "-m", "proxy.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder.parent,
                env=self._environment(),
                start_new_session=True,
            )

    def start(self) -> float:
        """Start and wait until ready; returns the seconds that took."""
        started = time.monotonic()
        self.spawn()
        until(lambda: self.ready or not self.running, _START_SECONDS, "veil serve is ready")
        assert self.running, f"veil serve ended:\n{self.log.read_text()[-3000:]}"
        return time.monotonic() - started

    @property
    def ready(self) -> bool:
        """What /readyz says."""
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str, accept: str = "*/*", timeout: float = 10) -> tuple[int, bytes]:
        """GET from the HTTP port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        finally:
            connection.close()
        remains.keep(body)
        return status, body

    def stop(self, timeout: float = 60) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL to the whole process group, and wait until nothing of it is left."""
        assert self._process is not None
        group = self._process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process.wait(10)
        until(lambda: not _group_alive(group), 10, "the process group is gone")

    def end(self) -> None:
        """Whatever state it is in. One that still answers is asked what it should not know, for `remains`."""
        if self.running:
            for path in _INDISCREET:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.get(path, timeout=2)
            self.kill()

    # ---- what it holds ----

    def control(self, path: str) -> Any:
        """GET from the operator's socket."""
        folder = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
        connection = http.client.HTTPConnection("veil")
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(20)
            connection.sock.connect(f"/proc/self/fd/{folder}/control.sock")
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
            os.close(folder)

    def queue(self) -> dict[str, int]:
        """state → rows, over all destinations."""
        sums: dict[str, int] = {}
        for states in self.control("/status")["queue"].values():
            for state, rows in states.items():
                sums[state] = sums.get(state, 0) + rows
        return sums

    def held(self) -> list[dict[str, Any]]:
        """The quarantine's entries."""
        found: list[dict[str, Any]] = self.control("/quarantine")
        return found

    def drain(self, seconds: float = 60) -> None:
        """Wait until no row waits."""
        until(lambda: not self._undelivered(), seconds, "every row is delivered")

    def _undelivered(self) -> int:
        counts = self.queue()
        return counts.get("waiting", 0) + counts.get("in_flight", 0)

    def archived(self) -> dict[str, Path]:
        """SOP Instance UID → file in the embedded archive."""
        return {path.stem: path for path in (self.data / "archive" / "research").rglob("*.dcm")}

    def exposed(self) -> list[str]:
        """Where one of ``secrets`` stands in clear: files, temporary files, log, what its verbs said."""
        places = (self.folder, self._temporary, self.log, self.said)
        return found_in(places, self.secrets)

    def _afresh(self, verb: str) -> bool:
        """Whether ``verb`` is not forked: the first of each is not, so that its start is tested by every run."""
        first = verb not in _STARTED
        _STARTED.add(verb)
        return first or self._always_afresh

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "PYTHONPATH": path, "TMPDIR": str(self._temporary), "COLUMNS": "200"}


def _group_alive(group: int) -> bool:
    """Whether a process of ``group`` runs; one that is dead and waits to be reaped does not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, member = path.read_text().rpartition(") ")[2].split()[:3]
            if int(member) == group and state not in "ZX":
                return True
    return False
