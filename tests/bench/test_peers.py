"""Reading the sender's log, and the bounds around every program that the bench starts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from bench.engine import repeat, size
from bench.instances import write_series
from bench.peers import destination, parse_log, send
from bench.processes import Failed, Skipped, program, running, wait_until
from bench.transport import relay, straight, through_veil

LOG = """\
1795211770 238.298 determining input files ...
1795211770 240.000 Requesting Association
1795211770 250.000 Sending Store Request (MsgID 1, CT)
1795211770 999.500 Received Store Response (Success)
1795211771 000.250 Sending Store Request (MsgID 2, CT)
1795211771 010.250 Received Store Response (Failed: CannotUnderstand)
"""


def test_latencies_come_from_successes_only() -> None:
    sent = parse_log(LOG)
    assert sent.ended - sent.began == pytest.approx(0.7595)
    assert sent.latencies == pytest.approx((0.7495,))


def test_a_missing_program_is_skipped_and_named() -> None:
    with pytest.raises(Skipped, match="no-such-program not installed"):
        program("no-such-program")


def test_what_was_started_is_ended_even_when_it_ignores_the_signal(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    log = tmp_path / "log"
    began = time.monotonic()
    with running([sys.executable, "-c", stubborn], log, grace=0.5) as process:
        wait_until(lambda: "up" in log.read_text(), 20, "start")
    assert process.returncode == -9
    assert time.monotonic() - began < 20


def test_waiting_has_an_end() -> None:
    with pytest.raises(Failed, match="never"):
        wait_until(lambda: False, 0.05, "never")


def test_repetitions_are_bounded_and_taken_in_turn() -> None:
    calls: list[str] = []
    times = repeat(0.0, lambda: calls.append("a"), lambda: calls.append("b"))
    assert [(len(wall), len(cpu)) for wall, cpu in times] == [(5, 5), (5, 5)]
    assert "".join(calls) == "ab" * 7  # two turns that do not count
    assert size(512 << 10) == "512 KiB"


@pytest.mark.peer
@pytest.mark.parametrize("route", [straight, relay])
def test_an_instance_arrives_bit_by_bit_on_the_routes_without_veil(route, program, tmp_path: Path) -> None:
    program("storescp"), program("storescu")
    files = write_series(tmp_path, 3, 2)
    with destination(tmp_path / "d") as target, route(tmp_path, target.port) as port:
        sent = send(tmp_path, port, "ANY", files, 30)
        target.last_write(2, 30)
        sizes = [path.stat().st_size for path in target.files()]
    assert len(sent.latencies) == 2
    assert min(sizes) > 512 * 512 * 2


@pytest.mark.peer
def test_what_passes_through_veil_is_not_what_was_sent(program, tmp_path: Path) -> None:
    """The harness really measures de-identification: no planted name at the destination."""
    program("storescp"), program("storescu")
    (path,) = write_series(tmp_path, 3, 1)
    family = str(dcmread(path, stop_before_pixels=True).PatientName).partition("^")[0]
    with destination(tmp_path / "d") as target, through_veil(tmp_path, target.port) as port:
        send(tmp_path, port, "VEIL", [path], 60)
        target.last_write(1, 60)
        (arrived,) = target.files()
        data = arrived.read_bytes()
    assert family.encode() in path.read_bytes()
    assert family.encode() not in data
