"""Malformed input through the pre-scan. Invariant: `InstanceHeld` or a complete accounting; bounded time and memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pydicom.data
import pytest

from proxy.deid.tokens import ITEM, UNDEFINED, Limits, inflate, read_part10, scan
from proxy.errors import MALFORMED_REASONS, InstanceHeld, Reason

LIMITS = Limits()
FILES = Path(pydicom.data.__file__).parent / "test_files"
SEQUENCE = struct.pack("<HH2s2xI", 0x0008, 0x1140, b"SQ", UNDEFINED)
ITEM_START = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def judged(held: InstanceHeld) -> Reason:
    assert held.reason in MALFORMED_REASONS
    return held.reason


def explicit(data: bytes, limits: Limits = LIMITS) -> Reason | int:
    """The reason for refusing ``data``, or how many tokens it has."""
    try:
        found = scan(memoryview(data), 0, implicit=False, little=True, limits=limits)
    except InstanceHeld as held:
        return judged(held)
    level = [t for t in found if t.depth == 0]
    at = 0
    for token in level:
        assert token.offset == at
        at = token.end
    assert at == len(data)
    return len(found)


def whole(data: bytes) -> Reason | int:
    """A Part 10 file through head, inflate and scan, as the engine and the gate call them."""
    try:
        head = read_part10(memoryview(data))
        syntax, body, start = head.transfer_syntax_uid, memoryview(data), head.dataset_offset
        if syntax == "1.2.840.10008.1.2.1.99":
            body, start = memoryview(inflate(body, start, LIMITS)), 0
        little = syntax != "1.2.840.10008.1.2.2"
        found = scan(body, start, implicit=syntax == "1.2.840.10008.1.2", little=little, limits=LIMITS)
    except InstanceHeld as held:
        return judged(held)
    assert sum(t.end - t.offset for t in found if t.depth == 0) == len(body) - start
    return len(found)


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm"])
def test_truncated_at_every_byte(name: str) -> None:
    """A cut is noticed everywhere but exactly between two elements of the top level."""
    data = (FILES / name).read_bytes()
    complete = whole(data)
    assert isinstance(complete, int)
    cuts = range(len(data)) if len(data) < 6000 else [*range(4200), *range(4200, len(data), 997)]
    outcomes = {cut: whole(data[:cut]) for cut in cuts}
    assert {outcomes[cut] for cut in cuts if cut < 132} == {Reason.NOT_DICOM}
    survived = [cut for cut, outcome in outcomes.items() if isinstance(outcome, int)]
    assert len(survived) < complete + 12  # the head has borders too
    assert {o for o in outcomes.values() if not isinstance(o, int)} <= {
        Reason.NOT_DICOM, Reason.TRUNCATED, Reason.LENGTH_BEYOND_BUFFER,
    }  # fmt: skip


def test_a_cut_inside_a_defined_sequence_is_beyond_the_buffer() -> None:
    inner = struct.pack("<HH2sH", 8, 0x0100, b"SH", 2) + b"AB"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    data = struct.pack("<HH2s2xI", 8, 0x1140, b"SQ", len(item)) + item
    assert explicit(data) == 3
    assert {explicit(data[:cut]) for cut in range(1, len(data))} == {Reason.TRUNCATED, Reason.LENGTH_BEYOND_BUFFER}


@pytest.mark.parametrize("closed", [False, True])
def test_ten_thousand_deep(closed: bool) -> None:
    data = (SEQUENCE + ITEM_START) * 10_000 + (ITEM_END + SEQUENCE_END) * (10_000 if closed else 0)
    assert explicit(data) is Reason.TOO_DEEP


def test_ten_thousand_deep_with_a_higher_limit_needs_no_recursion() -> None:
    data = (SEQUENCE + ITEM_START) * 10_000 + (ITEM_END + SEQUENCE_END) * 10_000
    assert explicit(data, Limits(nesting_depth=10_000)) == 20_000


def test_the_depth_limit_is_exact() -> None:
    def nested(n: int) -> bytes:
        return (SEQUENCE + ITEM_START) * n + (ITEM_END + SEQUENCE_END) * n

    assert explicit(nested(32)) == 64
    assert explicit(nested(33)) is Reason.TOO_DEEP


@pytest.mark.parametrize("length", [3, 1 << 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE])
@pytest.mark.parametrize("vr", [b"OB", b"SQ", b"UN", b"UT"])
def test_lengths_beyond_the_buffer(vr: bytes, length: int) -> None:
    assert explicit(struct.pack("<HH2s2xI", 8, 0x1140, vr, length) + b"ab") is Reason.LENGTH_BEYOND_BUFFER


def test_two_gibibytes_declared_in_an_item_and_in_a_fragment() -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0x80000000)
    assert explicit(SEQUENCE + item) is Reason.LENGTH_BEYOND_BUFFER
    pixels = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OB", UNDEFINED)
    assert explicit(pixels + item + b"ab") is Reason.LENGTH_BEYOND_BUFFER
    assert explicit(pixels + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)) is Reason.MALFORMED
    assert explicit(pixels + struct.pack("<HHI", 0xFFFE, 0xE000, 2) + b"ab") is Reason.TRUNCATED


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


@pytest.mark.parametrize(
    "data",
    [
        ITEM_END,
        SEQUENCE_END,
        struct.pack("<HHI", 0xFFFE, 0xE000, 0),
        element(0x00080060, b"ZZ", b"CT"),
        element(0x00080060, b"\0\0", b"CT"),
        element(0x00080060, b"CS", b"CT") * 2,
        struct.pack("<HH2s2xI", 8, 0x60, b"UT", UNDEFINED),
        struct.pack("<HH2s2xI", 8, 0x60, b"OB", UNDEFINED) + SEQUENCE_END,
        struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"UN", UNDEFINED) + SEQUENCE_END,
        SEQUENCE + element(0x00080060, b"CS", b"CT") + SEQUENCE_END,
        SEQUENCE + ITEM_START + SEQUENCE_END,
        SEQUENCE + ITEM_START + ITEM_END + ITEM_END,
        SEQUENCE + ITEM_START + struct.pack("<HHI", 0xFFFE, 0xE00D, 4) + b"abcd" + SEQUENCE_END,
        SEQUENCE + struct.pack("<HHI", 0xFFFE, 0xE0DD, 4) + b"abcd",
        struct.pack("<HH2s2xI", 8, 0x1140, b"SQ", 8) + SEQUENCE_END,
        struct.pack("<HH2s2xI", 8, 0x1140, b"SQ", 8) + struct.pack("<HHI", 0xFFFE, 0xE000, 8) + bytes(8),
        struct.pack("<HH2s2xI", 8, 0x1140, b"SQ", 4) + bytes(16),
        struct.pack("<HH2s2xI", 8, 0x1140, b"UN", 8) + b"notitems",
    ],
)
def test_broken_structure(data: bytes) -> None:
    assert explicit(data) is Reason.MALFORMED


def test_five_million_elements_are_refused_early() -> None:
    one = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    data = SEQUENCE + one * 5_000_000 + SEQUENCE_END
    tracemalloc.start()
    started = time.process_time()
    assert explicit(data) is Reason.TOO_MANY_ELEMENTS
    seconds = time.process_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert seconds < 10


def test_fragments_are_bounded_too() -> None:
    fragment = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    data = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OB", UNDEFINED) + fragment * 20_000 + SEQUENCE_END
    assert explicit(data) == 1
    assert explicit(data, Limits(elements=1000)) is Reason.TOO_MANY_ELEMENTS


def test_the_element_limit_is_exact() -> None:
    data = b"".join(element(0x00100000 + n, b"LO", b"") for n in range(1, 101))
    assert explicit(data, Limits(elements=100)) == 100
    assert explicit(data, Limits(elements=99)) is Reason.TOO_MANY_ELEMENTS


def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(mebibytes)) + packer.flush()


def test_a_deflate_bomb_is_refused_within_the_ratio() -> None:
    data = bomb(1024)  # 1 MB that would be 1 GiB
    assert len(data) < 1 << 21
    tracemalloc.start()
    with pytest.raises(InstanceHeld) as held:
        inflate(memoryview(data), 0, LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held.value.reason is Reason.INFLATE_LIMIT
    assert peak < 2.2 * 100 * len(data)


def test_the_absolute_bound_holds_whatever_the_ratio() -> None:
    with pytest.raises(InstanceHeld) as held:
        inflate(memoryview(bomb(8)), 0, Limits(inflated_bytes=1 << 20, inflate_ratio=10**6))
    assert held.value.reason is Reason.INFLATE_LIMIT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (bomb(1)[:-3], Reason.TRUNCATED),
        (b"\xff\xff\xff\xff", Reason.MALFORMED),
        (bomb(1) + b"Meyer", Reason.MALFORMED),
        (bomb(1) + bytes(8) + b"Meyer", Reason.MALFORMED),
    ],
)
def test_broken_deflate(data: bytes, reason: Reason) -> None:
    with pytest.raises(InstanceHeld) as held:
        inflate(memoryview(data), 0, LIMITS)
    assert held.value.reason is reason
    assert "Meyer" not in str(held.value)


CT = (FILES / "CT_small.dcm").read_bytes()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_DICOM),
        (bytes(131), Reason.NOT_DICOM),
        (bytes(132), Reason.NOT_DICOM),
        (CT[132:], Reason.NOT_DICOM),
        (CT[128:], Reason.NOT_DICOM),
        (CT[:128] + b"dicm" + CT[132:], Reason.NOT_DICOM),
        (CT[:140], Reason.LENGTH_BEYOND_BUFFER),
        (CT[:138], Reason.TRUNCATED),
        (CT[:132] + b"\x02\x00\x10\x00ZZ\x02\x00ab", Reason.MALFORMED),
        (CT[:132] + b"\x02\x00\x10\x00SQ\x00\x00\x00\x00\x00\x00", Reason.MALFORMED),
        (CT[:132] + b"\x02\x00\x10\x00UI\x02\x001." * 2, Reason.MALFORMED),
        (CT[:132] + b"\x02\x00\x10\x00UI\x02\x001\xff", Reason.MALFORMED),
        (CT[:132] + b"\x02\x00\x10\x00UI\x60\x00" + b"1" * 96, Reason.MALFORMED),
        (CT[:132] + b"\x02\x00\x01\x00OB\x00\x00\xff\xff\xff\x7fab", Reason.LENGTH_BEYOND_BUFFER),
        (CT[:132] + b"".join(b"\x02\x00" + bytes([n, 1]) + b"LO\0\0" for n in range(100)), Reason.MALFORMED),
    ],
)
def test_broken_heads(data: bytes, reason: Reason) -> None:
    with pytest.raises(InstanceHeld) as held:
        read_part10(memoryview(data))
    assert held.value.reason is reason


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "rtplan.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm", "UN_sequence.dcm"]
)
def test_mutants_are_refused_or_accounted_for(name: str) -> None:
    """600 seeded mutants per file: bytes changed, cut out, doubled; 32-bit lengths made extreme."""
    original = (FILES / name).read_bytes()[:6000]
    choose = random.Random(f"veil {name}")
    started = time.process_time()
    outcomes: dict[str, int] = {}
    for _ in range(600):
        data = bytearray(original)
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(128, len(data) - 8)
            match choose.randrange(4):
                case 0:
                    data[at] = choose.randrange(256)
                case 1:
                    del data[at : at + choose.randint(1, 40)]
                case 2:
                    data[at:at] = data[at : at + choose.randint(1, 40)]
                case _:
                    struct.pack_into(
                        "<I", data, at, choose.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED, 0xE000FFFE])
                    )
        outcome = whole(bytes(data))
        outcomes[str(outcome) if isinstance(outcome, Reason) else "read"] = 1
    assert len(outcomes) >= 2
    assert time.process_time() - started < 60


def test_random_bytes() -> None:
    choose = random.Random("veil noise")
    for _ in range(2000):
        data = choose.randbytes(choose.randrange(200))
        for is_implicit in (False, True):
            for little in (False, True):
                try:
                    scan(memoryview(data), 0, implicit=is_implicit, little=little, limits=LIMITS)
                except InstanceHeld as held:
                    judged(held)


def test_no_refusal_quotes_a_value() -> None:
    secret = b"MEYER^HANS"
    for data in (element(0x00100010, b"PN", secret) * 2, element(0x00100010, b"XX", secret), secret * 3):
        with pytest.raises(InstanceHeld) as held:
            scan(memoryview(data), 0, implicit=False, little=True, limits=LIMITS)
        assert "MEYER" not in str(held.value)


def test_items_are_counted() -> None:
    assert ITEM == 0xFFFEE000
    data = SEQUENCE + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10 + SEQUENCE_END
    assert explicit(data, Limits(elements=11)) == 11
    assert explicit(data, Limits(elements=10)) is Reason.TOO_MANY_ELEMENTS
