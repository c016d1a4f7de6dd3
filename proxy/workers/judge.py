"""One instance through the engine and the gate: the verdict. The one place where any exception becomes `Held`.

Runs inside a worker process (`proxy.workers.child`), or without one (`proxy.workers.inline`). Whatever foreign bytes
make a parser or codec raise, MemoryError and RecursionError included, costs this instance only. An exception's own
text may quote the data set, so its class name is all that leaves.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from proxy.deid.profile import Policy
from proxy.deid.types import Claimed, Deidentified, Original
from proxy.deid.verify import Release
from proxy.errors import InstanceHeld, Reason
from proxy.service.ports import Held, Released, Verdict

ENGINE = "proxy.deid.engine:deidentify"
GATE = "proxy.deid.verify:Gate"

Engine = Callable[[memoryview, Claimed, Policy], Deidentified]
#: longest detail that is kept
_DETAIL = 300


class Verifier(Protocol):
    """`proxy.deid.verify.Gate`, as far as a worker needs it."""

    def verify(self, data: memoryview, result: Deidentified, policy: Policy) -> Release:
        """The permission to let ``result`` out; `InstanceHeld` otherwise."""
        ...


def load(name: str) -> Any:
    """The object called ``"module:name"``."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def judge(data: memoryview, claimed: Claimed, policy: Policy, engine: Engine, gate: Verifier) -> Verdict:
    """De-identify ``data`` and have the result verified. Raises nothing."""
    started = time.perf_counter()
    original: Original | None = None
    try:
        result = engine(data, claimed, policy)
        original = result.original
        release = gate.verify(data, result, policy)
        return Released(release, result.chunks, original, result.report, _since(started))
    except InstanceHeld as held:
        reason, detail = held.reason, held.detail
    except Exception as error:  # noqa: BLE001 - see the file's head
        reason, detail = Reason.ENGINE_ERROR, type(error).__name__
    return Held(reason, detail[:_DETAIL], original, _since(started))


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
