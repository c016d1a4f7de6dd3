"""Boxes blanked in the DCT domain: every coefficient outside is the one it was, inside there is nothing but black.

Held against `jpeg_reference`, a reader that shares no code with the product. What decoders make of it is looked at in
`test_jpeg_decoders`.
"""

from __future__ import annotations

import io
import random
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import data_store
import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.encaps import generate_frames

from proxy.deid.pixels import codecs, jpeg, jpeg_entropy
from proxy.deid.pixels.plan import Box, Layout
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.jpeg_pictures import (
    SAMPLINGS,
    boxes_in,
    crowded_picture,
    flat_table,
    layout_for,
    picture_of,
    reads,
    writing_of,
)
from tests.deid.pixels.jpeg_reference import Picture, Writing, decode, encode

PICTURES = 360
YBR, RGB = "YBR_FULL_422", "RGB"


def darkest(layout: Layout) -> jpeg.Darkest:
    return "high" if layout.photometric == "MONOCHROME1" else "low"


def wiped(stream: bytes, boxes: list[Box], layout: Layout) -> tuple[bytes, tuple[Box, ...]]:
    """What the product makes of it, after the checks that hold for any stream."""
    out, black = jpeg.wipe(stream, boxes, darkest(layout), layout)
    assert jpeg.wipe(memoryview(bytearray(stream)), boxes, darkest(layout), layout) == (out, black)
    before, after = decode(stream, slack=True), decode(out)
    inside = [box for box in (box.within(layout.columns, layout.rows) for box in boxes) if box]
    x, y = jpeg.margin(stream)
    grown = [(box.left - x, box.top - y, box.right + x, box.bottom + y) for box in inside]
    assert head(before) == head(after)
    for place in range(len(before.factors)):
        touched = before.touched(place, grown)
        assert np.array_equal(before.blocks[place][~touched], after.blocks[place][~touched])
        is_black(after, place, touched, layout)
    for asked, got in zip(inside, black, strict=True):
        assert got.left <= asked.left < asked.right <= got.right <= layout.columns
        assert got.top <= asked.top < asked.bottom <= got.bottom <= layout.rows
    return out, black


def head(picture: Picture) -> tuple[Any, ...]:
    size = (picture.precision, picture.rows, picture.columns)
    return (*size, picture.identifiers, picture.factors, [list(table) for table in picture.quantisers])


def is_black(picture: Picture, place: int, touched: Any, layout: Layout) -> None:
    down, across = picture.coded(place)
    blocks = picture.blocks[place][:down, :across][touched[:down, :across]]
    assert not blocks[:, 1:].any()
    level, half = blocks[:, 0] * picture.quantisers[place][0] / 8, 1 << picture.precision - 1
    if place > 0 and layout.photometric != RGB:
        assert not level.any()
    elif layout.photometric == "MONOCHROME1":
        assert np.all((level >= half - 1) & (level < 4 * half))
    else:
        assert np.all((level <= -half) & (level > -4 * half))


# --- random coefficients in every arrangement


@pytest.mark.parametrize("name", SAMPLINGS)
def test_coefficients_outside_are_equal(name: str) -> None:
    rnd, seen = random.Random(name), Counter[str]()
    for _ in range(PICTURES // len(SAMPLINGS)):
        photometric = rnd.choice(("MONOCHROME1", "MONOCHROME2") if name.startswith("grey") else (RGB, YBR))
        picture = picture_of(rnd, name, photometric, rnd.choice((8, 12)))
        how = writing_of(rnd, picture)
        stream, layout, boxes = encode(picture, how), layout_for(picture, photometric), boxes_in(rnd, picture)
        out, black = wiped(stream, boxes, layout)
        assert jpeg.wipe(out, boxes, darkest(layout), layout) == (out, black)
        seen.update((f"{picture.precision} bit", photometric, f"{len(how.scans)} scans", f"restart {how.restart[0]}"))
    assert len(seen) >= 6, seen


def test_the_boxes_returned_are_whole_mcus_less_what_decoders_blend() -> None:
    layout = Layout(70, 90, 1, 3, 0, 8, 8, 7, False, YBR)
    boxes = [Box(20, 20, 30, 30), Box(0, 0, 1, 1), Box(89, 69, 90, 70), Box(32, 32, 48, 48), Box(95, 0, 99, 9)]
    expected = {
        "4:4:4": [(16, 16, 32, 32), (0, 0, 8, 8), (88, 64, 90, 70), (32, 32, 48, 48)],
        "4:2:2": [(17, 16, 31, 32), (0, 0, 15, 8), (81, 64, 90, 70), (17, 32, 63, 48)],
        "4:2:0": [(17, 17, 31, 31), (0, 0, 15, 15), (81, 65, 90, 70), (17, 17, 63, 63)],
    }
    for name, wanted in expected.items():
        picture = picture_of(random.Random(1), name, YBR, 8)
        picture.rows, picture.columns, picture.identifiers = 70, 90, [1, 2, 3]
        picture.blocks = [np.zeros((*picture.padded(place), 64), np.int64) for place in range(3)]
        stream = encode(picture, Writing([[0, 1, 2]], [0], [(0, 0)] * 3, [0, 1, 2], tables=flat_table))
        assert [reads(box) for box in wiped(stream, boxes, layout)[1]] == wanted


def test_without_a_box_only_what_is_no_image_goes() -> None:
    picture = picture_of(random.Random(2), "4:2:0", YBR, 8)
    how = Writing([[0, 1, 2]], [3], [(0, 0), (1, 1), (1, 1)], [0, 1, 1])
    picture.quantisers[2] = picture.quantisers[1]
    picture.identifiers = [1, 2, 3]
    plain = encode(picture, how)
    noisy = encode(picture, replace(how, applications=[(0xE1, b"Exif\0\0DOE^JAN1"), (0xFE, b"DOE^JAN1")]))
    layout = layout_for(picture, YBR)
    assert jpeg.wipe(noisy, [], "low", layout) == jpeg.wipe(plain, [], "low", layout)
    assert jpeg.wipe(noisy, [Box(500, 500, 510, 510)], "low", layout)[1] == ()


def test_more_room_is_found_where_codes_get_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, how = crowded_picture()
    stream, layout, codes = encode(picture, how), layout_for(picture, RGB), list[int]()
    edit = jpeg_entropy.edit
    monkeypatch.setattr(jpeg_entropy, "edit", lambda *given: codes.append(edit(*given)) or codes[-1])
    jpeg.wipe(stream, [Box(200, 200, 210, 210)], "low", layout)
    assert codes == [jpeg_entropy.MISSING, jpeg_entropy.GROW, jpeg_entropy.OK]
    monkeypatch.undo()
    wiped(stream, [Box(200, 200, 210, 210)], layout)


def test_memory_follows_the_stream_not_what_its_header_says() -> None:
    stream = PIL[: SOF + 5] + b"\xff\xff\xff\xff" + PIL[SOF + 9 :]
    tracemalloc.start()
    with pytest.raises(InstanceHeld):
        jpeg.wipe(stream, BOX, "low", replace(LAYOUT, rows=65535, columns=65535))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


# --- real files


@cache
def files() -> dict[str, Path]:
    """Every JPEG Baseline and Extended file of pydicom and pydicom-data."""
    found = {}
    for path in [*map(Path, get_testdata_files()), *Path(data_store.__file__).parent.rglob("*")]:
        if path.is_file() and path.name not in found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    meta = pydicom.filereader.read_file_meta_info(path)
                except (pydicom.errors.InvalidDicomError, OSError, ValueError, NotImplementedError):
                    continue
            if meta.get("TransferSyntaxUID", "")[-3:] in (".50", ".51"):
                found[path.name] = path
    return found


def layout_of_file(ds: pydicom.Dataset) -> Layout:
    return Layout(
        ds.Rows, ds.Columns, 1, ds.SamplesPerPixel, 0, ds.BitsAllocated, ds.BitsStored, ds.HighBit, False,
        ds.PhotometricInterpretation,
    )  # fmt: skip


def test_real_files() -> None:
    assert len(files()) >= 17
    for path in files().values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path)
        layout = layout_of_file(ds)
        frames = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1) or 1)))
        right, bottom = layout.columns, layout.rows
        boxes = [Box(0, 0, right, bottom // 9 + 1), Box(right // 2, bottom // 2, right // 2 + 9, bottom // 2 + 5)]
        for frame in (frames[0], frames[-1])[: len(frames)]:
            out, _ = wiped(frame, boxes, layout)
            assert len(out) <= len(frame) + 64


# --- what is kept of the rest


def streams() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(8)
    pixels = rng.integers(0, 255, (40, 48, 3), np.uint8)
    for name, options in {"pil": {}, "progressive": {"progressive": True}, "optimized": {"optimize": True}}.items():
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "jpeg", **options)
        yield name, out.getvalue()


STREAMS = dict(streams())
ADOBE = imagecodecs.jpeg8_encode(np.full((40, 48, 3), 77, np.uint8), colorspace="RGB", outcolorspace="RGB")
LAYOUT = Layout(40, 48, 1, 3, 0, 8, 8, 7, False, YBR)
BOX = [Box(3, 3, 20, 20)]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


CANARY = b"DOE^JAN1"
SPARE_TABLE = segment(0xC4, b"\x13" + bytes((0, 0, 0, 8)) + bytes(12) + CANARY)
AGAIN = segment(0xC4, b"\0" + bytes((0, 0, 0, 8)) + bytes(12) + CANARY)
HIDDEN: dict[str, Callable[[bytes], bytes]] = {
    "comment": lambda s: s[:2] + segment(0xFE, CANARY) + s[2:],
    "Exif": lambda s: s[:2] + segment(0xE1, b"Exif\0\0" + CANARY) + s[2:],
    "ICC": lambda s: s[:2] + segment(0xE2, b"ICC_PROFILE\0" + CANARY) + s[2:],
    "thumbnail of JFIF": lambda s: s.replace(s[2:20], segment(0xE0, s[6:18] + b"\x02\x01" + CANARY[:6]), 1),
    "density of JFIF": lambda s: s[:13] + CANARY[:5] + s[18:],
    "behind JFIF": lambda s: s.replace(s[2:20], segment(0xE0, s[6:20] + CANARY), 1),
    "JFXX": lambda s: s[:20] + segment(0xE0, b"JFXX\0" + CANARY) + s[20:],
    "behind the end": lambda s: s + CANARY,
    "behind the last block": lambda s: s[:-2] + CANARY + s[-2:],
    "unused Huffman table": lambda s: s[:20] + SPARE_TABLE + s[20:],
    "unused quantisation table": lambda s: s[:20] + segment(0xDB, b"\3" + CANARY * 8) + s[20:],
    "Huffman table that is defined again": lambda s: s[:20] + AGAIN + s[20:],
}  # fmt: skip


@pytest.mark.parametrize("where", HIDDEN)
def test_nothing_hides(where: str) -> None:
    clean = STREAMS["pil"]
    planted = HIDDEN[where](clean)
    assert CANARY[:5] in planted
    out, _ = jpeg.wipe(planted, BOX, "low", LAYOUT)
    assert CANARY[:5] not in out
    assert out == jpeg.wipe(clean, BOX, "low", LAYOUT)[0]


def test_colour_is_told_as_before() -> None:
    assert b"Adobe" in ADOBE
    out, _ = jpeg.wipe(ADOBE, BOX, "low", replace(LAYOUT, photometric=RGB))
    assert out.count(b"Adobe") == 1
    assert b"JFIF" not in out
    out, _ = jpeg.wipe(STREAMS["pil"], BOX, "low", LAYOUT)
    assert out[2:20] == segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def test_what_says_ycbcr_is_blanked_as_such_whatever_the_data_set_says() -> None:
    """Secondary captures with a wrong label: decoders go by JFIF, and show black."""
    layout = replace(LAYOUT, photometric=RGB)
    out, _ = jpeg.wipe(PIL, BOX, "low", layout)
    assert out == jpeg.wipe(PIL, BOX, "low", LAYOUT)[0]
    assert not codecs.decode(out, layout, "1.2.840.10008.1.2.4.50")[3:20, 3:20].any()
    assert not np.asarray(Image.open(io.BytesIO(out)))[3:20, 3:20].any()


@pytest.mark.parametrize(
    ("jfif", "adobe", "identifiers", "rgb"),
    [
        (True, 0, (82, 71, 66), False),
        (False, 0, (1, 2, 3), True),
        (False, 1, (82, 71, 66), False),
        (False, None, (82, 71, 66), True),
        (False, None, (1, 2, 3), None),
        (False, None, (0, 1, 2), None),
    ],
)
def test_what_a_stream_says_of_its_colour(
    jfif: bool, adobe: int | None, identifiers: tuple[int, ...], rgb: bool | None
) -> None:
    assert jpeg.coded_as_rgb(jfif, adobe, identifiers) is rgb


# --- what is held


def grey(precision: int = 8, quantiser: int = 1) -> bytes:
    picture = Picture(precision, 40, 48, [1], [(1, 1)], [[quantiser] * 64])
    picture.blocks = [np.ones((5, 6, 64), np.int64)]
    return encode(picture, Writing([[0]], [0], [(0, 0)], [0], wide=quantiser > 255))


def coefficient(place: int, value: int, precision: int = 8) -> bytes:
    """A picture whose last block has one coefficient of this value."""
    picture = Picture(precision, 40, 48, [1], [(1, 1)], [[1] * 64])
    picture.blocks = [np.zeros((5, 6, 64), np.int64)]
    picture.blocks[0][-1, -1, place] = value
    return encode(picture, Writing([[0]], [0], [(0, 0)], [0], tables=flat_table))


GREY = replace(LAYOUT, samples=1, photometric="MONOCHROME2")


def crowd() -> bytes:
    """Eleven blocks in one MCU."""
    picture = Picture(8, 40, 48, [1, 2, 3], [(4, 2), (2, 1), (1, 1)], [[1] * 64] * 3)
    picture.blocks = [np.zeros((*picture.padded(place), 64), np.int64) for place in range(3)]
    return encode(picture, Writing([[0, 1, 2]], [0], [(0, 0)] * 3, [0, 0, 0]))


DEEP = replace(GREY, allocated=16, stored=12, high_bit=11)
PIL = STREAMS["pil"]
SOF = PIL.index(b"\xff\xc0")
SOS = PIL.index(b"\xff\xda")
DHT = PIL.index(b"\xff\xc4")
DQT = PIL.index(b"\xff\xdb")
HELD: dict[str, tuple[Reason, bytes, Layout]] = {
    "progressive": (Reason.NO_CODEC, STREAMS["progressive"], LAYOUT),
    "lossless": (Reason.NO_CODEC, imagecodecs.jpeg8_encode(np.zeros((40, 48), np.uint8), lossless=True), GREY),
    "JPEG-LS": (Reason.NO_CODEC, imagecodecs.jpegls_encode(np.zeros((40, 48), np.uint8)), GREY),
    "arithmetic": (Reason.NO_CODEC, PIL.replace(b"\xff\xc0", b"\xff\xc9", 1), LAYOUT),
    "hierarchical": (Reason.NO_CODEC, PIL.replace(b"\xff\xc0", b"\xff\xc5", 1), LAYOUT),
    "number of lines later": (Reason.NO_CODEC, PIL[:-2] + segment(0xDC, b"\0\x28") + PIL[-2:], LAYOUT),
    "no lines": (Reason.PIXELS_UNREADABLE, PIL[: SOF + 5] + b"\0\0" + PIL[SOF + 7 :], LAYOUT),
    "RGB said to be YBR": (Reason.NO_CODEC, ADOBE, LAYOUT),
    "palette": (Reason.NO_CODEC, grey(), replace(GREY, photometric="PALETTE COLOR")),
    "partial": (Reason.NO_CODEC, PIL, replace(LAYOUT, photometric="YBR_PARTIAL_422")),
    "signed": (Reason.NO_CODEC, grey(), replace(GREY, signed=True)),
    "8 bits in 16": (Reason.NO_CODEC, grey(), replace(GREY, allocated=16)),
    "12 bits in 8": (Reason.NO_CODEC, grey(12), GREY),
    "a step too coarse": (Reason.NO_CODEC, grey(quantiser=4096), GREY),
    "a step of nothing": (Reason.NO_CODEC, grey(quantiser=0), GREY),
    "a DC difference of 12 bits": (Reason.PIXELS_UNREADABLE, coefficient(0, 2048), GREY),
    "a DC difference of 16 bits": (Reason.PIXELS_UNREADABLE, coefficient(0, 32768, 12), DEEP),
    "an AC coefficient of 11 bits": (Reason.PIXELS_UNREADABLE, coefficient(5, 1024), GREY),
    "an AC coefficient of 15 bits": (Reason.PIXELS_UNREADABLE, coefficient(63, -16384, 12), DEEP),
    "eleven blocks in one MCU": (Reason.PIXELS_UNREADABLE, crowd(), LAYOUT),
    "other rows": (Reason.PIXELS_UNREADABLE, PIL, replace(LAYOUT, rows=48)),
    "other columns": (Reason.PIXELS_UNREADABLE, PIL, replace(LAYOUT, columns=40)),
    "other samples": (Reason.PIXELS_UNREADABLE, PIL, replace(GREY, photometric="MONOCHROME2")),
    "empty": (Reason.PIXELS_UNREADABLE, b"", LAYOUT),
    "one byte": (Reason.PIXELS_UNREADABLE, b"\xff", LAYOUT),
    "cut in the header": (Reason.PIXELS_UNREADABLE, PIL[: SOF + 9], LAYOUT),
    "cut in the data": (Reason.PIXELS_UNREADABLE, PIL[:-200] + b"\xff\xd9", LAYOUT),
    "no end": (Reason.PIXELS_UNREADABLE, PIL[:-2], LAYOUT),
    "no scan": (Reason.PIXELS_UNREADABLE, PIL[:SOS] + b"\xff\xd9", LAYOUT),
    "no Huffman table": (Reason.PIXELS_UNREADABLE, PIL[:DHT] + PIL[SOS:], LAYOUT),
    "no quantisation table": (Reason.PIXELS_UNREADABLE, PIL[:DQT] + PIL[SOF:], LAYOUT),
    "a second scan of all": (Reason.PIXELS_UNREADABLE, PIL[:-2] + PIL[SOS:], LAYOUT),
    "spectral selection": (Reason.PIXELS_UNREADABLE, PIL[: SOS + 12] + b"\1" + PIL[SOS + 13 :], LAYOUT),
    "a restart marker": (Reason.PIXELS_UNREADABLE, PIL[:-9] + b"\xff\xd0" + PIL[-9:], LAYOUT),
    "restarts that are not there": (Reason.PIXELS_UNREADABLE, PIL[:SOS] + segment(0xDD, b"\0\1") + PIL[SOS:], LAYOUT),
    "65535 x 65535": (
        Reason.PIXELS_UNREADABLE,
        PIL[: SOF + 5] + b"\xff\xff\xff\xff" + PIL[SOF + 9 :],
        replace(LAYOUT, rows=65535, columns=65535),
    ),
}


@pytest.mark.parametrize("what", HELD)
def test_what_cannot_be_edited_is_held(what: str) -> None:
    reason, stream, layout = HELD[what]
    with pytest.raises(InstanceHeld) as held:
        jpeg.wipe(stream, BOX, "low", layout)
    assert held.value.reason is reason


def test_the_largest_coefficients_are_not_held() -> None:
    for place, value, precision, layout in ((0, 2047, 8, GREY), (5, -1023, 8, GREY), (9, 16383, 12, DEEP)):
        wiped(coefficient(place, value, precision), BOX, layout)


def test_the_highest_value_is_only_told_where_it_saturates() -> None:
    layout = replace(GREY, photometric="MONOCHROME1")
    out, _ = jpeg.wipe(grey(), BOX, "high", layout)
    assert np.asarray(Image.open(io.BytesIO(out)))[3:20, 3:20].min() == 255
    for stream, narrow in ((grey(), replace(layout, stored=7)), (grey(12), replace(layout, allocated=16, stored=10))):
        with pytest.raises(InstanceHeld) as held:
            jpeg.wipe(stream, BOX, "high", narrow)
        assert held.value.reason is Reason.NO_CODEC
    with pytest.raises(InstanceHeld):
        jpeg.wipe(PIL, BOX, "high", LAYOUT)
