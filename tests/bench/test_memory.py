"""What the sampler counts: own pages of a whole process tree, and each memfd once."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.memory import Sampler, tree, usage

MIB = 1 << 20
#: a child that allocates, a grandchild that holds the same memfd
SCRIPT = """
import os, subprocess, sys, time
ballast = bytearray(os.urandom(1 << 20) * 40)
fd = os.memfd_create("veil-instance", 0)
os.write(fd, bytes(30 << 20))
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[fd])
print("up", flush=True)
sys.stdin.read()
child.stdin.close()
child.wait()
"""


def test_private_pages_and_a_shared_memfd_are_counted_once() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            assert len(tree(process.pid)) == 2
            with Sampler(process.pid) as memory:
                pass
        finally:
            assert process.stdin is not None
            process.stdin.close()
    assert memory.baseline.shared == 30 * MIB
    assert 40 * MIB < memory.baseline.private < 120 * MIB
    assert memory.peak.total >= memory.baseline.total
    assert memory.baseline.total == memory.baseline.private + memory.baseline.shared


def test_a_process_that_is_gone_counts_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert usage(process.pid).total == 0
    assert tree(os.getpid())[0] == os.getpid()
