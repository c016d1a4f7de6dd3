"""An instance is gone when the call returns: nothing of it, which is PHI, waits for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from proxy.deid.engine import deidentify
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from tests.deid.canary_files import FILES, base, encoded
from tests.deid.test_gate_forgotten import POLICIES, policy_of


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("policy_name", POLICIES)
@pytest.mark.usefixtures("uncollected")
def test_nothing_of_an_instance_stays(make: ModuleType, policy_name: str) -> None:
    policy, gate = policy_of(make, policy_name), Gate(bytes(32))
    left = []
    for name in FILES[:6]:
        ds = base(name)
        if ds.get("Modality") in ("US", "CR") and policy_name == "mammography":
            continue  # refused
        data = np.frombuffer(encoded(ds), np.uint8).copy()
        came = weakref.ref(data)
        view = memoryview(data.data)
        result = deidentify(view, Claimed(), policy)
        gate.verify(view, result, policy)
        del view, data
        if came() is not None:
            left.append(name)
    assert left == []
