"""Receivers in processes of their own, each with its own CPU time; who is missing says so, and the others go on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.instances import write_series
from bench.processes import Failed, Skipped, in_turns
from bench.receiving import RECEIVERS, cpu_seconds, reception
from bench.senders import instances


def test_contestants_take_turns_and_one_that_fails_is_left_out(tmp_path: Path) -> None:
    order: list[str] = []

    def well(folder: Path) -> int:
        order.append("well")
        assert not list(folder.iterdir())
        (folder / "left").touch()
        return len(order)

    def missing(folder: Path) -> int:
        order.append("missing")
        raise Skipped("no such tool")

    def wrong(folder: Path) -> int:
        order.append("wrong")
        raise Failed("lost one")

    seen = in_turns(tmp_path, {"a": well, "b": missing, "c": wrong}, 2)
    assert seen == {"a": [1, 4], "b": "skipped: no such tool", "c": "failed: lost one"}
    assert order == ["well", "missing", "wrong", "well"]


def test_cpu_time_is_that_of_the_process() -> None:
    before, until = cpu_seconds(os.getpid()), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.05 <= cpu_seconds(os.getpid()) - before < 0.5


def test_instances_differ_in_their_uids_only(tmp_path: Path) -> None:
    stock = instances(write_series(tmp_path, 3, 1)[0])
    (first, one), (second, other) = next(stock), next(stock)
    assert first != second
    assert first.encode() in one
    assert one.replace(first.encode(), second.encode()) == other


@pytest.mark.peer
@pytest.mark.parametrize("name", RECEIVERS)
def test_every_receiver_takes_the_files(name: str, program, tmp_path: Path) -> None:
    program("storescu"), program("storescp")
    found = reception(RECEIVERS[name], tmp_path, write_series(tmp_path, 3, 2))
    assert 0 < found.cpu < 5
    assert 0 < found.seconds < 20
