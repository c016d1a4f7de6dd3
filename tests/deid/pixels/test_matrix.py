"""Every combination of the matrix: an independent reader sees each pixel of a box black and every other pixel equal."""

from __future__ import annotations

import numpy as np
import pytest

from proxy.deid.decode import read_instance
from proxy.deid.pixels import hidden
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.native import blank_native
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.deid.types import materialise
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.pixels.matrix import Case, native_cases
from tests.deid.pixels.matrix_native import read

CASES = list(native_cases())
POLICY = compile_policy(load_tables(), PolicySpec("research", load_profile("basic"), bytes(32)))


def test_there_are_many() -> None:
    print(len(CASES))
    assert len({case.name for case in CASES}) == len(CASES)


def scrubbed(case: Case) -> bytes:
    instance = read_instance(memoryview(case.file), POLICY)
    assert instance.pixels is not None
    value = instance.body[instance.pixels.value : instance.pixels.end]
    layout = layout_of(instance.root, instance.syntax, instance.pixels.tag, instance.pixels.vr)
    assert hidden.hidden(value, layout) == ()
    chunks, _ = blank_native(value, layout, case.areas)
    return materialise(tuple(chunks), value)


@pytest.mark.parametrize("start", range(0, len(CASES), 100))
def test_boxes_are_black_and_the_rest_is_equal(start: int) -> None:
    for case in CASES[start : start + 100]:
        after = read(scrubbed(case), case.image, case.frames, little=case.little)
        assert np.array_equal(after, case.expected), case.name
