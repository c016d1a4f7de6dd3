"""No hidden channel of pixels carries anything through: a canary in each of more than a hundred, none recovered.

What is released is searched by bytes, by each plane of bits of its pixels, and in what an independent decoder makes of
them. A hold is an answer as well, but not for more than a few.
"""

from __future__ import annotations

import io
import zlib
from functools import lru_cache

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from proxy.deid.pixels import codecs
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.service.ports import Held, Released
from proxy.store.rulebook import load_profile, load_tables
from proxy.workers.judge import Judge
from tests.deid.pixels.code_streams import PREFIX
from tests.deid.pixels.headers import layout
from tests.deid.pixels.hidden_channels import CANARY, channels
from tests.deid.pixels.matrix import EXPLICIT
from tests.deid.pixels.matrix_coded import DEFLATED_FRAMES

EVERY = dict(channels())
JUDGE = Judge(bytes(32))
#: what pydicom and its plug-ins decode
INDEPENDENT = {"4.50", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "5"}
#: what is held instead of cleaned, and why
HELD = {"deflated frames: inflates to more than a frame": "no decoder agrees on what the frame is"}


@lru_cache(maxsize=1)
def policy() -> Policy:
    profile = {**load_profile("basic"), "pixels": {"text": "off", "faces": "forward"}}
    return compile_policy(load_tables(), PolicySpec("research", profile, bytes(32), uninspected_pixels="forward"))


def planes(data: bytes) -> list[bytes]:
    """Each plane of bits, of samples of 8 and 16 bits, packed from either end."""
    found = []
    for size in (1, 2):
        samples = np.frombuffer(data[: len(data) // size * size], f"<u{size}")
        for bit in range(8 * size):
            plane = (samples >> bit & 1).astype(np.uint8)
            found += [np.packbits(plane[shift:], bitorder=order).tobytes()
                      for shift in range(8) for order in ("big", "little")]  # fmt: skip
    return found


def recovered(data: bytes) -> str:
    """Where the canary is in a Part 10 file, "" for nowhere."""
    needles = [CANARY, CANARY[::-1], CANARY[4:], CANARY[:4] + CANARY[8:], CANARY[:8]]
    if any(needle in data for needle in needles):
        return "bytes"
    ds = dcmread(io.BytesIO(data), force=True)
    seen = [ds.PixelData]
    if ds.file_meta.TransferSyntaxUID != EXPLICIT:
        frames = list(generate_frames(ds.PixelData, number_of_frames=1))
        seen += [*frames, *(decoded(frame, ds) for frame in frames)]
    if any(CANARY in each for each in seen):
        return "decoded"
    return "bits" if any(CANARY in plane for each in seen for plane in planes(each)) else ""


def decoded(frame: bytes, ds: Dataset) -> bytes:
    """By libraries that Veil does not ask, but for transfer syntaxes that only one library reads."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == DEFLATED_FRAMES:
        return zlib.decompressobj(-15).decompress(frame)
    if syntax.removeprefix(PREFIX) in INDEPENDENT:
        return bytes(pixel_array(ds, raw=True).tobytes())
    return codecs.decode(frame, layout(ds, EXPLICIT), syntax).tobytes()


def test_there_are_as_many_as_promised() -> None:
    assert len(EVERY) >= 120
    assert set(HELD) < set(EVERY)


@pytest.mark.parametrize("channel", EVERY)
def test_nothing_is_recovered(channel: str) -> None:
    planted = EVERY[channel]()
    assert recovered(planted), "not planted"
    found = JUDGE.judge(memoryview(planted), Claimed(), policy())
    if channel in HELD:
        assert isinstance(found, Held)
    else:
        assert isinstance(found, Released), found
        assert recovered(materialise(found.chunks, planted)) == ""
