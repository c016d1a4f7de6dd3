"""How the gate takes an output apart: what stands where, what leaves as a slice, and what is no output of ours."""

from __future__ import annotations

import struct
from types import ModuleType

import pytest

from proxy.deid.assembly import Output, read_output
from proxy.deid.encode import encode_head
from proxy.deid.types import Chunk, Slice
from proxy.errors import MALFORMED_REASONS, InstanceHeld, Reason

CT, LITTLE, IMPLICIT, BIG = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
)
DEFLATED, INSTANCE = LITTLE + ".99", "2.25.1234"
#: the gate says the first for all of them
UNREADABLE = {Reason.OUTPUT_UNREADABLE, *MALFORMED_REASONS}


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"UN", b"SQ", b"UT")
    return head + (struct.pack("<xxI", len(value)) if long else struct.pack("<H", len(value))) + value


HEAD = encode_head(LITTLE, CT, INSTANCE)
BEFORE, BEHIND = element(0x00280010, b"US", b"\2\0"), element(0xFFFAFFFA, b"LO", b"signed")
PIXELS = element(0x7FE00010, b"OW", b"\1\2\3\4")
WHOLE = Slice(0, len(PIXELS))


def read(make: ModuleType, *chunks: Chunk, source: bytes = PIXELS, pixels: tuple[int, int] = (0, 0)) -> Output:
    return read_output(memoryview(source), chunks, make.policy(), pixels)


def refused(make: ModuleType, *chunks: Chunk, source: bytes = PIXELS, pixels: tuple[int, int] = (0, 0)) -> InstanceHeld:
    with pytest.raises(InstanceHeld) as held:
        read(make, *chunks, source=source, pixels=pixels)
    return held.value


def tags(output: Output) -> list[int]:
    return [output.view.leaf(row).tag for row in range(len(output.view.rows))]


def test_what_is_written_is_read_and_a_slice_stands_beside_it(make: ModuleType) -> None:
    output = read(make, HEAD + BEFORE, WHOLE, BEHIND)
    assert (output.sop_class_uid, output.sop_instance_uid, output.syntax.uid) == (CT, INSTANCE, LITTLE)
    assert tags(output) == [0x00280010, 0xFFFAFFFA]
    assert [(leaf.tag, leaf.vr, bytes(leaf.value)) for leaf in output.bulk] == [(0x7FE00010, "OW", b"\1\2\3\4")]
    assert tags(read(make, HEAD + BEFORE, WHOLE)) == [0x00280010], "at the end"
    assert tags(read(make, HEAD, WHOLE, BEFORE)) == [0x00280010], "before all others: order is for who reads"
    assert read(make, HEAD + BEFORE + PIXELS).bulk == ()


def test_without_a_word_about_parts_there_are_none(make: ModuleType) -> None:
    output = read_output(memoryview(PIXELS), (HEAD, BEFORE, WHOLE), make.policy())
    assert (tags(output), len(output.bulk)) == ([0x00280010], 1)


def test_pixel_data_written_in_parts_is_one_element(make: ModuleType) -> None:
    parts: tuple[Chunk, ...] = (PIXELS[:12], Slice(12, 2), b"\7\x08")
    output = read(make, HEAD + BEFORE, *parts, BEHIND, pixels=(1, 4))
    assert tags(output) == [0x00280010, 0xFFFAFFFA]
    assert [bytes(leaf.value) for leaf in output.bulk] == [b"\1\2\7\x08"]
    assert refused(make, HEAD + BEFORE, *parts, BEHIND, pixels=(1, 3)).reason in UNREADABLE
    assert refused(make, HEAD + BEFORE, *parts, BEHIND, pixels=(2, 4)).reason in UNREADABLE
    assert refused(make, HEAD + BEFORE, *parts, BEHIND, pixels=(1, 5)).reason in UNREADABLE


def test_every_part_is_told_in_order(make: ModuleType) -> None:
    told: list[bytes] = []
    chunks: tuple[Chunk, ...] = (HEAD + BEFORE, PIXELS[:12], Slice(12, 4), BEHIND)
    read_output(memoryview(PIXELS), chunks, make.policy(), (1, 3), lambda part: told.append(bytes(part)))
    assert told == [HEAD + BEFORE, PIXELS[:12], PIXELS[12:], BEHIND]


@pytest.mark.parametrize(
    "run", [Slice(-1, 4), Slice(0, 0), Slice(0, -1), Slice(0, 17), Slice(1, 16), Slice(16, 1), Slice(1, 15)]
)
def test_a_slice_lies_in_the_input_and_is_an_element(make: ModuleType, run: Slice) -> None:
    assert refused(make, HEAD, run).reason in UNREADABLE


@pytest.mark.parametrize(
    ("tag", "vr", "fine"),
    [
        (0x7FE00010, b"OB", True), (0x7FE00010, b"OW", True), (0x7FE00008, b"OF", True), (0x7FE00009, b"OD", True),
        (0x7FE00010, b"OL", True), (0x7FE00010, b"OV", True), (0x7FE00010, b"LO", False),
        (0x60003000, b"OW", False), (0x00420011, b"OB", False), (0x7FE00010, b"SQ", False),
    ],
)  # fmt: skip
def test_only_pixel_data_leaves_as_it_came(make: ModuleType, tag: int, vr: bytes, fine: bool) -> None:
    came = element(tag, vr, bytes(8) if vr != b"SQ" else b"")
    if fine:
        assert [leaf.tag for leaf in read(make, HEAD + BEFORE, Slice(0, len(came)), source=came).bulk] == [tag]
    else:
        held = refused(make, HEAD + BEFORE, Slice(0, len(came)), source=came)
        assert held.reason is Reason.OUTPUT_UNREADABLE


def test_a_slice_of_two_elements_is_none(make: ModuleType) -> None:
    both = element(0x7FE00009, b"OD", bytes(8)) + PIXELS
    assert refused(make, HEAD, Slice(0, len(both)), source=both).reason in UNREADABLE
    assert len(read(make, HEAD, Slice(0, 20), Slice(20, 16), source=both).bulk) == 2


def test_an_element_is_there_once(make: ModuleType) -> None:
    for chunks in ((HEAD, WHOLE, WHOLE), (HEAD + PIXELS, WHOLE), (HEAD, WHOLE, PIXELS)):
        assert refused(make, *chunks).detail == "an element occurs twice"


def test_a_slice_inside_a_sequence(make: ModuleType) -> None:
    """Between two elements, but not of the top level."""
    inside = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(BEFORE) + len(BEHIND)) + BEFORE + BEHIND
    sequence = element(0x00081140, b"SQ", inside)
    cut = len(sequence) - len(BEHIND)
    held = refused(make, HEAD + sequence[:cut], WHOLE, sequence[cut:])
    assert held.detail == "a slice does not stand between two elements of the top level"


@pytest.mark.parametrize(
    ("old", "new", "tag"),
    [
        (HEAD[:1], b"M", None), (b"\2\0\1\0OB\0\0\2\0\0\0\0\1", b"\2\0\1\0OB\0\0\2\0\0\0\1\1", 0x00020001),
        (b"\2\0\2\0UI", b"\2\0\4\0UI", 0x00020004), (b"\2\0\x12\0UI", b"\2\0\x15\0UI", 0x00020015),
        (b"VEIL", b"VEIN", 0x00020013),
    ],
)  # fmt: skip
def test_a_head_that_is_not_ours(make: ModuleType, old: bytes, new: bytes, tag: int | None) -> None:
    """PS3.10 7.1, PS3.15 E.1.1."""
    assert old in HEAD
    held = refused(make, HEAD.replace(old, new, 1) + BEFORE)
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, tag)


def test_whose_implementation_wrote_it(make: ModuleType) -> None:
    at = HEAD.index(b"\2\0\x12\0UI") + 8
    held = refused(make, HEAD[:at] + b"9" + HEAD[at + 1 :] + BEFORE)
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, 0x00020012)


def test_an_element_of_the_head_that_is_missing(make: ModuleType) -> None:
    at, length = HEAD.index(b"\2\0\x13\0SH"), struct.unpack_from("<I", HEAD, 140)[0]
    shorter = HEAD[:140] + struct.pack("<I", length - len(HEAD) + at) + HEAD[144:at]
    held = refused(make, shorter + BEFORE)
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, 0x00020000)


def test_a_transfer_syntax_that_does_not_fit(make: ModuleType) -> None:
    for uid, chunks in (("1.2.3", (BEFORE,)), (DEFLATED, (WHOLE,)), ("1.2.840.10008.1.2.4.94", (BEFORE,))):
        held = refused(make, encode_head(uid, CT, INSTANCE), *chunks)
        assert (held.reason, held.tag) == (Reason.OUTPUT_UNREADABLE, 0x00020010), uid
