"""End to end on loopback: one storescu, one storescp, and between them nothing, a TCP relay, or Veil.

The same programs and files three times. Acknowledged: association requested until the last response, by the sender's
log. Arrived: until the last write to a file at storescp. Every leg has fresh processes and folders; start-up and
warm-up are not counted.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.instances import write_series
from bench.peers import NAGLE, NO_DELAY, destination, send
from bench.processes import Failed, in_turns, running, wait_until
from bench.report import Row, timed
from bench.site import CALLED, veil

_LIMIT = 300.0
Route = Callable[[Path, int], contextlib.AbstractContextManager[int]]


@dataclass(frozen=True, slots=True)
class Passage:
    """One leg, once. Seconds."""

    acknowledged: float
    arrived: float
    latencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """Under what circumstances the legs are run. ``one_at_a_time``: the destination serves one association."""

    heading: str
    environment: Mapping[str, str] = field(default_factory=lambda: NO_DELAY)
    one_at_a_time: bool = False
    rounds: int = 1


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows of the three legs, then of fewer instances with DCMTK's default, and with a narrow destination."""
    count, rounds = (50, 1) if quick else (400, 3)
    less = max(20, count // 4)
    with tempfile.TemporaryDirectory(prefix="veil-bench-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        files = write_series(folder / "in", seed, count)
        main = Setting(f"C-STORE, {count} CT of 512 KiB, one association", rounds=rounds)
        yield from _rows(main, _legs(folder, files, main), count)
        for setting in (
            Setting(f"{less} CT, DCMTK with its default: Nagle's algorithm", environment=NAGLE),
            Setting(f"{less} CT, destination serves one association at a time", one_at_a_time=True),
        ):
            yield from _rows(setting, _legs(folder, files[:less], setting), less)


def _legs(folder: Path, files: Sequence[Path], setting: Setting) -> dict[str, list[Passage] | str]:
    """Leg → what each round gave, or why there is nothing. Rounds interleave the legs."""
    legs = {name: partial(passage, route, files=files, setting=setting) for name, route in ROUTES.items()}
    return in_turns(folder, legs, setting.rounds)


def passage(route: Route, folder: Path, files: Sequence[Path], setting: Setting) -> Passage:
    """Send ``files`` by ``route``; `Failed` unless every one is acknowledged and arrives."""
    os.sync()  # what earlier legs wrote shall not be written back in this one
    with (
        destination(folder, setting.environment, setting.one_at_a_time) as target,
        route(folder, target.port) as port,
    ):
        sent = send(folder, port, CALLED, files, _LIMIT, setting.environment)
        last = target.last_write(len(files), _LIMIT)
    return Passage(sent.ended - sent.began, last - sent.began, sent.latencies)


@contextlib.contextmanager
def straight(folder: Path, port: int) -> Iterator[int]:
    """Nothing between."""
    yield port


@contextlib.contextmanager
def relay(folder: Path, port: int) -> Iterator[int]:
    """`bench.relay` between."""
    log = folder / "relay.out"
    with running([sys.executable, "-m", "bench.relay", "127.0.0.1", str(port)], log) as process:
        wait_until(lambda: log.read_text().endswith("\n") or process.poll() is not None, 20, "the relay")
        line = log.read_text().strip()
        if not line.isdigit():
            raise Failed(f"the relay ended with status {process.poll()}")
        yield int(line)


@contextlib.contextmanager
def through_veil(folder: Path, port: int) -> Iterator[int]:
    """Veil between."""
    with veil(folder, port) as site:
        yield site.dimse


ROUTES: Mapping[str, Route] = {"straight": straight, "relay": relay, "Veil": through_veil}


def _rows(setting: Setting, seen: Mapping[str, list[Passage] | str], count: int) -> Iterator[Row]:
    heading = setting.heading
    medians: dict[tuple[str, str], float] = {}
    for what in ("acknowledged", "arrived"):
        for name, passages in seen.items():
            if isinstance(passages, str):
                yield Row(heading, f"{name}: {what}", note=passages)
                continue
            seconds = statistics.median(getattr(p, what) for p in passages)
            medians[what, name] = seconds
            spread = ", ".join(f"{getattr(p, what):.2f}" for p in passages) if len(passages) > 1 else ""
            note = f"{count / seconds:.0f}/s" + (f"; rounds {spread}" if spread else "")
            yield Row(heading, f"{name}: {what}", "s", seconds, ratios=_ratios(medians, what, name), note=note)
    for name, passages in seen.items():
        if not isinstance(passages, str):
            every = [latency for p in passages for latency in p.latencies]
            yield timed(heading, f"{name}: response to one C-STORE", every, {}, f"n = {len(every)}")


def _ratios(medians: Mapping[tuple[str, str], float], what: str, name: str) -> dict[str, float]:
    earlier = [other for (kind, other) in medians if kind == what and other != name]
    return {other: medians[what, name] / medians[what, other] for other in earlier}
