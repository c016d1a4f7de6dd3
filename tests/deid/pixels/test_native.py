"""Native pixel data blanked in place: what is copied, what leaves as runs, how areas grow; see `test_matrix`."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from proxy.deid.pixels.native import blank_native
from proxy.deid.pixels.plan import Area, Box, Layout
from proxy.deid.types import Slice, materialise
from proxy.errors import InstanceHeld, Reason

CT = Layout(512, 512, 1, 1, 0, 16, 12, 11, True, "MONOCHROME2")
US = Layout(96, 128, 20, 3, 0, 8, 8, 7, False, "RGB")
YBR = Layout(4, 8, 1, 3, 0, 8, 8, 7, False, "YBR_FULL_422")


def area(*box: int, frames: tuple[int, ...] | None = None) -> Area:
    return Area(Box(*box), "rule:x", frames)


def value_of(layout: Layout) -> memoryview:
    return memoryview(np.random.default_rng(8).bytes(layout.frame_bits * layout.frames // 8))


def test_nothing_to_do_is_one_run() -> None:
    value = value_of(US)
    assert blank_native(value, US, ()) == ([Slice(0, len(value))], ())
    outside = (area(128, 0, 200, 10), area(0, 96, 5, 99), area(-5, 0, 0, 9))
    assert blank_native(value, US, outside) == ([Slice(0, len(value))], ())


def test_only_rows_of_boxes_are_copied() -> None:
    value = value_of(CT)
    chunks, done = blank_native(value, CT, (area(0, 0, 512, 8), area(500, 500, 600, 600)))
    assert done == (area(0, 0, 512, 8), area(500, 500, 512, 512))
    first, run, second = chunks
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert (len(first), run, len(second)) == (8 * 1024, Slice(8 * 1024, 492 * 1024 + 1000), 11 * 1024 + 24)


def test_boxes_side_by_side_are_copied_together() -> None:
    chunks, _ = blank_native(value_of(CT), CT, (area(0, 0, 9, 3), area(500, 0, 512, 3), area(4, 1, 6, 9)))
    assert [isinstance(chunk, bytes) for chunk in chunks] == [True, False]


def test_frames_without_work_stay_runs() -> None:
    value = value_of(US)
    size = US.frame_bits // 8
    chunks, _ = blank_native(value, US, (area(0, 0, 128, 96, frames=(3, 17)),))
    assert [chunk if isinstance(chunk, Slice) else len(chunk) for chunk in chunks] == [
        Slice(0, 3 * size), size, Slice(4 * size, 13 * size), size, Slice(18 * size, 2 * size),
    ]  # fmt: skip
    joined = np.frombuffer(materialise(tuple(chunks), value), np.uint8).reshape(20, -1)
    assert not joined[[3, 17]].any()
    assert np.array_equal(
        np.delete(joined, [3, 17], 0).reshape(-1),
        np.delete(np.frombuffer(value, np.uint8).reshape(20, -1), [3, 17], 0).reshape(-1),
    )


def test_a_frame_that_is_not_there_is_a_mistake_in_a_rule() -> None:
    for frame in (20, -1):
        with pytest.raises(InstanceHeld) as held:
            blank_native(value_of(US), US, (area(0, 0, 1, 1, frames=(0, frame)),))
        assert held.value.reason is Reason.PIXEL_RULE_MISMATCH


@pytest.mark.parametrize(
    ("box", "grown"),
    [
        ((1, 0, 2, 1), (0, 0, 2, 1)), ((2, 1, 5, 3), (2, 1, 6, 3)), ((3, 0, 7, 4), (2, 0, 8, 4)),
        ((0, 0, 8, 4), (0, 0, 8, 4)),
    ],
)  # fmt: skip
def test_columns_that_share_chrominance_are_blanked_together(box: tuple[int, ...], grown: tuple[int, ...]) -> None:
    value = value_of(YBR)
    chunks, done = blank_native(value, YBR, (area(*box),))
    assert done == (area(*grown),)
    quads = np.frombuffer(materialise(tuple(chunks), value), np.uint8).reshape(4, 4, 4)
    expected = np.frombuffer(value, np.uint8).reshape(4, 4, 4).copy()
    expected[grown[1] : grown[3], grown[0] // 2 : grown[2] // 2] = 0, 0, 128, 128
    assert np.array_equal(quads, expected)


def test_a_value_whose_bytes_have_no_order_is_not_written() -> None:
    wide = replace(CT, allocated=32, stored=32, high_bit=31, little=False)
    with pytest.raises(InstanceHeld):
        blank_native(value_of(wide), wide, (area(0, 0, 1, 1),))
    assert len(blank_native(value_of(wide), wide, ())[0]) == 1


def test_the_input_is_not_written_to() -> None:
    value = value_of(US)
    before = bytes(value)
    blank_native(value, US, (area(0, 0, 128, 96),))
    assert value == before


def test_memory_follows_what_changes() -> None:
    loop = Layout(768, 1024, 100, 3, 0, 8, 8, 7, False, "RGB")
    value = memoryview(bytes(loop.frame_bits // 8 * 100))
    blank_native(value[: loop.frame_bits // 8], replace(loop, frames=1), (area(0, 0, 9, 9),))  # compiles
    tracemalloc.start()
    chunks, _ = blank_native(value, loop, (area(0, 0, 1024, 40), area(900, 700, 1024, 768)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = sum(len(chunk) for chunk in chunks if isinstance(chunk, bytes))
    assert written < 100 * (40 + 68) * 1024 * 3
    assert peak < written + (4 << 20)
