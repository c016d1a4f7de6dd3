"""Instances that grow are what they say; the exponent is the slope; growth is measured at each size."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from bench import scaling
from bench.engine import make_policy
from bench.modules import encode
from proxy.deid.engine import deidentify
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate


@pytest.mark.parametrize("count", [400, 1000, 3001])
@pytest.mark.parametrize("strangers", [False, True])
def test_an_instance_has_as_many_elements_as_asked_for(count: int, strangers: bool) -> None:
    ds = dcmread(BytesIO(encode(scaling.grown(3, count, strangers=strangers))))
    assert sum(1 for _ in ds.iterall()) == count


def test_it_is_nested_and_has_private_and_public_elements() -> None:
    ds = scaling.grown(3, 2000, strangers=False)
    item = ds.SourceImageSequence[0]
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue
    assert sum(1 for _ in item.iterall()) == scaling._ITEM_ELEMENTS
    private = sum(1 for element in ds.iterall() if element.tag.is_private)
    assert 0.3 < private / 2000 < 0.7


def people(ds: Dataset) -> set[str]:
    return {item.PatientID for item in ds.SourceImageSequence}


def test_the_same_people_stay_few_and_strangers_grow_with_the_instance() -> None:
    assert [len(people(scaling.grown(3, count, strangers=False))) for count in (1000, 4000)] == [3, 3]
    few, many = (len(people(scaling.grown(3, count, strangers=True))) for count in (1000, 4000))
    assert many > 4 * few > 100


@pytest.mark.parametrize("strangers", [False, True])
def test_they_are_released(strangers: bool) -> None:
    data, policy = memoryview(encode(scaling.grown(3, 1000, strangers=strangers))), make_policy(3)
    result = deidentify(data, Claimed(), policy)
    assert Gate(b"\0" * 32).verify(data, result, policy).size
    assert result.report.counts["remapped"] > 30
    assert result.report.counts["kept"] > 200


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_the_exponent_is_the_power(power: float) -> None:
    sizes = (1_000, 10_000, 100_000)
    assert scaling.exponent(sizes, [3e-6 * size**power for size in sizes]) == pytest.approx(power)


def test_rows_tell_each_size_and_the_exponent(monkeypatch) -> None:
    def quadratic(data: bytes, *_: Any) -> tuple[Any, Any]:
        elements = sum(1 for _ in dcmread(BytesIO(data)).iterall())
        return ([elements * 1e-6], [elements * 1e-6]), ([elements**2 * 1e-3], [elements**2 * 1e-3])

    monkeypatch.setattr(scaling, "timings", quadratic)
    monkeypatch.setattr(scaling, "QUICK_SIZES", (400, 800))
    rows = {row.name: row for row in scaling.measure(quick=True, seed=3)}
    assert list(rows) == [
        f"{kind}: {what}" for kind in scaling.KINDS for what in ("400 elements", "800 elements", "exponent")
    ]
    assert rows["the same people: exponent"].value == pytest.approx(2, abs=0.001)
    assert "engine 1, gate 2" in rows["the same people: exponent"].note
    assert rows["the same people: 400 elements"].value == pytest.approx(1000 * (400e-6 + 160))


def test_what_takes_long_is_measured_once(monkeypatch) -> None:
    data, policy = encode(scaling.grown(3, 400, strangers=False)), make_policy(3)
    engine, gate = scaling.timings(data, policy, 0.01)
    assert len(engine[0]) == len(gate[1]) >= 5
    monkeypatch.setattr(scaling, "_LONG", 0.0)
    engine, gate = scaling.timings(data, policy, 0.01)
    assert [len(times) for times in (*engine, *gate)] == [1, 1, 1, 1]
