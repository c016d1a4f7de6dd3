"""Whatever stream comes, the editor touches its buffers only, ends, and either holds or blanks what it must.

`jpeg_fuzz.py` does it in a process of its own, between pages that may not be touched and with numba's bounds checks.
``VEIL_FUZZ=200000`` for the long run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

COUNT = int(os.environ.get("VEIL_FUZZ", "2000"))
CHILD = Path(__file__).parent / "jpeg_fuzz.py"


def child(*arguments: object, cache: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, str(CHILD)]
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(CHILD.parents[3]),
    }
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False, timeout=3600
    )


def test_mutated_streams_are_held_or_blanked(tmp_path: Path) -> None:
    done = child(COUNT, 20261121, cache=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    tally = json.loads(done.stdout)
    print(tally)
    assert sum(tally.values()) == COUNT
    same, alone = tally["accepted, the same"], tally.get("accepted, the slow reader gave up", 0)
    assert same > COUNT // 10  # otherwise nothing is compared
    assert alone <= same // 50
    assert tally["held: pixels-unreadable"] > COUNT // 2


def test_a_write_outside_a_buffer_would_be_seen(tmp_path: Path) -> None:
    code = """
import numpy as np
from proxy.deid.pixels.jpeg_stuffing import unstuff
unstuff(np.frombuffer(b"abc", np.uint8), np.zeros(2, np.uint8), np.zeros((1, 2), np.int64))
"""
    done = child(cache=tmp_path, code=code)
    assert done.returncode == 1
    assert "IndexError" in done.stderr
