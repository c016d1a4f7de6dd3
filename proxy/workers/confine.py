"""What a worker process may not do. Linux; called by the worker on itself.

No core dumps and no ptrace by others (memory holds clear PHI), no life after the parent, no death by the terminal's
or the service manager's signals (the parent drains first), bounded memory and bounded files.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: room for allocator overhead and thread stacks beyond what an instance is allowed
_SLACK = 64 << 20


def confine(parent: int) -> None:
    """Everything that holds for the worker's whole life; ends it at once when ``parent`` is gone already."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_files(memory_bytes: int) -> None:
    """For the worker's whole life; a reply's memfd counts too."""
    _limit(resource.RLIMIT_FSIZE, memory_bytes)


def limit_memory(base: int, memory_bytes: int, instance_bytes: int) -> None:
    """For the next instance: ``base`` (`address_space` when idle), its allowance, and the mapping of its own bytes."""
    _limit(resource.RLIMIT_AS, base + memory_bytes + instance_bytes + _SLACK)


def address_space() -> int:
    """Mapped bytes of this process."""
    return _statm(0)


def resident() -> int:
    """Resident bytes of this process."""
    return _statm(1)


def _statm(field: int) -> int:
    fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)  # after each instance: no file object for it
    try:
        return int(os.read(fd, 256).split()[field]) * _PAGE
    finally:
        os.close(fd)


def _limit(which: int, wanted: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
