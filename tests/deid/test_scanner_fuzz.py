"""Whatever bytes come, the scanner reads inside the buffer only, and accepts what it can account for byte by byte.

The gate has a scanner of its own: it reads the very same elements, and refuses where the engine's refuses.

`scanner_fuzz.py` does it in a process of its own, between pages that may not be touched and with numba's bounds checks.
``VEIL_FUZZ=200000`` for the long run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = int(os.environ.get("VEIL_FUZZ", "2000"))
CHILD = Path(__file__).parent / "scanner_fuzz.py"


def child(*arguments: object, cache: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, str(CHILD)]
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(CHILD.parents[2]),
    }
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.timeout(120 + COUNT // 50)
def test_mutated_data_sets(tmp_path: Path) -> None:
    done = child(COUNT, 20261120, cache=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    tally = json.loads(done.stdout)
    print(tally)
    assert tally["refused"] + tally["accepted"] == COUNT
    assert tally["accepted"] > COUNT // 10  # otherwise nothing is compared
    alone = tally.get("pydicom gave up", 0) + tally.get("pydicom searched", 0)
    assert tally["same by pydicom"] + alone == tally["accepted"]
    assert alone < tally["accepted"] // 20


def test_a_read_outside_the_buffer_would_be_seen(tmp_path: Path) -> None:
    """The fence and the checks of numba, each alone, end a process that reads one byte too far."""
    fence = f"import sys; sys.path.insert(0, {str(CHILD.parent)!r}); from scanner_fuzz import Fence; f = Fence(1); "
    for bytes_ahead in (
        "f.hold(b'ab', at_end=True); f._map[f.behind]",
        "f.hold(b'ab', at_end=False); f._map[f.first - 1]",
    ):
        done = child(cache=tmp_path, code=f"{fence}{bytes_ahead}")
        assert done.returncode == -11
    kernel = "import numpy as np; from proxy.deid.scanner import _u16; _u16(np.zeros(2, np.uint8), 1, False)"
    done = child(cache=tmp_path, code=kernel)
    assert done.returncode == 1
    assert "IndexError" in done.stderr
