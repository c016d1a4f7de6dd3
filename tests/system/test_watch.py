"""`Memory` sees what it is for: pages of descendants, and anonymous files that nobody has mapped."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.system.watch import Memory

MIB = 1 << 20
_CHILD = """
import os, subprocess, sys
{act}
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "act",
    [
        "held = b'x' * (50 << 20)",
        "fd = os.memfd_create('veil-test'); os.write(fd, b'x' * (50 << 20))",
        "p = subprocess.Popen([sys.executable, '-c', 'x = bytearray(50 << 20); print(1, flush=True); input()'], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE); p.stdout.readline()",
    ],
    ids=["pages", "memfd", "grandchild"],
)
def test_fifty_mebibytes_are_seen(act: str) -> None:
    idle = _CHILD.format(act="")
    used = []
    for code in (idle, _CHILD.format(act=act)):
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            used.append(Memory(process.pid).now())
            process.communicate()
    assert 45 * MIB < used[1] - used[0] < 90 * MIB
