"""Frames written back: those that did not change byte for byte, tables true, nothing left of what was wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import pytest
from pydicom.encaps import generate_frames, parse_basic_offsets

from proxy.deid.pixels.encapsulated import Encapsulated, read_fragments
from proxy.deid.pixels.fragments import Fragments, write_fragments
from proxy.deid.types import Slice, materialise
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.test_encapsulated import JPEG, MORE, ONE, SOI, THREE, TWO, offsets, read, value

CANARY = b"CANARY^SMITH"
NEW = SOI + b"new frame"


def bytes_of(written: Fragments, data: bytes) -> bytes:
    return materialise(written.chunks, b"before" + data + b"behind")


def numbers(table: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(table) // 8}Q", table))


CASES: list[tuple[list[bytes], list[int], int]] = [
    ([ONE], [], 1),
    ([ONE], [0], 1),
    ([ONE, MORE], [0], 1),
    ([ONE, MORE], [], 1),
    ([ONE, TWO, THREE], [], 3),
    ([ONE, TWO, THREE], [0, 1, 2], 3),
    ([ONE, MORE, TWO, MORE], [0, 2], 2),
]


@pytest.mark.parametrize(("fragments", "firsts", "frames"), CASES)
def test_nothing_changes(fragments: list[bytes], firsts: list[int], frames: int) -> None:
    data = value(fragments, offsets(fragments, firsts))
    written = write_fragments(read(data, frames), {})
    assert bytes_of(written, data) == data
    assert (written.offsets, written.lengths) == (b"", b"")
    assert sum(isinstance(chunk, Slice) for chunk in written.chunks) == 1, "all fragments leave as one run"


@pytest.mark.parametrize("replaced", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("listed", [False, True])
def test_frames_that_changed(replaced: Sequence[int], listed: bool) -> None:
    data = value([ONE, TWO, THREE], offsets([ONE, TWO, THREE], [0, 1, 2] if listed else []))
    written = write_fragments(read(data, 3), dict.fromkeys(replaced, NEW))
    out = bytes_of(written, data)
    wanted = [NEW + b"\0" if n in replaced else old for n, old in enumerate((ONE, TWO, THREE))]
    assert list(generate_frames(out, number_of_frames=3)) == wanted
    table = parse_basic_offsets(out)
    assert table == (offsets(wanted, [0, 1, 2]) if listed else [])
    again = read(out, 3)
    assert again.wrong == ()
    copied = sum(len(chunk) for chunk in written.chunks if isinstance(chunk, bytes))
    assert copied == 8 + 4 * len(table) + len(replaced) * (8 + len(NEW) + 1) + 8, "only what changed is in memory"


def test_several_fragments_stay_where_they_are() -> None:
    """And their frames are listed, where only their beginnings told them apart before."""
    data = value([ONE, MORE, TWO, MORE])
    written = write_fragments(read(data, 2), {1: NEW})
    out = bytes_of(written, data)
    assert parse_basic_offsets(out) == [0, 28]
    assert list(generate_frames(out, number_of_frames=2)) == [ONE + MORE, NEW + b"\0"]


@pytest.mark.parametrize("replaced", [(), (0,), (1,)])
def test_extended_offset_table(replaced: Sequence[int]) -> None:
    """Offsets and lengths follow; lengths do not count the pad byte. Then the basic table is empty (PS3.5 A.4)."""
    data = value([ONE, TWO])
    written = write_fragments(read(data, 2, extended=[0, 16], lengths=[7, 8]), dict.fromkeys(replaced, NEW))
    out = bytes_of(written, data)
    first = 8 + len(NEW) + 1 if 0 in replaced else 16
    assert numbers(written.offsets) == [0, first]
    assert numbers(written.lengths) == [len(NEW) if n in replaced else length for n, length in enumerate((7, 8))]
    assert parse_basic_offsets(out) == []
    again = read_fragments(memoryview(out), 0, len(out), 2, JPEG, written.offsets, written.lengths)
    assert (again.wrong, again.extended) == ((), True)


@pytest.mark.parametrize(
    ("basic", "extended", "lengths"),
    [(CANARY, [], []), ([0], [], []), ([], [0, 24], [8, 8]), ([0, 16], [0, 24], [8, 8]), ([], [], [8, 8])],
)
def test_tables_that_were_not_true(basic: list[int] | bytes, extended: list[int], lengths: list[int]) -> None:
    data = value([ONE, TWO], basic)
    written = write_fragments(read(data, 2, extended=extended, lengths=lengths), {})
    out = bytes_of(written, data)
    assert CANARY not in out
    assert parse_basic_offsets(out) == ([0, 16] if basic and not extended else [])
    assert numbers(written.offsets) == ([0, 16] if extended else [])
    assert numbers(written.lengths) == ([8, 8] if extended else [])
    assert list(generate_frames(out, number_of_frames=2)) == [ONE, TWO]


def test_odd_and_empty_fragments() -> None:
    """A pad byte only stands at the end of a frame: fragments that are odd before it become one."""
    data = value([ONE + b"x", MORE, b"", TWO + b"y"], offsets([ONE + b"x", MORE, b"", TWO + b"y"], [0, 3]))
    out = bytes_of(write_fragments(read(data, 2), {}), data)
    assert list(generate_frames(out, number_of_frames=2)) == [ONE + b"x" + MORE + b"\0", TWO + b"y\0"]
    again = read(out, 2)
    assert again.wrong == ()


def far(*fragments: int, listed: bool = True, several: bool = False) -> Encapsulated:
    """Frames of these sizes that nobody has in memory."""
    frames, at = [], 8
    for size in fragments:
        frames.append((Slice(at, size),))
        at += size + 8
    if several:
        frames[0] = (*frames[0], Slice(at, 8))
    return Encapsulated(tuple(frames), listed, False, (), ())


def test_beyond_32_bits() -> None:
    """The Basic Offset Table does not reach: the Extended one takes its place, if each frame is one fragment."""
    size = 3 << 30
    near = write_fragments(far(size, 100), {1: NEW})
    assert near.chunks[0] == value([], [0, size + 8])[:16]
    assert near.offsets == b""
    written = write_fragments(far(size, size, 100), {2: NEW})
    assert numbers(written.offsets) == [0, size + 8, 2 * size + 16]
    assert numbers(written.lengths) == [size, size, len(NEW)]
    assert written.chunks[0] == value([])[:8]
    unlisted = write_fragments(far(size, size, 100, listed=False), {2: NEW})
    assert unlisted.offsets == b""
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        write_fragments(far(size, size, 100, several=True), {2: NEW})


def test_a_frame_without_bytes() -> None:
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        write_fragments(read(value([ONE]), 1), {0: b""})


def test_any_cut() -> None:
    """Whatever is replaced: pydicom reads the frames that were meant, and a second pass changes nothing."""
    rnd = random.Random(9)
    for _ in range(200):
        count = rnd.randint(1, 6)
        frames = [[rnd.randbytes(2 * rnd.randint(1, 9)) for _ in range(rnd.randint(1, 3))] for _ in range(count)]
        fragments = [piece for frame in frames for piece in frame]
        data = value(fragments, offsets(fragments, [sum(map(len, frames[:n])) for n in range(count)]))
        replaced = {n: rnd.randbytes(rnd.randint(1, 30)) for n in range(count) if rnd.random() < 0.4}
        out = bytes_of(write_fragments(read(data, count), replaced), data)
        wanted = [replaced.get(n, b"".join(frame)) for n, frame in enumerate(frames)]
        assert list(generate_frames(out, number_of_frames=count)) == [each + bytes(len(each) % 2) for each in wanted]
        assert bytes_of(write_fragments(read(out, count), {}), out) == out
