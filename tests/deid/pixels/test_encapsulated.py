"""Fragments become frames in one way or not at all; see `test_fragments` for the way back."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import pytest
from pydicom.encaps import generate_frames

from proxy.deid.pixels.encapsulated import EMPTY, ODD, STALE, Encapsulated, read_fragments, stream_of
from proxy.errors import InstanceHeld, Reason

J2K, JPEG, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
DELIMITER = b"\xfe\xff\xdd\xe0" + bytes(4)


def item(value: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value


def offsets(fragments: Sequence[bytes], firsts: Sequence[int]) -> list[int]:
    """Where the items of ``firsts`` begin, behind the table."""
    return [sum(8 + len(value) for value in fragments[:first]) for first in firsts]


def value(fragments: Sequence[bytes], basic: Sequence[int] | bytes = ()) -> bytes:
    table = basic if isinstance(basic, bytes) else struct.pack(f"<{len(basic)}I", *basic)
    return item(table) + b"".join(map(item, fragments)) + DELIMITER


def read(
    data: bytes, frames: int, uid: str = JPEG, extended: Sequence[int] = (), lengths: Sequence[int] = ()
) -> Encapsulated:
    before = b"before"
    body = memoryview(before + data + b"behind")
    return read_fragments(
        body, len(before), len(before) + len(data), frames, uid,
        struct.pack(f"<{len(extended)}Q", *extended), struct.pack(f"<{len(lengths)}Q", *lengths),
    )  # fmt: skip


def streams(data: bytes, found: Encapsulated) -> list[bytes]:
    body = memoryview(b"before" + data + b"behind")
    return [bytes(stream_of(body, frame)) for frame in found.frames]


SOI, SOC = b"\xff\xd8\xff\xdb", b"\xff\x4f\xff\x51"
ONE, TWO, THREE = SOI + b"one ", SOI + b"two ", SOI + b"3333"
MORE = b"more"


@pytest.mark.parametrize(
    ("fragments", "firsts", "frames", "wanted"),
    [
        ([ONE], None, 1, [ONE]),
        ([ONE], [0], 1, [ONE]),
        ([ONE, MORE, MORE], None, 1, [ONE + MORE + MORE]),
        ([ONE, MORE], [0], 1, [ONE + MORE]),
        ([ONE, TWO, THREE], None, 3, [ONE, TWO, THREE]),
        ([ONE, TWO, THREE], [0, 1, 2], 3, [ONE, TWO, THREE]),
        ([ONE, MORE, TWO], [0, 2], 2, [ONE + MORE, TWO]),
        ([ONE, MORE, TWO], None, 2, [ONE + MORE, TWO]),
        ([MORE, MORE, MORE], [0, 1], 2, [MORE, MORE + MORE]),
        ([SOC + b"1234", MORE, SOC + b"5678"], None, 2, [SOC + b"1234" + MORE, SOC + b"5678"]),
    ],
)
def test_frames(fragments: list[bytes], firsts: list[int] | None, frames: int, wanted: list[bytes]) -> None:
    data = value(fragments, offsets(fragments, firsts or ()))
    found = read(data, frames)
    assert streams(data, found) == wanted
    assert found.wrong == ()
    assert (found.listed, found.extended) == (firsts is not None, False)
    if firsts or frames in (1, len(fragments)):
        assert list(generate_frames(data, number_of_frames=frames)) == wanted, "as pydicom reads it"


@pytest.mark.parametrize("lengths", [[8, 8], [7, 8]])
def test_extended_offset_table(lengths: list[int]) -> None:
    """PS3.3 C.7.6.3: offsets of 64 bits, lengths without the pad byte."""
    data = value([ONE, TWO])
    found = read(data, 2, extended=[0, 16], lengths=lengths)
    assert (found.extended, found.lengths, found.wrong) == (True, tuple(lengths), ())
    assert streams(data, found) == [ONE, TWO]


@pytest.mark.parametrize(
    ("basic", "extended", "lengths"),
    [
        ((0,), (), ()),
        ((0, 16, 32), (), ()),
        ((0, 8), (), ()),
        ((16, 0), (), ()),
        ((0, 0), (), ()),
        ((8, 24), (), ()),
        (b"SMITH^JOHN", (), ()),
        (b"SMITH^J", (), ()),
        ((), (0, 24), (8, 8)),
        ((), (0, 16), (8,)),
        ((), (0, 16), (8, 6)),
        ((), (0, 16), (8, 9)),
        ((), (), (8, 8)),
        ((0, 16), (0, 24), (8, 8)),
    ],
)
def test_tables_that_are_not_true(
    basic: Sequence[int] | bytes, extended: Sequence[int], lengths: Sequence[int]
) -> None:
    """Fragments answer by number; the tables are to be written anew, for a table can hold anything."""
    data = value([ONE, TWO], basic)
    found = read(data, 2, extended=extended, lengths=lengths)
    assert streams(data, found) == [ONE, TWO]
    assert found.wrong == (STALE,)
    assert found.lengths == ()


def test_fragments_of_odd_length_and_empty_ones() -> None:
    data = value([ONE + b"x", b"", TWO])
    found = read(data, 2)
    assert streams(data, found) == [ONE + b"x", TWO]
    assert found.wrong == (EMPTY, ODD)


@pytest.mark.parametrize(
    ("data", "frames", "uid"),
    [
        (value([ONE, MORE, MORE]), 2, JPEG),
        (value([ONE, TWO, THREE]), 2, JPEG),
        (value([MORE, ONE, TWO]), 2, JPEG),
        (value([ONE, TWO]), 3, JPEG),
        (value([]), 1, JPEG),
        (value([b"", b""]), 1, JPEG),
        (value([ONE, b""]), 2, JPEG),
        (value([MORE, MORE, MORE]), 2, J2K),
        (value([MORE, MORE]), 1, RLE),
        (value([MORE, MORE, MORE], (0, 12)), 2, RLE),
        (value([MORE, MORE, MORE], (0, 24)), 2, "1.2.840.10008.1.2.8.1"),
    ],
)
def test_what_leaves_a_choice(data: bytes, frames: int, uid: str) -> None:
    """Too many fragments or too few; a frame of several where the transfer syntax has one."""
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        read(data, frames, uid)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DELIMITER,
        item(b""),
        item(b"") + item(ONE),
        item(b"") + item(ONE)[:-1] + DELIMITER,
        item(b"") + item(ONE) + DELIMITER + b"text",
        item(b"") + DELIMITER + item(ONE) + DELIMITER,
        item(b"") + b"text" + item(ONE) + DELIMITER,
        item(b"") + item(ONE) + b"\xfe\xff\xdd\xe0\4\0\0\0text",
        item(b"") + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + ONE + DELIMITER,
    ],
)
def test_what_is_no_row_of_fragments(data: bytes) -> None:
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        read(data, 1)


def test_one_fragment_is_not_copied() -> None:
    body = memoryview(value([ONE]))
    found = read_fragments(body, 0, len(body), 1, JPEG)
    stream = stream_of(body, found.frames[0])
    assert isinstance(stream, memoryview)
    assert stream.obj is body.obj


def test_any_cut_with_a_table() -> None:
    """Whatever the fragments, a true table says which are whose: as pydicom reads it."""
    rnd = random.Random(4)
    for _ in range(200):
        frames = [
            [rnd.randbytes(2 * rnd.randint(1, 9)) for _ in range(rnd.randint(1, 4))] for _ in range(rnd.randint(1, 6))
        ]
        fragments = [piece for frame in frames for piece in frame]
        firsts = [sum(map(len, frames[:n])) for n in range(len(frames))]
        data = value(fragments, offsets(fragments, firsts))
        found = read(data, len(frames))
        assert streams(data, found) == list(generate_frames(data, number_of_frames=len(frames)))
        assert found.wrong == ()
