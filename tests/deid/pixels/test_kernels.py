"""The compiled loops against plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.deid.pixels import kernels
from proxy.deid.pixels.hidden import BELOW, hidden
from proxy.deid.pixels.kernels import fill, fill_bits, gathered
from proxy.deid.pixels.native import blank_native
from proxy.deid.pixels.plan import Area, Box, Layout


@settings(deadline=None)
@given(st.data())
def test_fill(data: st.DataObject) -> None:
    rows, size = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 7))
    pitch, first = data.draw(st.integers(size, 12)), data.draw(st.integers(0, 9))
    flip = data.draw(st.integers(0, 1))
    buffer = np.arange(80, dtype=np.uint8)
    line = np.arange(200, 200 + size).astype(np.uint8)
    expected = buffer.copy()
    for row in range(rows):
        for byte in range(size):
            at = first + row * pitch + byte
            expected[at + (1 - at % 2 * 2) * flip] = line[byte]
    fill(buffer, first, rows, pitch, line, flip)
    assert np.array_equal(buffer, expected)


@settings(deadline=None)
@given(st.data())
def test_fill_bits(data: st.DataObject) -> None:
    rows, size = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20))
    pitch, first = data.draw(st.integers(size, 40)), data.draw(st.integers(0, 30))
    bit, flip = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    buffer = np.frombuffer(data.draw(st.binary(min_size=40, max_size=40)), np.uint8).copy()
    expected = [int(byte) for byte in buffer]
    for row in range(rows):
        for position in range(first + row * pitch, first + row * pitch + size):
            at = position // 8 + (1 - position // 8 % 2 * 2) * flip
            expected[at] = expected[at] & ~(1 << position % 8) | bit << position % 8
    fill_bits(buffer, first, rows, pitch, size, bit, flip)
    assert buffer.tolist() == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_gathered(words: list[int]) -> None:
    some = edge = 0
    for word in words:
        some |= word
        edge |= (word ^ word << 1) % 2**64
    found = gathered(np.array(words or [0], np.uint64))
    assert (int(found[0]), int(found[1])) == (some, edge)


def test_after_warming_up_nothing_is_compiled_for_an_instance() -> None:
    kernels.warm()
    known = [len(kernel.signatures) for kernel in (fill, fill_bits, gathered)]
    layout = Layout(3, 5, 1, 1, 0, 16, 12, 11, False, "MONOCHROME2")
    bits = Layout(3, 5, 1, 1, 0, 1, 1, 0, False, "MONOCHROME2")
    for start in range(2, 10, 2):
        value = memoryview(bytes(64))[start : start + 30]
        hidden(value, layout)
        blank_native(value, layout, (Area(Box(0, 0, 2, 2), "x"),), (BELOW,))
        blank_native(value[:2], bits, (Area(Box(0, 0, 2, 2), "x"),))
    turned = replace(layout, little=False)
    hidden(memoryview(bytes(30)), turned)
    assert [len(kernel.signatures) for kernel in (fill, fill_bits, gathered)] == known
