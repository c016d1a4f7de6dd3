"""What independent decoders see of an edited stream: black in the boxes, the same picture outside.

DCMTK, GDCM, Pillow and imagecodecs. Where chroma is subsampled they blend it over the border of an MCU: up to
`jpeg.margin` pixels on either side; there alone something may differ, and never inside a box.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from proxy.deid.pixels import jpeg
from proxy.deid.pixels.plan import Box, Layout
from tests.deid.pixels.jpeg_decoders import Decoder, codecs, dcmtk, gdcm, pillow
from tests.deid.pixels.jpeg_pictures import boxes_in, crowded_table, layout_for, picture_of, sparse_table, writing_of
from tests.deid.pixels.jpeg_reference import encode

ROWS, COLUMNS = 75, 93
BOXES = {
    "inside": [Box(20, 17, 40, 33)],
    "on the grid": [Box(48, 48, 64, 64)],
    "edges": [Box(0, 0, COLUMNS, 9), Box(80, 60, COLUMNS, ROWS)],
    "many": [Box(0, 70, 3, 75), Box(31, 31, 32, 32), Box(32, 32, 40, 48), Box(90, 0, 93, 2)],
    "one": [Box(50, 40, 51, 41)],
}
PHOTOMETRIC = {"GRAYSCALE": ("MONOCHROME1", "MONOCHROME2"), "RGB": ("RGB",), "YCBCR": ("YBR_FULL_422",)}


@cache
def picture() -> Any:
    """Bright, full of colour and of edges, shape (rows, columns, 3)."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    smooth = np.stack([140 + 100 * np.sin(x / 9 + y / 7), 128 + 127 * np.sin(x / 3), 128 + 127 * np.cos(y / 4)], -1)
    return (smooth * 0.7 + rng.integers(0, 75, smooth.shape)).clip(0, 255).astype(np.uint8)


def by_imagecodecs(quality: int, space: str, sampling: str | None) -> bytes:
    if space == "GRAYSCALE":
        return imagecodecs.jpeg8_encode(np.ascontiguousarray(picture()[..., 0]), level=quality)
    return imagecodecs.jpeg8_encode(
        picture(), level=quality, colorspace="RGB", outcolorspace=space, subsampling=sampling
    )


def by_pillow(quality: int, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture()).save(out, "jpeg", quality=quality, **options)
    return out.getvalue()


def in_twelve_bits(quality: int) -> bytes:
    pixels = picture()[..., 0].astype(np.uint16) * 16
    return imagecodecs.jpeg8_encode(pixels, level=quality, bitspersample=12)


#: name → colour space, bits, stream
CASES: dict[str, tuple[str, int, Callable[[], bytes]]] = {}
for quality in (10, 50, 75, 90, 100):
    for sampling in ("444", "422", "440", "420", "411"):
        CASES[f"YCBCR {sampling} q{quality}"] = (
            "YCBCR", 8, lambda q=quality, s=sampling: by_imagecodecs(q, "YCBCR", s))  # fmt: skip
    CASES[f"RGB q{quality}"] = ("RGB", 8, lambda q=quality: by_imagecodecs(q, "RGB", "444"))
    CASES[f"GRAYSCALE q{quality}"] = ("GRAYSCALE", 8, lambda q=quality: by_imagecodecs(q, "GRAYSCALE", None))
    CASES[f"GRAYSCALE 12 bit q{quality}"] = ("GRAYSCALE", 12, lambda q=quality: in_twelve_bits(q))
for number, blocks in enumerate((1, 3, 6, 50)):
    CASES[f"restart {blocks}"] = (
        "YCBCR", 8, lambda b=blocks, n=number: by_pillow(80, restart_marker_blocks=b, subsampling=n % 3))  # fmt: skip
for sampling in (0, 1, 2):
    CASES[f"optimised {sampling}"] = ("YCBCR", 8, lambda s=sampling: by_pillow(85, optimize=True, subsampling=s))


@pytest.fixture(scope="session")
def decoders(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decoder]:
    """By name; DCMTK's is a program."""
    dcmdjpeg = dcmtk(program("dcmdjpeg"), tmp_path_factory.mktemp("dcmtk"))
    return {"dcmtk": dcmdjpeg, "gdcm": gdcm, "pillow": pillow, "imagecodecs": codecs}


def seen(decode: Decoder, before: bytes, after: bytes, black: tuple[Box, ...], layout: Layout) -> int:
    """Pixels that changed outside of what is black; checks that none did where none may."""
    old, new = decode(before, layout), decode(after, layout)
    value = (1 << layout.stored) - 1 if layout.photometric == "MONOCHROME1" else 0
    changed = old != new if old.ndim == 2 else (old != new).any(-1)
    x, y = jpeg.margin(before)
    far = changed.copy()
    for box in black:
        assert np.all(new[box.top : box.bottom, box.left : box.right] == value)
        changed[box.top : box.bottom, box.left : box.right] = False
        far[max(0, box.top - 2 * y) : box.bottom + 2 * y, max(0, box.left - 2 * x) : box.right + 2 * x] = False
    assert not far.any()
    return int(changed.sum())


@pytest.mark.peer
@pytest.mark.parametrize("name", CASES)
def test_black_inside_and_equal_outside(name: str, decoders: dict[str, Decoder]) -> None:
    space, bits, make = CASES[name]
    stream = make()
    for photometric in PHOTOMETRIC[space]:
        layout = Layout(
            ROWS, COLUMNS, 1, 1 if space == "GRAYSCALE" else 3, 0, 8 if bits == 8 else 16, bits, bits - 1, False,
            photometric,
        )  # fmt: skip
        # a program takes 30 ms a file: it sees one set of boxes, all others all
        for number, boxes in enumerate(BOXES.values()):
            out, black = jpeg.wipe(stream, boxes, "high" if photometric == "MONOCHROME1" else "low", layout)
            for which, decode in decoders.items():
                if which in (("gdcm", "pillow") if bits == 12 else ()) or (which == "dcmtk" and number != 3):
                    continue
                changed = seen(decode, stream, out, black, layout)
                assert changed == 0 or jpeg.margin(stream) != (0, 0)


@pytest.mark.peer
def test_streams_in_any_arrangement_stay_readable(decoders: dict[str, Decoder]) -> None:
    """Scans of one component, tables defined again, 16-bit quantisation, restarts: what few encoders write."""
    rnd, read = random.Random(77), dict.fromkeys(decoders, 0)
    for number in range(90):
        photometric = rnd.choice(("MONOCHROME2", "RGB", "YBR_FULL_422"))
        name = "grey" if photometric == "MONOCHROME2" else rnd.choice(("4:4:4", "4:2:2", "4:4:0", "4:2:0", "4:1:1"))
        coefficients = picture_of(rnd, name, photometric, 8)
        coefficients.identifiers = {"MONOCHROME2": [1], "RGB": [82, 71, 66]}.get(photometric, [1, 2, 3])
        how = writing_of(rnd, coefficients)
        stream, layout = encode(coefficients, how), layout_for(coefficients, photometric)
        full = how.tables in (sparse_table, crowded_table)  # the code of ones is in use: Pillow refuses that
        out, black = jpeg.wipe(stream, boxes_in(rnd, coefficients), "low", layout)
        for which, decode in decoders.items():
            if (which == "dcmtk" and number % 3) or (which == "pillow" and full):
                continue
            seen(decode, stream, out, black, layout)
            read[which] += 1
    assert min(read.values()) >= 30
