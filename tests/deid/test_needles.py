"""One pass finds what `bytes.find` finds, at every offset and length, and never reads outside."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.deid.needles import LEAST, Needles


@settings(deadline=None)
@given(st.lists(st.binary(min_size=LEAST, max_size=12), max_size=6), st.binary(max_size=200), st.data())
def test_it_finds_what_find_finds(needles: list[bytes], value: bytes, data: st.DataObject) -> None:
    if needles and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value)))
        value = value[:at] + data.draw(st.sampled_from(needles)) + value[at:]
    expected = any(needle.lower() in value.lower() for needle in needles)
    assert Needles(needles).within(memoryview(value)) is expected


@pytest.mark.parametrize("at", range(9))
@pytest.mark.parametrize("size", [5, 6, 7, 11])
def test_every_alignment(at: int, size: int) -> None:
    needle = bytes(range(ord("a"), ord("a") + size))
    for behind in range(5):
        value = b"." * at + needle.upper() + b"." * behind
        assert Needles([needle]).within(memoryview(value))
        assert not Needles([needle]).within(memoryview(value[: at + size - 1]))


def test_noise_holds_nothing() -> None:
    noise = random.Random(5).randbytes(1 << 20)
    assert not Needles([b"doe^jane", b"1.2.840.99.1", b"4711-0815"]).within(memoryview(noise))


def test_a_short_needle_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least"):
        Needles([b"abcd"])
