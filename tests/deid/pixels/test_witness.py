"""The gate on pixels: each of its checks refuses what a broken stage would hand on, and lets the right one pass."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from proxy.deid.engine import deidentify
from proxy.deid.pixels.plan import Area, Box, Decision, Work
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, Deidentified, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile, load_tables

GATE = Gate(bytes(range(32)))
BOX = [4, 2, 20, 10]
RULES = {
    "version": 1,
    "name": "site",
    "rules": [
        {"name": "banner", "match": {"StationName": "CONSOLE"}, "sizes": {"32x16": {"blank": [BOX]}}},
    ],
}
NATIVE, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


@lru_cache(maxsize=1)
def policy() -> Policy:
    profile = {**load_profile("basic"), "pixels": {"text": "off", "devices": ["site"]}}
    spec = PolicySpec("p", profile, bytes(32), uninspected_pixels="forward", pixel_rules={"site": RULES})
    return compile_policy(load_tables(), spec)


def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).integers(60, 200, (16, 32), np.uint8)


def image(make: ModuleType, station: str = "CONSOLE", syntax: str = NATIVE, **more: Any) -> bytes:
    ds: Dataset = make.with_pixels(make.dataset("1.2.840.10008.5.1.4.1.1.7"), bytes(512), "OB")
    ds.Rows, ds.Columns, ds.StationName = 16, 32, station
    ds.ConversionType, ds.ImageType = "WSD", ["ORIGINAL", "PRIMARY"]
    ds.PixelData = picture().tobytes()
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    if syntax == JPEG:
        ds.PixelData = encapsulate([imagecodecs.jpeg8_encode(picture(), level=90)])
        ds["PixelData"].is_undefined_length = True
    data: bytes = make.encode(ds, syntax)
    return data


def run(data: bytes) -> Deidentified:
    return deidentify(memoryview(data), Claimed(), policy())


def refused(data: bytes, result: Deidentified) -> str:
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), result, policy())
    assert held.value.reason is Reason.PIXELS_NOT_CLEAN, held.value
    return held.value.detail


def rewritten(result: Deidentified, data: bytes, change: Callable[[Dataset], None], work: Work) -> Deidentified:
    """The output after ``change``, in one chunk but for its pixel data element, which is the last."""
    ds = dcmread(io.BytesIO(materialise(result.chunks, data)))
    change(ds)
    whole, head = io.BytesIO(), io.BytesIO()
    dcmwrite(whole, ds, enforce_file_format=False)
    del ds.PixelData
    dcmwrite(head, ds, enforce_file_format=False)
    size = len(head.getvalue())
    chunks = (whole.getvalue()[:size], whole.getvalue()[size:])
    return dataclasses.replace(result, chunks=chunks, work=dataclasses.replace(work, chunks=(1, 2)))


@pytest.mark.parametrize("syntax", [NATIVE, JPEG])
def test_what_was_blanked_passes_and_says_so(make: ModuleType, syntax: str) -> None:
    data = image(make, syntax=syntax)
    result = run(data)
    GATE.verify(memoryview(data), result, policy())
    out = dcmread(io.BytesIO(materialise(result.chunks, data)))
    left, top, right, bottom = BOX
    assert not out.pixel_array[top:bottom, left:right].any()
    assert out.BurnedInAnnotation == "NO"
    assert out.ImageType[0] == "DERIVED"
    assert "113101" in [item.CodeValue for item in out.DeidentificationMethodCodeSequence]
    assert result.report.pixels.startswith("1 areas blanked")


@pytest.mark.parametrize("syntax", [NATIVE, JPEG])
def test_an_image_that_no_rule_knows_claims_nothing(make: ModuleType, syntax: str) -> None:
    data = image(make, "ELSEWHERE", syntax)
    result = run(data)
    GATE.verify(memoryview(data), result, policy())
    out = dcmread(io.BytesIO(materialise(result.chunks, data)))
    assert "BurnedInAnnotation" not in out
    assert out.ImageType[0] == "ORIGINAL"
    assert result.work == Work(result.work.decision)


@pytest.mark.parametrize("at", [(4, 2), (19, 9), (10, 5)])
def test_one_pixel_of_an_area_that_is_not_black(make: ModuleType, at: tuple[int, int]) -> None:
    data = image(make)
    result = run(data)

    def bring_back(ds: Dataset) -> None:
        pixels = bytearray(ds.PixelData)
        pixels[at[1] * 32 + at[0]] = 1
        ds.PixelData = bytes(pixels)

    assert "not black" in refused(data, rewritten(result, data, bring_back, result.work))


def test_a_stage_that_blanks_less_than_it_was_asked_to(make: ModuleType) -> None:
    data = image(make)
    result = run(data)
    less = dataclasses.replace(result.work, areas=(Area(Box(4, 2, 20, 9), "site"),))
    assert "was not" in refused(data, dataclasses.replace(result, work=less))


def test_a_stage_that_leaves_a_frame_out(make: ModuleType) -> None:
    data = image(make, NumberOfFrames=2, PixelData=picture().tobytes() * 2)
    result = run(data)
    first = tuple(dataclasses.replace(area, frames=(0,)) for area in result.work.areas)
    detail = refused(data, dataclasses.replace(result, work=dataclasses.replace(result.work, areas=first)))
    assert "was not" in detail


def test_pixels_that_were_not_read_as_asked(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE")
    result = run(data)
    asked = dataclasses.replace(result.work, decision=Decision(look="screen"))
    assert "not read" in refused(data, dataclasses.replace(result, work=asked))


def test_text_that_is_said_to_be_there_and_was_not_found(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE")
    result = run(data)
    insisted = dataclasses.replace(result.work, looked="full", decision=Decision(look="full", insist=True))
    assert "nothing was blanked" in refused(data, dataclasses.replace(result, work=insisted))


def test_clean_without_a_look(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE")
    result = run(data)
    claimed = dataclasses.replace(result.work, clean=True)
    assert "nobody looked" in refused(data, dataclasses.replace(result, work=claimed))


def _claim(ds: Dataset) -> None:
    ds.BurnedInAnnotation = "NO"


def _method(ds: Dataset) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113101", "DCM", "Clean Pixel Data Option"
    ds.DeidentificationMethodCodeSequence = Sequence([*ds.DeidentificationMethodCodeSequence, item])


@pytest.mark.parametrize("claim", [_claim, _method])
def test_a_claim_that_nobody_answers_for(make: ModuleType, claim: Callable[[Dataset], None]) -> None:
    data = image(make, "ELSEWHERE")
    result = run(data)
    assert "nobody looked" in refused(data, rewritten(result, data, claim, result.work))


def test_a_claim_that_came_with_the_instance_stays(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE", BurnedInAnnotation="NO")
    GATE.verify(memoryview(data), run(data), policy())


def test_bytes_behind_the_last_pixel(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE")
    result = run(data)

    def append(ds: Dataset) -> None:
        ds.PixelData += b"PLANTED!"

    assert "behind the last pixel" in refused(data, rewritten(result, data, append, result.work))


def test_a_comment_in_a_code_stream(make: ModuleType) -> None:
    data = image(make, "ELSEWHERE", JPEG)
    result = run(data)

    def comment(ds: Dataset) -> None:
        stream = imagecodecs.jpeg8_encode(picture(), level=90)
        ds.PixelData = encapsulate([stream[:2] + b"\xff\xfe\0\x0aPLANTED!" + stream[2:]], has_bot=False)

    assert "beside the image" in refused(data, rewritten(result, data, comment, result.work))


def test_a_derivation_that_is_not_ours(make: ModuleType) -> None:
    data = image(make)
    result = run(data)

    def describe(ds: Dataset) -> None:
        ds.DerivationDescription = "cut by hand"

    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), rewritten(result, data, describe, result.work), policy())
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED
