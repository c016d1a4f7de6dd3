"""Code streams of every transfer syntax that frames are read in, each with its layout and the frame that it codes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from proxy.deid.pixels import codecs
from proxy.deid.pixels.codec_jxl import from_jpeg
from proxy.deid.pixels.plan import Layout

PREFIX = "1.2.840.10008.1.2."
#: those that are written
_WRITTEN = "1.98 4.57 4.70 4.80 4.81 4.90 4.91 4.110 4.112 4.201 4.202 4.203 5 8.1"
WRITTEN = tuple(PREFIX + end for end in _WRITTEN.split())

Frame = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """One code stream. ``frame`` is what went in; the stream is lossless where ``exact``."""

    name: str
    uid: str
    layout: Layout
    frame: Frame
    stream: bytes
    exact: bool = True


def layout(
    frame: Frame, stored: int = 0, photometric: str = "", *, signed: bool = False, high_bit: int = -1, bits: int = 0
) -> Layout:
    """A layout for ``frame``; by default all bits are stored."""
    samples = frame.shape[2] if frame.ndim == 3 else 1
    allocated = bits or frame.itemsize * 8
    stored = stored or allocated
    name = photometric or ("RGB" if samples == 3 else "MONOCHROME2")
    return Layout(
        frame.shape[0], frame.shape[1], 1, samples, 0, allocated, stored, stored - 1 if high_bit < 0 else high_bit,
        signed, name,
    )  # fmt: skip


def picture(rows: int, columns: int, samples: int = 1, top: int = 255, seed: int = 0) -> Frame:
    """Something between a gradient and noise, from 0 to ``top``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    wave = np.stack([np.sin(x / (5 + k)) * np.cos(y / (7 - k)) for k in range(samples)], axis=-1)
    noisy = (wave + 1) / 2 * top + rng.normal(0, top / 60, wave.shape)
    frame = noisy.clip(0, top).astype("u1" if top < 256 else "u2")
    return frame[:, :, 0].copy() if samples == 1 else frame


def baseline(frame: Frame, subsampling: str = "444", quality: int = 90, bits: int = 8) -> bytes:
    """A sequential JPEG of ``frame`` without colour conversion, its colour marked YCbCr."""
    colour = "YCBCR" if frame.ndim == 3 else None
    stream: bytes = imagecodecs.jpeg8_encode(
        frame, quality, colorspace=colour, outcolorspace=colour, subsampling=subsampling, bitspersample=bits
    )
    return stream


def by_pillow(frame: Frame, **options: Any) -> bytes:
    """A JPEG by Pillow: progressive, or with restart intervals."""
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=85, **options)
    return out.getvalue()


@cache
def samples() -> tuple[Sample, ...]:
    """One of each kind, small."""
    return tuple(_samples())


def _samples() -> Iterator[Sample]:
    grey, deep, colour = picture(40, 36), picture(40, 36, top=4095), picture(40, 36, 3)
    negative = (deep.astype("i2") - 2048).astype("i2")
    for uid in WRITTEN:
        yield _written("grey", uid, grey, layout(grey))
        yield _written("deep", uid, deep, layout(deep, 12))
        yield _written("colour", uid, colour, layout(colour))
        if uid[-4:] not in (".110", ".112"):
            yield _written("signed", uid, negative, layout(negative, 12, signed=True))
    bits = (grey > 128).astype("u1")
    for uid in (PREFIX + "1.98", PREFIX + "4.90", PREFIX + "4.201", PREFIX + "5", PREFIX + "8.1"):
        yield _written("bits", uid, bits, layout(bits, 1, bits=1))
    yield from _lossy(grey, deep, colour)


def _written(name: str, uid: str, frame: Frame, like: Layout) -> Sample:
    return Sample(
        f"{uid[len(PREFIX) :]}-{name}", uid, codecs.coded_layout(like, uid), frame, codecs.encode(frame, like, uid)
    )


def _lossy(grey: Frame, deep: Frame, colour: Frame) -> Iterator[Sample]:
    def lossy(name: str, end: str, frame: Frame, stream: bytes, photometric: str = "", stored: int = 0) -> Sample:
        return Sample(f"{end}-{name}", PREFIX + end, layout(frame, stored, photometric), frame, stream, exact=False)

    yield lossy("grey", "4.50", grey, baseline(grey))
    for subsampling in ("444", "422", "420"):
        yield lossy(subsampling, "4.50", colour, baseline(colour, subsampling), "YBR_FULL_422")
    yield lossy("restarts", "4.50", grey, by_pillow(grey, restart_marker_blocks=3))
    yield lossy("deep", "4.51", deep, baseline(deep, bits=12), stored=12)
    yield lossy("progressive", "4.53", grey, by_pillow(grey, progressive=True))
    yield lossy("near", "4.81", colour, imagecodecs.jpegls_encode(colour, level=2))
    yield lossy("lossy", "4.91", deep, _j2k(deep, level=30, bitspersample=12, reversible=False), stored=12)
    yield lossy(
        "tiles", "4.203", deep, imagecodecs.htj2k_encode(deep, tile=(16, 16), reversible=True, tlm=True), stored=12
    )
    yield lossy("file", "4.91", colour, _j2k(colour, level=30, codecformat="jp2"), "YBR_ICT")
    yield lossy("lossy", "4.203", colour, imagecodecs.htj2k_encode(colour, 0.02, reversible=False, tlm=True), "YBR_ICT")
    yield lossy("lossy", "4.112", colour, imagecodecs.jpegxl_encode(colour, distance=1.0, lossless=False, effort=1))
    yield lossy("jpeg", "4.111", colour, from_jpeg(baseline(colour, "420")), "YBR_FULL_422")


def _j2k(frame: Frame, **options: Any) -> bytes:
    stream: bytes = imagecodecs.jpeg2k_encode(
        frame, **({"codecformat": "j2k", "numthreads": 1, "planar": False} | options)
    )
    return stream


def of(name: str) -> Sample:
    """The sample ``name``."""
    (found,) = (sample for sample in samples() if sample.name == name)
    return found


def with_frames(like: Layout, frames: int) -> Layout:
    """``like`` with another number of frames."""
    return replace(like, frames=frames)


def cleaned(sample: Sample, planted: bytes, canary: bytes) -> None:
    """``planted``, the sample with ``canary`` beside its picture, is stripped of that and of nothing of the picture."""
    before = codecs.decode(sample.stream, sample.layout, sample.uid)
    assert canary in planted
    clean = codecs.strip(planted, sample.layout, sample.uid)
    assert clean is not None
    assert canary not in clean
    assert np.array_equal(codecs.decode(clean, sample.layout, sample.uid), before)
    assert codecs.strip(clean, sample.layout, sample.uid) is None


def without_pads(sample: Sample) -> bytes:
    """The sample stripped: a pad byte behind it may stay, more than one may not."""
    clean = codecs.strip(sample.stream, sample.layout, sample.uid) or sample.stream
    for pad in (b"", b"\0", b"\xff"):
        assert codecs.strip(clean + pad, sample.layout, sample.uid) is None
    assert codecs.strip(clean + b"\0\0", sample.layout, sample.uid) == clean
    return clean
