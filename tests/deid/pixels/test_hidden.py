"""What hides in native pixel data besides pixels is found, and only that; `blank_native` removes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from proxy.deid.pixels.hidden import ABOVE, BEHIND, BELOW, hidden
from proxy.deid.pixels.native import blank_native
from proxy.deid.pixels.plan import Area, Box, Layout
from proxy.deid.types import materialise
from proxy.errors import InstanceHeld
from tests.deid.pixels.matrix import BIG, EXPLICIT, Case, images, unordered
from tests.deid.pixels.matrix_native import Image, read, write

#: odd sizes, so that what is read eight bytes at a time has rests
ROWS, COLUMNS, FRAMES = 5, 7, 3


def layout_of(image: Image, *, little: bool) -> Layout:
    return Layout(
        image.rows, image.columns, FRAMES, image.samples, image.planar, image.allocated, image.stored, image.high,
        image.signed, image.photometric, image.kind, little, image.vr != "OB",
        lut=np.zeros((3, 4), np.uint16) if image.photometric == "PALETTE COLOR" else None,
    )  # fmt: skip


def every() -> Iterator[tuple[Case, Layout]]:
    for syntax in (EXPLICIT, BIG):
        for image in images():
            if syntax == BIG and (unordered(image) or image.allocated == 32):
                continue
            yield Case(syntax, image, FRAMES, "inside"), layout_of(image, little=syntax == EXPLICIT)


EVERY = list(every())
UNUSED = [(case, layout) for case, layout in EVERY if layout.stored < layout.allocated]


def native(case: Case) -> bytes:
    return write(case.values, case.image, little=case.little)


def cleared(value: bytes, layout: Layout, areas: tuple[Area, ...] = ()) -> bytes:
    view = memoryview(value)
    chunks, _ = blank_native(view, layout, areas, hidden(view, layout))
    return materialise(tuple(chunks), view)


@pytest.mark.parametrize(("case", "layout"), EVERY, ids=[case.name for case, _ in EVERY])
def test_nothing_is_found_where_nothing_hides(case: Case, layout: Layout) -> None:
    assert hidden(memoryview(native(case)), layout) == ()


@pytest.mark.parametrize(("case", "layout"), UNUSED, ids=[case.name for case, _ in UNUSED])
def test_each_unused_bit_of_each_sample_is_found_and_cleared(case: Case, layout: Layout) -> None:
    clean = native(case)
    unused = [bit for bit in range(layout.allocated) if not layout.shift <= bit <= layout.high_bit]
    rng, size = np.random.default_rng(5), layout.allocated // 8
    last = FRAMES * layout.frame_bits // layout.allocated - 1
    for bit in unused:
        for sample in (0, last, int(rng.integers(last))):
            byte = sample * size + (bit // 8 if case.little or size == 1 else size - 1 - bit // 8)
            byte ^= int(size == 1 and not case.little and layout.words)
            value = bytearray(clean)
            value[byte] ^= 1 << bit % 8
            assert hidden(memoryview(value), layout) == ((ABOVE if bit > layout.high_bit else BELOW),), (bit, sample)
            assert cleared(bytes(value), layout) == clean


def test_all_channels_at_once_and_a_box() -> None:
    image = Image("MONOCHROME2", 16, 10, signed=True, high_bit=12, rows=ROWS, columns=COLUMNS)
    case, layout = Case(EXPLICIT, image, FRAMES, "inside"), layout_of(image, little=True)
    clean = native(case)
    noise = np.random.default_rng(6).integers(0, 1 << 16, len(clean) // 2).astype("<u2") & 0b1110_0000_0000_0111
    dirty = (np.frombuffer(clean, "<u2") ^ noise).tobytes() + b"DOE^JANE"
    assert hidden(memoryview(dirty), layout) == (ABOVE, BELOW, BEHIND)
    assert cleared(dirty, layout) == clean
    blanked = cleared(dirty, layout, (Area(Box(1, 1, 3, 3), "x"),))
    assert hidden(memoryview(blanked), layout) == ()
    expected = case.values.copy()
    expected[:, 1:3, 1:3] = -512
    assert np.array_equal(read(blanked, image, FRAMES, little=True), expected)


def test_only_frames_in_which_something_hides_are_copied() -> None:
    layout = Layout(64, 64, 5, 1, 0, 16, 12, 11, False, "MONOCHROME2")
    value = bytearray(layout.frame_bits // 8 * 5)
    value[8192 * 2 + 77] = 0xF0
    chunks, _ = blank_native(memoryview(value), layout, (), hidden(memoryview(value), layout))
    assert [len(chunk) for chunk in chunks if isinstance(chunk, bytes)] == [8192]
    assert materialise(tuple(chunks), value) == bytes(len(value))


def test_zeroes_above_a_negative_sample_are_no_sign() -> None:
    layout = Layout(1, 2, 1, 1, 0, 16, 12, 11, True, "MONOCHROME2")
    assert hidden(memoryview(b"\0\xf8\1\0"), layout) == ()
    assert hidden(memoryview(b"\0\x08\1\0"), layout) == (ABOVE,)
    assert cleared(b"\0\x08\1\0", layout) == b"\0\xf8\1\0"


@pytest.mark.parametrize(("case", "layout"), EVERY, ids=[case.name for case, _ in EVERY])
@pytest.mark.parametrize("extra", [b"\0\0", b"DOE^JANE^1"])
def test_what_follows_the_last_pixel_is_cut(case: Case, layout: Layout, extra: bytes) -> None:
    clean = native(case)
    if layout.photometric.endswith("_422"):
        extra = extra[:2]
    assert hidden(memoryview(clean + extra), layout) == (BEHIND,)
    assert cleared(clean + extra, layout) == clean


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("words", [True, False])
def test_the_pad_byte_is_0(little: bool, words: bool) -> None:
    layout = Layout(1, 3, 1, 1, 0, 8, 8, 7, False, "MONOCHROME2", little=little, words=words)
    turned = words and not little
    clean, dirty = (b"\1\2\0\3", b"\1\2A\3") if turned else (b"\1\2\3\0", b"\1\2\3A")
    assert hidden(memoryview(clean), layout) == ()
    assert hidden(memoryview(dirty), layout) == (BEHIND,)
    assert cleared(dirty, layout) == clean


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("little", [True, False])
def test_the_unused_bits_of_the_last_byte_are_0(bits: int, little: bool) -> None:
    layout = Layout(1, bits, 1, 1, 0, 1, 1, 0, False, "MONOCHROME2", little=little)
    order = ("little", "big")
    used = (1 << bits) - 1
    for pattern in (0, used):
        clean = pattern.to_bytes(2, order[not little])
        assert hidden(memoryview(clean), layout) == ()
        for bit in range(bits, 16):
            dirty = (pattern | 1 << bit).to_bytes(2, order[not little])
            assert hidden(memoryview(dirty), layout) == (BEHIND,)
            assert cleared(dirty, layout) == clean


def test_samples_without_an_order_of_bytes_have_no_unused_bits_to_judge() -> None:
    layout = Layout(1, 2, 1, 1, 0, 32, 24, 23, False, "MONOCHROME2", little=False)
    with pytest.raises(InstanceHeld):
        hidden(memoryview(bytes(8)), layout)
    assert hidden(memoryview(bytes(8)), replace(layout, stored=32, high_bit=31)) == ()


def test_large_values_in_big_endian_are_read_to_their_end() -> None:
    layout = Layout(1024, 1024, 1, 1, 0, 16, 12, 11, False, "MONOCHROME2", little=False)
    value = bytearray(1024 * 1024 * 2)
    assert hidden(memoryview(value), layout) == ()
    value[-2] = 0x10
    assert hidden(memoryview(value), layout) == (ABOVE,)
    value[-2], value[0] = 0x0F, 0x80
    assert hidden(memoryview(value), layout) == (ABOVE,)
