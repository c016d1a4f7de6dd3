"""Whatever peers do to the port, a legitimate C-ECHO is answered, memory stays, and everything is given back.

The server, the one who asks, and those who do harm are processes of their own. ``VEIL_FAULT_SECONDS=10`` for the long
run: so many seconds for each fault alone, and then for all of them together. The short run looks at half of the answers
only: other tests share its cores.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from proxy.dimse.connecting import connect
from proxy.wire.negotiation import ProposedContext
from tests.authorities import keep, leaf
from tests.dimse.fault_peers import MATRIX, Target
from tests.dimse.fault_site import FIRST, IDLE, MEMORY, VERIFICATION, descriptors, echo, memory
from tests.dimse.servers import Serve
from tests.dimse.test_connecting import CT, store_rq, to

SECONDS = float(os.environ.get("VEIL_FAULT_SECONDS", "0"))
PROGRAM = Path(__file__).with_name("fault_site.py")
GROWTH = 64 << 20
LATENCY = 0.250


def _start(*arguments: object, stderr: IO[str] | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
    )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


class Site:
    """The server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port, self.tls = json.loads(_pipe(process.stdout).readline())

    def state(self) -> dict[str, int]:
        """What it has under way, by its own word and the kernel's."""
        _pipe(self.process.stdin).write("\n")
        _pipe(self.process.stdin).flush()
        state: dict[str, int] = json.loads(_pipe(self.process.stdout).readline())
        return state | {"descriptors": descriptors(self.process.pid)}

    @contextlib.contextmanager
    def probed(self) -> Iterator[list[float]]:
        """C-ECHO all the while; the seconds that each took are there at the end."""
        found: list[float] = []
        prober = _start("echo", self.port)
        assert _pipe(prober.stdout).readline() == "ready\n"
        try:
            yield found
        finally:
            found += json.loads(prober.communicate()[0])

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[int]]:
        """How much memory it holds; the most comes first."""
        seen = [memory(self.process.pid)]
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                seen[0] = max(seen[0], memory(self.process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            stop.set()
            watcher.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    keep(folder, "veil", leaf("veil"))
    log = folder / "log"
    with log.open("w") as errors:
        process = _start("serve", folder, stderr=errors)
    site = Site(process)
    for _ in range(20):  # whatever is made at the first time
        assert echo(site.port)
    yield site
    process.communicate()
    assert process.returncode == 0
    assert log.read_text() == ""  # nothing escaped


def under(site: Site, names: Iterable[str], seconds: float, silent: int) -> dict[str, Any]:
    """Let these faults loose for a while; what became of the others meanwhile."""
    while (before := site.state())["connections"]:  # the last C-ECHO's
        time.sleep(0.01)
    stop = threading.Event()
    target = Target(site.port, site.tls, silent)
    peers = [threading.Thread(target=MATRIX[name], args=(target, stop), name=name) for name in names]
    base = memory(site.process.pid)
    with site.watched() as most, site.probed() as latencies:
        for peer in peers:
            peer.start()
        time.sleep(seconds)
        stop.set()
        for peer in peers:
            peer.join(30)
    assert not any(peer.is_alive() for peer in peers)
    until = time.monotonic() + IDLE + FIRST + 5
    while (after := site.state()) != before and time.monotonic() < until:
        time.sleep(0.1)
    latencies.sort()
    return {
        "before": before,
        "after": after,
        "growth": most[0] - base,
        "count": len(latencies),
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[math.ceil(0.99 * len(latencies)) - 1],
        "worst": latencies[-1],
    }


def check(found: dict[str, Any], what: str) -> None:
    print(f"{what:40} {found['count']:5} C-ECHO, p50 {1000 * found['p50']:.1f} ms, p99 {1000 * found['p99']:.1f} ms, "
          f"worst {1000 * found['worst']:.1f} ms, memory +{found['growth'] / 2**20:.1f} MiB")  # fmt: skip
    assert found["after"] == found["before"]
    assert found["before"]["free"] == MEMORY
    assert found["growth"] < GROWTH
    assert found["p99" if SECONDS else "p50"] < LATENCY


@pytest.mark.timeout(60 + 2 * SECONDS)
@pytest.mark.parametrize("name", [*(MATRIX if SECONDS else ()), "all at once"])
def test_others_are_served_meanwhile(site: Site, name: str) -> None:
    names = MATRIX if name == "all at once" else [name]
    check(under(site, names, SECONDS or 3, 2000 if SECONDS else 200), name)


PADDING = bytes.fromhex("fcfffcff4f42000008000000") + bytes(8)


@pytest.mark.parametrize("data", [b"", b"\x08\x00\x18\x00UI\x04\x001.2\x00" + PADDING], ids=["nothing", "padding"])
async def test_what_is_odd_about_a_data_set_is_not_for_the_port_to_judge(
    serve: Serve, ingest: Any, data: bytes
) -> None:
    association = await connect(to((await serve()).port), [CT])
    for number in (1, 2):  # the second has the UID of the first, and is another
        answer = await association.ask(association.contexts[3], store_rq(number), data * number)
        assert answer.command.status == 0
    await association.release()
    first, second = (received[1] for received in ingest.received)
    assert first.endswith(data)
    assert second == first + data


@pytest.mark.parametrize("called", ["OTHER AE", " OTHER AE", "OTHER AE  "])
async def test_an_ae_title_has_spaces_within_and_means_none_around(serve: Serve, called: str) -> None:
    contexts = [ProposedContext(n, VERIFICATION, ("1.2.840.10008.1.2",)) for n in range(1, 256, 2)]
    association = await connect(to((await serve()).port, called), contexts)
    assert len(association.contexts) == 128
    await association.release()
