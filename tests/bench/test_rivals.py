"""All contestants get the same bytes on one core; one that is not installed is a row that says so."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from bench import rivals
from bench.engine import make_policy
from bench.instances import ct
from bench.modules import encode
from bench.report import Row
from proxy.deid.engine import deidentify
from proxy.deid.types import Claimed, Slice, materialise
from proxy.errors import InstanceHeld, Reason


def once(seconds: float, *works: Any, burst: int = 1) -> list[tuple[list[float], list[float]]]:
    """In the place of `repeat`: each is called, and the nth takes n seconds, half of them on the CPU."""
    for work in works:
        work()
    return [([float(n)], [n / 2]) for n in range(1, len(works) + 1)]


def absent() -> rivals.Work:
    raise ImportError("no such tool")


def rows(monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]) -> dict[str, Row]:
    monkeypatch.setattr(rivals, "RIVALS", made)
    monkeypatch.setattr(rivals, "_PATIENTS", 2)
    monkeypatch.setattr(rivals, "repeat", once)
    return {row.name: row for row in rivals.measure(quick=True, seed=3)}


def test_without_the_extra_every_row_of_our_own_is_there_and_the_others_say_why_not(monkeypatch) -> None:
    found = rows(monkeypatch, dict.fromkeys(("dicognito", "dicom-anonymizer"), absent))
    assert found.pop("dicognito: read, anonymise, write").note == "skipped: dicognito not installed"
    assert found.pop("dicom-anonymizer: read, anonymise, write").note == "skipped: dicom-anonymizer not installed"
    assert [row.value for row in found.values()] == [1000, 2000, 3000, 4000, 5000]
    assert list(found) == [
        "pydicom: read, walk, write", "Veil: engine", "Veil: engine + gate", "Veil: engine + gate + copy",
        "Veil: engine + gate, soft tissue for noise",
    ]  # fmt: skip


def test_ratios_are_of_cpu_and_of_wall_time_against_pydicom(monkeypatch) -> None:
    found = rows(monkeypatch, {})
    assert found["pydicom: read, walk, write"].ratios == {}
    assert found["Veil: engine + gate"].ratios == {"pydicom's CPU": 3.0, "its wall time": 3.0}
    assert "CPU 1.5e+03 ms (least 1.5e+03 ms)" in found["Veil: engine + gate"].note


def test_a_tool_gets_the_encoded_instances_one_patient_after_the_other(monkeypatch) -> None:
    seen: list[str] = []

    def tool() -> rivals.Work:
        return lambda data: seen.append(dcmread(BytesIO(data)).PatientID)

    def twice(seconds: float, *works: Any, burst: int = 1) -> list[tuple[list[float], list[float]]]:
        once(seconds, *works)
        return once(seconds, *works)

    monkeypatch.setattr(rivals, "repeat", twice)
    monkeypatch.setattr(rivals, "RIVALS", {"pydicom": tool})  # a distribution that has a version
    monkeypatch.setattr(rivals, "_PATIENTS", 2)
    list(rivals.measure(quick=True, seed=3))
    assert seen == [ct(3).PatientID, ct(4).PatientID]


def test_an_instance_that_veil_holds_is_told(monkeypatch) -> None:
    def holds(*_: object) -> None:
        raise InstanceHeld(Reason.MALFORMED, "no")

    monkeypatch.setattr(rivals, "deidentify", holds)
    assert [row.note for row in rows(monkeypatch, {}).values()] == [f"held: {Reason.MALFORMED}"]


def test_the_body_is_another_image_of_the_same_instance() -> None:
    noise = ct(3)
    image = rivals.body(ct(3))
    assert len(image.PixelData) == len(noise.PixelData)
    values = np.frombuffer(image.PixelData, "<i2")
    assert values.min() == -1000
    assert 40 < np.median(values[values > -500]) < 60
    del image.PixelData, noise.PixelData
    assert image == noise


def test_one_core_means_one_and_all_are_back_afterwards() -> None:
    before = os.sched_getaffinity(0)
    with rivals.one_core() as cpu:
        assert os.sched_getaffinity(0) == {cpu}
    assert os.sched_getaffinity(0) == before


def test_all_are_back_after_an_error_too() -> None:
    before = os.sched_getaffinity(0)
    with contextlib.suppress(KeyError), rivals.one_core():
        raise KeyError
    assert os.sched_getaffinity(0) == before


def test_the_copy_is_the_whole_output() -> None:
    data = encode(ct(3))
    target = memoryview(bytearray(2 * len(data)))
    chunks = deidentify(memoryview(data), Claimed(), make_policy(3)).chunks
    assert any(isinstance(chunk, Slice) for chunk in chunks)
    length = rivals.copy_out(chunks, data, target)
    assert target[:length].tobytes() == materialise(chunks, data)
    works = rivals.veil(make_policy(3), len(data))
    assert works["Veil: engine + gate + copy"](data) == length


@pytest.mark.parametrize(("name", "module"), [("dicognito", "dicognito"), ("dicom-anonymizer", "dicomanonymizer")])
def test_the_real_tools_write_an_instance_where_they_are_installed(name: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        with pytest.raises(ImportError, match=module):
            rivals.RIVALS[name]()
        return
    length = rivals.RIVALS[name]()(encode(ct(3)))
    assert isinstance(length, int)
    assert length > 512 * 512 * 2
