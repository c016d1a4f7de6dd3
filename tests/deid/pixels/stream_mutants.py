"""Mutated code streams in whole instances of one device, whose rule blanks a box of every frame."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from proxy.deid.pixels.plan import Box
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.pixels.code_streams import Sample, of, samples
from tests.deid.pixels.matrix import encoded

#: blanked in each frame; aligned to MCUs of 16 by 16 pixels
BOX = Box(16, 16, 32, 32)
_INTERESTING = (0, 1, 2, 3, 0x7F, 0x80, 0xC0, 0xD9, 0xDA, 0xFE, 0xFF)


@dataclass(frozen=True)
class Mutant:
    """``stream`` was made of ``sample``'s; its instance has it as the second of two frames."""

    sample: Sample
    stream: bytes

    @property
    def file(self) -> bytes:
        """A Part 10 file."""
        return file_of(self.sample, [self.sample.stream, self.stream])


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """``count`` mutants, every kind of stream as often as another."""
    rnd, every = random.Random(seed), samples()
    for number in range(count):
        sample = every[number % len(every)]
        yield Mutant(sample, _mutated(rnd, sample.stream, rnd.choice(every).stream))


def _mutated(rnd: random.Random, stream: bytes, other: bytes) -> bytes:
    """One to five changes, most of them near the beginning, where headers are."""
    out = bytearray(stream)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 5))):
        at = rnd.randrange(min(len(out), rnd.choice((64, 160, 400, len(out)))))
        match rnd.randrange(10):
            case 0 | 1 | 2:
                out[at] = rnd.choice((*_INTERESTING, rnd.randrange(256)))
            case 3 | 4:
                out[at] ^= 1 << rnd.randrange(8)
            case 5:
                del out[at : at + rnd.choice((1, 2, 4, 10))]
            case 6:
                out[at:at] = rnd.randbytes(rnd.choice((1, 2, 4, 9)))
            case 7:
                start = rnd.randrange(len(other))
                out[at:at] = other[start : start + rnd.choice((4, 20, 60))]
            case 8:
                out[at : at + 2] = rnd.choice((0, 1, 2, 0x7FFF, 0xFFFF, len(out) & 0xFFFF)).to_bytes(2, "big")
            case _:
                del out[rnd.randrange(len(out)) :]
        out += bytes(max(0, 2 - len(out)))
    return bytes(out)


def file_of(sample: Sample, streams: list[bytes]) -> bytes:
    """A Part 10 file of the fuzzed device with these frames, one fragment each."""
    layout, ds = sample.layout, Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.3.4"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    ds.PatientID, ds.PatientName, ds.StationName = "4711", "Doe^Jane", "fuzzed"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = layout.samples, layout.photometric
    ds.Rows, ds.Columns, ds.NumberOfFrames = layout.rows, layout.columns, len(streams)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = layout.allocated, layout.stored, layout.high_bit
    ds.PixelRepresentation = int(layout.signed)
    if layout.samples > 1:
        ds.PlanarConfiguration = 0
    ds.PixelData = encapsulate([bytes(stream) for stream in streams], has_bot=bool(len(streams[0]) % 4))
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return encoded(ds, sample.uid)


def policy() -> Policy:
    """One device rule, and no look at what it does not blank."""
    box = [BOX.left, BOX.top, BOX.right, BOX.bottom]
    size = f"{of('4.50-grey').layout.columns}x{of('4.50-grey').layout.rows}"
    rule = {"name": "fuzzed", "match": {"StationName": "fuzzed"}, "sizes": {size: {"blank": [box]}}}
    rules: dict[str, Any] = {"version": 1, "name": "fuzz", "rules": [rule]}
    profile = {**load_profile("basic"), "pixels": {"text": "off", "devices": ["fuzz"]}}
    spec = PolicySpec("research", profile, bytes(range(32)), uninspected_pixels="forward", pixel_rules={"fuzz": rules})
    return compile_policy(load_tables(), spec)
