"""Numbers and codes of an image's header: one reading or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxy.deid.level import Gone, Level, Run, Value
from proxy.deid.pixels.header import Header
from proxy.errors import InstanceHeld, Reason

TAG = 0x00280010


class One:
    """A data set with one element."""

    def __init__(self, vr: str, value: Value) -> None:
        self._held = vr, value

    def __contains__(self, tag: int) -> bool:
        return tag == TAG

    def tags(self) -> list[int]:
        return [TAG]

    def parts(self) -> Iterator[int | Run | Gone]:
        yield TAG

    def value(self, tag: int) -> tuple[str, Value]:
        return self._held

    def items(self, tag: int) -> list[Level]:
        return []


@pytest.mark.parametrize("vr", ["", "UN", "US", "SS", "US or SS"])
def test_words(vr: str) -> None:
    little, big = Header(One(vr, b"\1\2\xff\xff"), True), Header(One(vr, b"\1\2\xff\xff"), False)
    assert little.words(TAG, 2) == (0x0201, 0xFFFF)
    assert little.words(TAG, 2, signed=True) == (0x0201, -1)
    assert big.words(TAG, 2) == (0x0102, 0xFFFF)
    assert Header(One(vr, b"\5\0"), True).word(TAG) == 5
    assert Header(One(vr, b""), True).words(TAG) is None
    assert Header(One(vr, b""), True).word(TAG, 7) == 7
    assert little.words(TAG + 1) is None


@pytest.mark.parametrize(
    ("vr", "value", "read"),
    [
        ("LO", b"\1\0", lambda header: header.word(TAG)),
        ("US", b"\1\0\1\0", lambda header: header.word(TAG)),
        ("US", b"\1", lambda header: header.word(TAG)),
        ("US", b"", lambda header: header.word(TAG)),
        ("US", [], lambda header: header.word(TAG)),
        ("CS", b"A\\B ", lambda header: header.code(TAG)),
        ("CS", b"\xe4 ", lambda header: header.code(TAG)),
        ("LO", b"A ", lambda header: header.code(TAG)),
        ("IS", b"1\\2 ", lambda header: header.count(TAG, 1)),
        ("IS", b"1.5 ", lambda header: header.count(TAG, 1)),
        ("IS", b"0x10", lambda header: header.count(TAG, 1)),
        ("IS", b"1_0 ", lambda header: header.count(TAG, 1)),
        ("DS", b"1.0.0 ", lambda header: header.decimals(TAG)),
        ("DS", b"1O", lambda header: header.decimals(TAG)),
        ("DS", b"--1 ", lambda header: header.decimals(TAG)),
        ("DS", b"1\\", lambda header: header.decimals(TAG)),
        ("DS", b"1e999 ", lambda header: header.decimals(TAG)),
        ("DS", b"nan ", lambda header: header.decimals(TAG)),
        ("DS", b"1\xb2", lambda header: header.decimals(TAG)),
        ("LO", b"1 ", lambda header: header.decimals(TAG)),
        ("FL", bytes(8), lambda header: header.real(TAG, "FL")),
        ("FD", bytes(8), lambda header: header.real(TAG, "FL")),
        ("UT", bytes(8), lambda header: header.table(TAG)),
    ],
)  # fmt: skip
def test_what_has_no_one_reading_is_held(vr: str, value: Value, read: Callable[[Header], Any]) -> None:
    with pytest.raises(InstanceHeld) as held:
        read(Header(One(vr, value), True))
    assert (held.value.reason, held.value.tag) == (Reason.PIXELS_UNREADABLE, TAG)


def test_texts() -> None:
    assert Header(One("CS", b"RGB\0"), True).code(TAG) == "RGB"
    assert Header(One("UN", b" RGB "), True).code(TAG) == "RGB"
    assert Header(One("IS", b" +12\0"), True).count(TAG, 1) == 12
    assert Header(One("IS", b"  "), True).count(TAG, 3) == 3
    assert Header(One("DS", b" 1 \\-2.5e1\\.5 "), True).decimals(TAG) == (1, -25, 0.5)
    assert Header(One("DS", b""), True).decimals(TAG) == ()


def test_floating_point() -> None:
    assert Header(One("FL", b"\0\0\x80\x3f"), True).real(TAG, "FL") == 1
    assert Header(One("FD", b"\x3f\xf0" + bytes(6)), False).real(TAG, "FD") == 1
    assert Header(One("FL", b"\0\0\xc0\x7f"), True).real(TAG, "FL") is None
    assert Header(One("FL", b""), True).real(TAG, "FL") is None


@pytest.mark.parametrize("vr", ["", "UN", "OB", "OW", "US", "SS", "US or OW"])
def test_tables(vr: str) -> None:
    assert Header(One(vr, b"\1\2\3\4"), True).table(TAG) == b"\1\2\3\4"
    assert Header(One(vr, b"\1\2\3\4"), True).table(TAG + 1) == b""


def test_a_value_never_stands_in_the_message() -> None:
    with pytest.raises(InstanceHeld) as caught:
        Header(One("DS", b"DOE^JANE"), True).decimals(TAG)
    assert "DOE" not in str(caught.value)
