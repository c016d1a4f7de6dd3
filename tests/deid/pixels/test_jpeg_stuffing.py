"""Stuffed bytes and restart markers, there and back (T.81 F.1.2.3); what does not count is refused."""

from __future__ import annotations

import random

import numpy as np
import pytest

from proxy.deid.pixels.jpeg_stuffing import SLACK, stuff, unstuff


def read(data: bytes, pieces: int) -> tuple[bool, list[bytes]]:
    source = np.frombuffer(data, np.uint8)
    clean, parts = np.full(len(data) + 4 * pieces + SLACK, 77, np.uint8), np.zeros((pieces, 2), np.int64)
    found = unstuff(source, clean, parts)
    if found:
        assert not clean[parts[-1, 1] // 8 :][:SLACK].any()
    return found, [clean[4 * first : last // 8].tobytes() for first, last in parts]


def test_there_and_back() -> None:
    rnd = random.Random(1)
    for _ in range(200):
        parts = [
            bytes(rnd.choice((0, 0xFF, 0xD0, 7)) for _ in range(rnd.randint(1, 9))) for _ in range(rnd.randint(1, 12))
        ]
        clean, bounds, at = bytearray(), [], 0
        for part in parts:
            bounds.append((at, at + len(part)))
            clean += part
            at += len(part)
        final = np.zeros(2 * len(clean) + 2 * len(parts), np.uint8)
        size = stuff(np.frombuffer(bytes(clean), np.uint8), np.array(bounds, np.int64), final)
        data = final[:size].tobytes()
        marks = [bytes((0xFF, 0xD0 + number % 8)) for number in range(len(parts))]
        expected = b"".join(part.replace(b"\xff", b"\xff\0") + mark for part, mark in zip(parts, marks, strict=True))[
            :-2
        ]
        assert data == expected
        assert read(data, len(parts)) == (True, parts)
        assert not read(data, len(parts) + 1)[0]
        if len(parts) > 1:
            assert not read(data, len(parts) - 1)[0]


@pytest.mark.parametrize(
    "data", [b"ab\xff", b"ab\xff\xff", b"ab\xff\xff\x00c", b"ab\xff\xd1c", b"ab\xff\xd8c", b"ab\xff\xd0c\xff\xd0d"]
)
def test_other_markers_are_refused(data: bytes) -> None:
    assert not any(read(data, pieces)[0] for pieces in (1, 2, 3))


def test_fill_bytes_before_a_restart_marker() -> None:
    assert read(b"ab\xff\xff\xff\xd0c", 2) == (True, [b"ab", b"c"])
