"""The end of the log as an operator sees it, and what comes while the proxy writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.audit.trail import AuditLog
from proxy.cli import veil
from proxy.service.ports import AuditEvent


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    log = AuditLog(tmp_path / "audit", "veil", segment_bytes=3000)
    await log.open()
    for n in range(30):
        await log.record(AuditEvent(("received", "held")[n % 2], project="a", object={"kind": "instance", "size": n}))
    yield log
    await log.close()


def run(log: Path, *more: str) -> list[str]:
    result = CliRunner().invoke(veil, ["audit", "tail", str(log), *more])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


async def test_the_last_ones_oldest_first(log: AuditLog, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    assert [line.split()[0] for line in run(folder)] == [str(n) for n in range(21, 31)]
    assert [json.loads(line)["seq"] for line in run(folder, "--json", "-n", "3")] == [28, 29, 30]
    held = run(folder, "--type", "held", "-n", "2")
    assert [line.split()[0] for line in held] == ["28", "30"]
    assert held[1].split()[2:] == ["held", "success", "a", "-", "size=29"]
    assert run(folder, "--type", "none") == run(folder, "-n", "0") == []


async def test_a_name_steers_no_terminal(log: AuditLog, tmp_path: Path) -> None:
    await log.record(AuditEvent("denied", "failure", peer={"calling_ae": "\x1b[2J\nEVIL\u202e"}, reason="no-token"))
    (line,) = run(tmp_path / "audit", "-n", "1")
    assert line.isprintable()
    assert line.endswith("-  \\u001b[2J\\u000aEVIL\\u202e  no-token")


async def test_following(log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    loop = asyncio.get_running_loop()

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 5:
            raise KeyboardInterrupt
        asyncio.run_coroutine_threadsafe(log.record(AuditEvent("held"), AuditEvent("received")), loop).result(5)

    monkeypatch.setattr("proxy.commands.audit_tail.time.sleep", nap)
    lines = await asyncio.to_thread(run, tmp_path / "audit", "-f", "-n", "1", "--type", "held")
    assert [line.split()[0] for line in lines] == ["30", "31", "33", "35", "37", "39"]


def test_no_log_yet(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty") == []
