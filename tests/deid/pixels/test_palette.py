"""Palettes: entries, first mapped value, segments; held against pydicom's reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut, apply_color_lut

from proxy.deid.pixels.palette import DESCRIPTORS, expand, first_mapped, palette_of
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.headers import SYNTAXES, dataset, header
from tests.deid.pixels.matrix import BIG, EXPLICIT


def palette(descriptor: list[int], data: bytes, *, segmented: bool = False, vr: str = "US") -> Dataset:
    ds = dataset(PhotometricInterpretation="PALETTE COLOR")
    for colour in range(3):
        ds.add_new(DESCRIPTORS[colour], vr, descriptor)
        ds.add_new((0x00281221 if segmented else 0x00281201) + colour, "OW", data)
    return ds


def words(values: list[int], syntax: str) -> bytes:
    return np.array(values, ">u2" if syntax == BIG else "<u2").tobytes()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_entries_of_16_bits(syntax: str) -> None:
    entries, first = palette_of(header(palette([3, 2, 16], words([1, 0x1234, 65535], syntax)), syntax), signed=False)
    assert (entries.dtype, first) == (np.uint16, 2)
    assert entries.tolist() == [[1, 0x1234, 65535]] * 3


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("count", [3, 4])
def test_entries_of_8_bits_lie_two_in_a_word(syntax: str, count: int) -> None:
    packed = bytes([10, 20, 30, 40][:count]) + b"\0" * (count % 2)
    if syntax == BIG:
        packed = b"".join(packed[at : at + 2][::-1] for at in range(0, 4, 2))
    entries, _ = palette_of(header(palette([count, 0, 8], packed), syntax), signed=False)
    assert entries[1].tolist() == [10 * 257, 20 * 257, 30 * 257, 40 * 257][:count]


def test_entries_of_8_bits_one_in_a_word() -> None:
    entries, _ = palette_of(header(palette([2, 0, 8], words([7, 255], EXPLICIT))), signed=False)
    assert entries[0].tolist() == [7 * 257, 65535]
    entries, _ = palette_of(header(palette([2, 0, 8], words([0x0700, 0xFF00], EXPLICIT))), signed=False)
    assert entries[0].tolist() == [0x0700, 0xFF00]


def test_0_entries_are_65536() -> None:
    data = np.arange(65536, dtype="<u2").tobytes()
    entries, _ = palette_of(header(palette([0, 0, 16], data)), signed=False)
    assert entries.shape == (3, 65536)


@pytest.mark.parametrize("signed", [False, True])
def test_the_first_mapped_value_is_of_the_representation(signed: bool) -> None:
    ds = palette([2, -3 if signed else 0xFFFD, 16], bytes(4), vr="SS" if signed else "US")
    assert palette_of(header(ds), signed=signed)[1] == (-3 if signed else 0xFFFD)
    assert first_mapped(header(ds), signed=signed) == (-3 if signed else 0xFFFD)
    assert first_mapped(header(dataset()), signed=signed) is None


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_segments(syntax: str) -> None:
    data = words([0, 2, 5, 10, 1, 4, 30, 0, 1, 9], syntax)
    entries, _ = palette_of(header(palette([7, 0, 16], data, segmented=True), syntax), signed=False)
    assert entries[2].tolist() == [5, 10, 15, 20, 25, 30, 9]


def test_segments_of_8_bits_may_have_a_byte_of_padding() -> None:
    data = bytes([0, 1, 7, 1, 2, 9, 0, 1, 3, 0])
    entries, _ = palette_of(header(palette([4, 0, 8], data, segmented=True)), signed=False)
    assert entries[0].tolist() == [7 * 257, 8 * 257, 9 * 257, 3 * 257]


_SEGMENT = st.one_of(
    st.lists(st.integers(0, 65535), min_size=1, max_size=9).map(lambda values: [0, len(values), *values]),
    st.tuples(st.integers(1, 40), st.integers(0, 65535)).map(lambda pair: [1, *pair]),
)


@settings(deadline=None)
@given(st.lists(_SEGMENT, min_size=1, max_size=8))
def test_segments_expand_as_pydicom_expands_them(segments: list[list[int]]) -> None:
    flat = [0, 1, 77, *(word for segment in segments for word in segment)]
    expected = _expand_segmented_lut(tuple(flat), "<H")
    found = expand(flat, len(expected), 16)
    # it rounds a sum of steps, we a product: a half may fall to either side
    assert max(abs(ours - theirs) for ours, theirs in zip(found, expected, strict=True)) <= 1


def real(name: str) -> tuple[Dataset, NDArray[np.uint16], int]:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    ds = dcmread(path)
    little = bool(ds.original_encoding[1])
    small = dataset()
    for element in ds:
        if element.tag in (*DESCRIPTORS, *(tag + 0x100 for tag in DESCRIPTORS), *(tag + 0x120 for tag in DESCRIPTORS)):
            small.add(element)
    entries, first = palette_of(header(small, EXPLICIT if little else BIG), signed=False)
    return ds, entries, first


@pytest.mark.parametrize(
    "name", ["examples_palette.dcm", "OBXXXX1A.dcm", "gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"]
)
def test_real_palettes_read_as_pydicom_reads_them(name: str) -> None:
    ds, entries, first = real(name)
    index = np.arange(first, first + entries.shape[1], dtype=np.uint16)[np.newaxis]
    assert np.array_equal(entries, apply_color_lut(index, ds)[0].T)


def test_a_palette_in_big_endian_is_the_same_palette() -> None:
    assert np.array_equal(real("OBXXXX1A.dcm")[1], real("OBXXXX1A_expb.dcm")[1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"descriptor": [3, 0, 12], "data": bytes(6)},
        {"descriptor": [3, 0, 16], "data": bytes(8)},
        {"descriptor": [3, 0, 16], "data": bytes(4)},
        {"descriptor": [3, 0], "data": bytes(6)},
        {"descriptor": [3, 0, 16], "data": b""},
        {"descriptor": [7, 0, 16], "data": words([1, 4, 30], EXPLICIT), "segmented": True},
        {"descriptor": [4, 0, 16], "data": words([0, 5, 1, 2, 3, 4], EXPLICIT), "segmented": True},
        {"descriptor": [2, 0, 16], "data": words([0, 2, 1, 2, 0, 1, 4], EXPLICIT), "segmented": True},
        {"descriptor": [3, 0, 16], "data": words([0, 2, 1, 2, 0, 0], EXPLICIT), "segmented": True},
        {"descriptor": [4, 0, 16], "data": words([0, 2, 1, 2, 2, 1, 0, 0], EXPLICIT), "segmented": True},
        {"descriptor": [4, 0, 16], "data": words([0, 2, 1, 2, 3, 1], EXPLICIT), "segmented": True},
        {"descriptor": [2, 0, 16], "data": words([0, 2, 1, 2, 0], EXPLICIT), "segmented": True},
        {"descriptor": [3, 0, 16], "data": words([0, 2, 1, 2, 1], EXPLICIT), "segmented": True},
        {"descriptor": [2, 0, 8], "data": bytes([0, 2, 1, 2, 0, 0]), "segmented": True},
        {"descriptor": [65535, 0, 16], "data": words([0, 1, 1, 1, 1], EXPLICIT), "segmented": True},
    ],
    ids=str,
)
def test_what_does_not_add_up_is_held(wrong: dict[str, Any]) -> None:
    with pytest.raises(InstanceHeld) as held:
        palette_of(header(palette(**wrong)), signed=False)
    assert held.value.reason is Reason.PIXELS_UNREADABLE


def test_colours_that_differ_in_their_descriptors_are_held() -> None:
    ds = palette([2, 0, 16], bytes(4))
    ds.GreenPaletteColorLookupTableDescriptor = [2, 1, 16]
    with pytest.raises(InstanceHeld):
        palette_of(header(ds), signed=False)
    del ds.GreenPaletteColorLookupTableDescriptor
    with pytest.raises(InstanceHeld):
        palette_of(header(ds), signed=False)
