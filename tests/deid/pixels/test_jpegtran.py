"""The editor beside `jpegtran` of libjpeg-turbo, the other tool that edits JPEG without decoding the picture.

It makes the lossless arrangements few encoders write; and its ``-wipe`` must leave alone what ours leaves alone.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from proxy.deid.pixels import jpeg
from proxy.deid.pixels.plan import Box, Layout
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.jpeg_reference import Picture, decode

pytestmark = pytest.mark.peer
ROWS, COLUMNS = 83, 101
LAYOUT = Layout(ROWS, COLUMNS, 1, 3, 0, 8, 8, 7, False, "YBR_FULL_422")
SCANS = "0; \n 1; \n 2;\n"
Tool = Callable[..., bytes]


def picture(subsampling: int) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 255, (ROWS, COLUMNS, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", quality=70, subsampling=subsampling)
    return out.getvalue()


@pytest.fixture
def jpegtran(program: Callable[[str], Path], tmp_path: Path) -> Tool:
    path = program("jpegtran")
    (tmp_path / "scans").write_text(SCANS)

    def run(stream: bytes, *options: str) -> bytes:
        done = subprocess.run(
            [path, *options], input=stream, capture_output=True, check=True, cwd=tmp_path
        )  # fmt: skip
        return done.stdout

    return run


def changed(before: Picture, after: Picture, place: int) -> np.ndarray:
    down, across = before.coded(place)
    return (before.blocks[place] != after.blocks[place]).any(-1)[:down, :across]


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_both_wipe_the_same_blocks(subsampling: int, jpegtran: Tool) -> None:
    """jpegtran's boxes are whole iMCUs as ours; a margin where chroma is subsampled is ours alone."""
    stream = picture(subsampling)
    x, y = jpeg.margin(stream)
    before = decode(stream)
    for box in (Box(8, 8, 30, 30), Box(64, 16, 80, 32), Box(33, 40, 34, 41), Box(2, 2, 90, 80)):
        wipe = f"{box.right - box.left}x{box.bottom - box.top}+{box.left}+{box.top}"
        theirs = decode(jpegtran(stream, "-wipe", wipe))
        smaller = Box(box.left + x, box.top + y, box.right - x, box.bottom - y)
        if smaller.left >= smaller.right:
            continue
        ours = decode(jpeg.wipe(stream, [smaller], "low", LAYOUT)[0])
        for place in range(3):
            assert np.array_equal(changed(before, theirs, place), changed(before, ours, place))


ARRANGEMENTS = {
    "restart 1 block": ("-restart", "1B"),
    "restart 7 blocks": ("-restart", "7B"),
    "restart 1 row": ("-restart", "1"),
    "optimised": ("-optimize",),
    "a scan for each component": ("-scans", "scans"),
    "the same, optimised, restarts": ("-scans", "scans", "-optimize", "-restart", "5B"),
}


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_arrangements(name: str, subsampling: int, jpegtran: Tool) -> None:
    stream = jpegtran(picture(subsampling), *ARRANGEMENTS[name])
    out, black = jpeg.wipe(stream, [Box(20, 20, 45, 50)], "low", LAYOUT)
    frame = np.asarray(Image.open(io.BytesIO(out)))
    assert not frame[20:50, 20:45].any()
    plain, _ = jpeg.wipe(picture(subsampling), [Box(20, 20, 45, 50)], "low", LAYOUT)
    one, other = decode(out), decode(plain)
    for place in range(3):
        down, across = one.coded(place)
        assert np.array_equal(one.blocks[place][:down, :across], other.blocks[place][:down, :across])
    # what jpegtran reads of ours it writes back: nothing in it is odd
    again = decode(jpegtran(out))
    for place in range(3):
        down, across = one.coded(place)
        assert np.array_equal(one.blocks[place][:down, :across], again.blocks[place][:down, :across])
    assert black


@pytest.mark.parametrize("option", ["-progressive", "-arithmetic"])
def test_other_processes_are_held(option: str, jpegtran: Tool) -> None:
    with pytest.raises(InstanceHeld) as held:
        jpeg.wipe(jpegtran(picture(2), option), [Box(0, 0, 9, 9)], "low", LAYOUT)
    assert held.value.reason is Reason.NO_CODEC
