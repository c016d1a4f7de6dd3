"""A code stream and a data set that do not speak of the same image are never decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest

from proxy.deid.pixels import codecs
from proxy.deid.pixels.code_stream import (
    MOST_FRAME_BYTES,
    StreamHeader,
    agree,
    as_samples,
    as_stored,
    contained,
    precision_for,
    unreadable,
)
from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Sample, samples

DEEP = Layout(4, 6, 1, 1, 0, 16, 12, 11, False, "MONOCHROME2")
SIGNED = replace(DEEP, signed=True)


@pytest.mark.parametrize(
    ("header", "layout"),
    [
        (StreamHeader(5, 6, 1, 12), DEEP),
        (StreamHeader(4, 7, 1, 12), DEEP),
        (StreamHeader(4, 6, 3, 12), DEEP),
        (StreamHeader(4, 6, 1, 17), DEEP),
        (StreamHeader(4, 6, 1, 0), DEEP),
        (StreamHeader(4, 6, 1, 11), SIGNED),
        (StreamHeader(4, 6, 1, 12, signed=True), DEEP),
        (StreamHeader(4, 6, 1, 12, signed=False), SIGNED),
        (StreamHeader(4, 6, 1, 12), replace(DEEP, kind="float")),
    ],
)
def test_what_does_not_agree(header: StreamHeader, layout: Layout) -> None:
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        agree(header, layout)


@pytest.mark.parametrize("precision", [8, 12, 16])
def test_what_agrees(precision: int) -> None:
    agree(StreamHeader(4, 6, 1, precision), DEEP)
    agree(StreamHeader(4, 6, 1, precision, signed=True), SIGNED)


def test_frames_beyond_the_bound() -> None:
    side = 1 << 15
    huge = replace(DEEP, rows=side, columns=side)
    assert side * side * 2 > MOST_FRAME_BYTES
    with pytest.raises(InstanceHeld, match="larger than the bound"):
        agree(StreamHeader(side, side, 1, 12), huge)


def test_the_words_of_a_codec_do_not_leave() -> None:
    for error in (ValueError, RuntimeError, MemoryError, OverflowError, TypeError, IndexError, AssertionError):
        with pytest.raises(InstanceHeld) as held, contained(unreadable("a word")):
            raise error("SMITH^JOHN")
        assert held.value.detail == "a word"
        assert held.value.__cause__ is None
        assert held.value.__suppress_context__


@pytest.mark.parametrize("precision", [12, 13, 16])
def test_signs(precision: int) -> None:
    frame = np.array([[-2048, -1, 0, 1, 2047, 5]] * 4, "i2")
    samples = as_samples(frame, precision)
    assert samples.dtype == np.uint16
    assert samples.max() < 1 << precision
    assert np.array_equal(as_stored(samples, precision, SIGNED), frame)


def test_precision_follows_the_bits_that_are_used() -> None:
    frame = np.zeros((4, 6), "u2")
    for top, wanted in ((0, 12), (4095, 12), (4096, 16)):
        frame[0, 0] = top
        assert precision_for(frame, DEEP) == wanted
    assert precision_for(frame, replace(DEEP, high_bit=13)) == 14
    low = np.full((4, 6), -2049, "i2")
    assert [precision_for(low + more, SIGNED) for more in (0, 1, 4096, 4097)] == [16, 12, 12, 16]


CODED = [sample for sample in samples() if sample.uid[-3:] not in ("2.5", ".98", "8.1")]


@pytest.mark.parametrize("sample", CODED, ids=lambda sample: sample.name)
def test_nothing_is_decoded_before_the_header_agrees(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that announces another size than the data set never reaches its codec: no bomb, no cropped rest."""

    def bomb(*_: Any, **__: Any) -> Any:
        pytest.fail("decoded")

    for name in ("jpeg8_decode", "jpegls_decode", "jpeg2k_decode", "htj2k_decode", "jpegxl_decode"):
        monkeypatch.setattr(imagecodecs, name, bomb)
    for other in (
        replace(sample.layout, rows=sample.layout.rows - 1),
        replace(sample.layout, columns=sample.layout.columns + 1),
        replace(sample.layout, samples=4 - sample.layout.samples),
    ):
        for use in (codecs.decode, codecs.strip, codecs.hides):
            with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
                use(sample.stream, other, sample.uid)
