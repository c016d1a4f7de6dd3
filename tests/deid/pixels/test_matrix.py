"""Every combination of the matrix through engine and gate: an independent decoder sees each pixel of a box black and
every other pixel equal; of JPEG that is edited in its coefficients, every pixel outside the blocks that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from proxy.errors import InstanceHeld
from tests.deid.pixels.matrix import BIG, Case, darkest, native_cases
from tests.deid.pixels.matrix_coded import CodedCase, coded_cases
from tests.deid.pixels.matrix_decoders import gdcm, is_for_gdcm, of_gdcm, plainly
from tests.deid.pixels.matrix_engine import through
from tests.deid.pixels.matrix_native import Image, Values

BATCH = 250


def batches(cases: Iterable[Case]) -> list[list[Case]]:
    every = list(cases)
    return [every[at : at + BATCH] for at in range(0, len(every), BATCH)]


def looked(cases: list[Case], files: dict[str, bytes]) -> dict[str, Values]:
    """Stored values of each file, by an independent decoder."""
    raw = gdcm({case.name: files[case.name] for case in cases if is_for_gdcm(files[case.name], case)})
    return {case.name: _values(raw, files[case.name], case) for case in cases}


def _values(raw: dict[str, bytes], file: bytes, case: Case) -> Values:
    return of_gdcm(raw[case.name], case) if is_for_gdcm(file, case) else plainly(file, case)


def outside(case: CodedCase) -> Values:
    """(frames, rows, columns, samples): what has nothing to do with any box.

    Of subsampled chrominance a decoder smooths what it doubles, so that it looks one pixel into the next block.
    """
    mask = np.ones(case.values.shape, np.bool_)
    for box, frames in case.boxes:
        left, top, right, bottom = case.grown(box)
        across, down = (unit // 16 for unit in case.unit)
        for frame in range(case.frames) if frames is None else frames:
            mask[frame, top:bottom, left:right] = False
            mask[frame, max(top - down, 0) : bottom + down, max(left - across, 0) : right + across, 1:] = False
    return mask


@pytest.mark.parametrize("case", [Case(BIG, Image("MONOCHROME2", 32, 32), 1, "top")], ids=lambda case: case.name)
def test_what_has_two_readings_is_held(case: Case) -> None:
    with pytest.raises(InstanceHeld):
        through(case.file)


def test_there_are_as_many_as_promised() -> None:
    names = [case.name for case in (*native_cases(), *coded_cases())]
    assert len(names) == len(set(names)) >= 2700


@pytest.mark.parametrize("cases", batches(native_cases()), ids=lambda cases: cases[0].name)
def test_native(cases: list[Case]) -> None:
    after = looked(cases, {case.name: through(case.file) for case in cases})
    for case in cases:
        assert np.array_equal(after[case.name], case.expected), case.name


@pytest.mark.parametrize("cases", batches(case for case in coded_cases() if not case.smooth), ids=lambda c: c[0].name)
def test_lossless(cases: list[Case]) -> None:
    after = looked(cases, {case.name: through(case.file) for case in cases})
    for case in cases:
        assert np.array_equal(after[case.name], case.expected), case.name


@pytest.mark.parametrize("cases", batches(case for case in coded_cases() if case.smooth), ids=lambda c: c[0].name)
def test_lossy(cases: list[CodedCase]) -> None:
    before = looked(list(cases), {case.name: case.before for case in cases})
    after = looked(list(cases), {case.name: through(case.file) for case in cases})
    for case in cases:
        new, rest = after[case.name], outside(case)
        assert np.array_equal(new[rest], before[case.name][rest]), case.name
        for (left, top, right, bottom), frames in case.boxes:
            for frame in range(case.frames) if frames is None else frames:
                assert (new[frame, top:bottom, left:right] == darkest(case.image)).all(), case.name
