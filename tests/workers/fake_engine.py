"""An engine that does what the bytes say, and a gate that agrees. Imported by worker processes through PYTHONPATH."""

from __future__ import annotations

import gc
import os
import signal
import time

from proxy.deid.types import Claimed, Deidentified, Original, Report, Slice
from proxy.deid.verify import Release
from proxy.errors import InstanceHeld, Reason

ORIGINAL = Original("1.2.3", "1.2.4", "1.2.5", "1.2.6")
REPORT = Report("1.2.3", "1.2.840.10008.1.2.1", "CT", "P1", "2.25.1", "2.25.2", "2.25.3", "20000101", "d" * 64, 1)
kept: list[memoryview] = []


def deidentify(data: memoryview, claimed: Claimed, policy: object, reader: object = None) -> Deidentified:
    order = bytes(data[:64]).partition(b"\n")[0]
    match order:
        case b"hang":
            time.sleep(600)
        case b"sleep":
            time.sleep(0.3)
        case b"crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"kill-me":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"bomb":
            return Deidentified((bytes(8 << 30),), ORIGINAL, REPORT)
        case b"recursion":
            return deidentify(data, claimed, policy)
        case b"raise":
            raise ValueError("SMITH^JOHN")
        case b"held":
            raise InstanceHeld(Reason.TOO_DEEP, "64 levels")
        case b"keep":
            kept.append(memoryview(bytes(data)))
        case b"grow":
            kept.append(memoryview(b"x" * (200 << 20)))
        case b"write":
            data[0] = 0  # the instance is mapped read-only: TypeError
        case b"big":
            return Deidentified((b"head", Slice(0, 4), b"\x07" * (40 << 20), b"tail"), ORIGINAL, REPORT)
        case b"pid":
            return Deidentified((str(os.getpid()).encode(),), ORIGINAL, REPORT)
        case b"collected":
            return Deidentified((str(gc.isenabled()).encode(),), ORIGINAL, REPORT)
        case b"class":
            return Deidentified((b"x",), ORIGINAL, Evil())  # type: ignore[arg-type]
    return Deidentified((b"out:", Slice(0, len(data))), ORIGINAL, REPORT)


def identify(data: memoryview, policy: object) -> Original | None:
    if bytes(data[:4]) != b"held":
        raise ValueError("SMITH^JOHN")
    return ORIGINAL


class Evil:
    """A report that smuggles a class into the reply."""

    def __getattr__(self, name: str) -> object:
        if name in Report.__dataclass_fields__:
            return {"a": 1} if name == "counts" else _Bad()
        raise AttributeError(name)


class _Bad:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ('touch "$EVIL"',))


class Gate:
    def __init__(self, key: bytes, reader: object = None, salt: bytes = b"") -> None:
        self.key = key

    def verify(self, data: memoryview, result: Deidentified, policy: object) -> Release:
        if bytes(data[:4]) == b"gate":
            raise InstanceHeld(Reason.IDENTIFIER_REMAINS, "(0010,0020)")
        return Release(4, b"", self.key)
