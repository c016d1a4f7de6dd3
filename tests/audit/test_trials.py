"""The sink of record full, read-only, hung, killed: nothing done without its record, refused in 2 s, back by itself.

`make test` takes a small share; ``VEIL_TRIALS=1000 python -m pytest -s tests/audit/test_trials.py`` is the whole.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit import killed
from tests.audit.trials import SECONDS, Figures, run

TRIALS = int(os.environ.get("VEIL_TRIALS", "30"))
SEED = int(os.environ.get("VEIL_SEED", "20261121"))
_ROOM = ["unshare", "--user", "--map-root-user", "--mount"]

pytestmark = pytest.mark.timeout(90 + 2 * TRIALS)


def judge(figures: Figures) -> None:
    print(json.dumps(vars(figures)))
    assert figures.wrong == []
    assert figures.trials == TRIALS
    assert figures.refused >= 3 * TRIALS
    # what the event loop lost to other work on the machine is not the log's
    assert figures.slowest_refusal <= SECONDS + figures.stall


@pytest.mark.parametrize("kind", ["full", "read-only", "hung"])
async def test_no_operation_without_its_record(kind: str, tmp_path: Path) -> None:
    judge(await run(kind, TRIALS, SEED, tmp_path))


def test_no_operation_without_its_record_on_a_file_system_that_is_full(tmp_path: Path) -> None:
    probe = [*_ROOM, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        why = "no user namespaces here, so no file system of our own; the faults above are injected instead"
        pytest.fail(why) if os.environ.get("VEIL_REQUIRE_PEERS") == "1" else pytest.skip(why)
    command = [*_ROOM, sys.executable, "-m", "tests.audit.trials", "filled", str(TRIALS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    judge(Figures(**json.loads(done.stdout)))


async def test_no_operation_without_its_record_when_killed(tmp_path: Path) -> None:
    chance, done = random.Random(SEED), 0
    with killed.mother() as process:
        for number in range(TRIALS):
            folder = tmp_path / str(number)
            done += len(await killed.trial(process, folder, chance))
            shutil.rmtree(folder)
    print(json.dumps({"trials": TRIALS, "done": done}))
    assert done > TRIALS
