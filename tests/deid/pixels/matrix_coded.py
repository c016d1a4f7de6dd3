"""The part of the matrix whose pixels are encapsulated: every transfer syntax that Veil writes, encoded here.

The encoders are imagecodecs and a few lines of PS3.5 (RLE, uncompressed, deflated frames); what must be read the same
before and after is never what these encoders say, but what an independent decoder does (`matrix_decoders`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.deid.pixels.matrix import REGIONS, Case, encoded
from tests.deid.pixels.matrix_native import Image, Values, write

PREFIX = "1.2.840.10008.1.2."
BASELINE, EXTENDED, JPEG, SV1 = (PREFIX + last for last in ("4.50", "4.51", "4.57", "4.70"))
LS, NEAR, J2K, J2K_LOSSY = (PREFIX + last for last in ("4.80", "4.81", "4.90", "4.91"))
HT, HT_RPCL, HT_LOSSY = (PREFIX + last for last in ("4.201", "4.202", "4.203"))
XL, XL_JPEG, XL_LOSSY = (PREFIX + last for last in ("4.110", "4.111", "4.112"))
RLE, PLAIN, DEFLATED_FRAMES = (PREFIX + last for last in ("5", "1.98", "8.1"))

Encoder = Callable[[Values, Image], bytes]


@dataclass(frozen=True)
class CodedCase(Case):
    """``coder``: a name in `CODERS`; ``smooth``: values that a lossy codec keeps close to what they were."""

    coder: str = ""
    smooth: bool = False
    #: columns and rows that a DCT codec blanks together
    unit: tuple[int, int] = (1, 1)

    @property
    def name(self) -> str:
        return f"{super().name}-{self.coder}"

    @cached_property
    def values(self) -> Values:
        """As `Case.values`; smooth ones are slopes with a little noise."""
        if not self.smooth:
            return super().values
        image = self.image
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        rows, columns = np.mgrid[: image.rows, : image.columns]
        top = (1 << image.stored) - 1
        slopes = rng.uniform(-0.5, 0.5, (self.frames, image.samples, 2))
        plane = slopes[..., 0, None, None] * rows / image.rows + slopes[..., 1, None, None] * columns / image.columns
        values = (0.5 + 0.6 * plane + rng.normal(0, 0.01, plane.shape)) * top
        return np.moveaxis(np.clip(values, 0, top).astype(np.int64), 1, -1)

    @cached_property
    def file(self) -> bytes:
        """The instance, one fragment a frame."""
        return self._coded(self.coder, self.syntax)

    @property
    def before(self) -> bytes:
        """What to read for the pixels as they came: of JPEG in JPEG XL, the JPEG, whose colours are left alone."""
        return self._coded("dct", BASELINE) if self.syntax == XL_JPEG else self.file

    def _coded(self, coder: str, syntax: str) -> bytes:
        ds = Dataset(self.dataset)
        ds.PixelData = encapsulate([CODERS[coder](frame, self.image) for frame in self.values])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        return encoded(ds, syntax)

    def grown(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """``box`` as a DCT codec has to blank it."""
        (across, down), (left, top, right, bottom) = self.unit, box
        return left // across * across, top // down * down, -(-right // across) * across, -(-bottom // down) * down


def samples(frame: Values, image: Image) -> Any:
    """What a codec is given: unsigned, in one or two bytes, (rows, columns) or (rows, columns, 3)."""
    cells = (frame & ((1 << image.stored) - 1)).astype(f"u{image.allocated // 8}")
    return np.ascontiguousarray(cells[..., 0] if image.samples == 1 else cells)


def _signed(frame: Values, image: Image) -> Any:
    """As `samples`, but negative where they are: JPEG 2000 and JPEG-XL know signs."""
    values = frame.astype(f"{'i' if image.signed else 'u'}{image.allocated // 8}")
    return np.ascontiguousarray(values[..., 0] if image.samples == 1 else values)


def _jpeg(frame: Values, image: Image, *, subsampling: str | None = None, **how: Any) -> bytes:
    colour = {"RGB": "RGB", "MONOCHROME1": None, "MONOCHROME2": None, "PALETTE COLOR": None}
    space = colour.get(image.photometric, "YCBCR")
    stream: bytes = imagecodecs.jpeg8_encode(
        samples(frame, image), colorspace=space, outcolorspace=space, subsampling=subsampling, **how
    )
    return stream


def _lossless(frame: Values, image: Image, predictor: int) -> bytes:
    return _jpeg(frame, image, lossless=True, predictor=predictor, bitspersample=image.stored)


def _ls(frame: Values, image: Image, near: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(samples(frame, image), level=near))


def _j2k(frame: Values, image: Image, **how: Any) -> bytes:
    mct = image.photometric in ("YBR_RCT", "YBR_ICT")
    return bytes(
        imagecodecs.jpeg2k_encode(
            _signed(frame, image), codecformat="j2k", bitspersample=image.stored, planar=False, mct=mct, **how
        )
    )


def _ht(frame: Values, image: Image, **how: Any) -> bytes:
    rgb = image.photometric in ("YBR_RCT", "YBR_ICT")
    return bytes(imagecodecs.htj2k_encode(_signed(frame, image), planar=False, rgb=rgb, **how))


def _xl(frame: Values, image: Image, **how: Any) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(samples(frame, image), bitspersample=image.stored, **how))


def _xl_of_jpeg(frame: Values, image: Image) -> bytes:
    return bytes(imagecodecs.jpegxl_encode_jpeg(_jpeg(frame, image, level=90), usecontainer=True))


def _rle(frame: Values, image: Image) -> bytes:
    """PS3.5 Annex G: a segment for each byte of each sample, the most significant first; PackBits, row by row."""
    size = image.allocated // 8
    cells = (frame & ((1 << image.allocated) - 1)).astype(f">u{size}")
    planes = [
        cells[..., sample].copy().view(np.uint8).reshape(image.rows, image.columns, size)[..., byte]
        for sample in range(image.samples)
        for byte in range(size)
    ]
    segments = [b"".join(_packed(row.tobytes()) for row in plane) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def _packed(row: bytes) -> bytes:
    """Runs of three equal bytes or more are told once."""
    out, at = b"", 0
    while at < len(row):
        run = 1
        while at + run < len(row) and run < 128 and row[at + run] == row[at]:
            run += 1
        if run > 2:
            out += bytes((257 - run, row[at]))
        else:
            run = min(2, len(row) - at)
            out += bytes((run - 1,)) + row[at : at + run]
        at += run
    return out


def _plain(frame: Values, image: Image) -> bytes:
    return write(frame[np.newaxis], image, little=True)


def _deflated(frame: Values, image: Image) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(_plain(frame, image)) + packer.flush()


CODERS: dict[str, Encoder] = {
    "dct": partial(_jpeg, level=90),
    "dct-444": partial(_jpeg, level=90, subsampling="444"),
    "dct-422": partial(_jpeg, level=90, subsampling="422"),
    "dct-420": partial(_jpeg, level=90, subsampling="420"),
    "dct-12": partial(_jpeg, level=95, bitspersample=12),
    **{f"lossless-{predictor}": partial(_lossless, predictor=predictor) for predictor in (1, 4, 7)},
    "ls": partial(_ls, near=0),
    "near": partial(_ls, near=2),
    "j2k": partial(_j2k, level=0, reversible=True),
    "j2k-lossy": partial(_j2k, level=50, reversible=False),
    "ht": partial(_ht, reversible=True),
    "ht-rpcl": partial(_ht, reversible=True, tlm=True, tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS),
    "ht-lossy": partial(_ht, reversible=False, level=0.002),
    "xl": partial(_xl, lossless=True),
    "xl-lossy": partial(_xl, distance=0.5),
    "xl-jpeg": _xl_of_jpeg,
    "rle": _rle,
    "plain": _plain,
    "deflated": _deflated,
}
_GREYS = [Image("MONOCHROME1"), Image("MONOCHROME2"), Image("MONOCHROME2", 8, 8), Image("MONOCHROME1", 16, 12)]
_GREYS += [Image("MONOCHROME2", 16, 12), Image("MONOCHROME2", 16, 16), Image("MONOCHROME1", 16, 16)]
_SIGNED = [replace(image, signed=True) for image in _GREYS]
_RGB, _RCT, _PALETTE = Image("RGB"), Image("YBR_RCT"), Image("PALETTE COLOR")
_WIDE = [Image("MONOCHROME2", 32, 32), Image("MONOCHROME1", 32, 32, signed=True)]
_YBR = [Image("YBR_FULL"), Image("YBR_FULL", planar=1), Image("RGB", planar=1), Image("YBR_FULL_422", columns=14)]
_LARGE = {"rows": 29, "columns": 37}
#: transfer syntax → coder → images
LOSSLESS: dict[str, dict[str, list[Image]]] = {
    JPEG: {"lossless-4": [*_GREYS, *_SIGNED, _RGB, _PALETTE], "lossless-7": [*_GREYS, _RGB]},
    SV1: {"lossless-1": [*_GREYS, *_SIGNED, _RGB, _PALETTE]},
    LS: {"ls": [*_GREYS, *_SIGNED, _RGB, _PALETTE]},
    J2K: {"j2k": [*_GREYS, *_SIGNED, _RGB, _RCT, _PALETTE]},
    HT: {"ht": [*_GREYS[:3], *_GREYS[5:], _RGB, _RCT, _PALETTE]},
    HT_RPCL: {"ht-rpcl": [*_GREYS[:3], *_GREYS[5:], _RGB, _RCT]},
    HT_LOSSY: {"ht": [_GREYS[1], _GREYS[5], _RCT]},
    XL: {"xl": [*_GREYS, _RGB]},
    RLE: {"rle": [*_GREYS, *_SIGNED, _RGB, _PALETTE, *_YBR[:3], *_WIDE, Image("RGB", 16, 16)]},
    PLAIN: {"plain": [*_GREYS, *_SIGNED, _RGB, _PALETTE, *_YBR, *_WIDE, Image("MONOCHROME2", 1, 1)]},
    DEFLATED_FRAMES: {"deflated": [*_GREYS, *_SIGNED, _RGB, _PALETTE, *_YBR, *_WIDE, Image("MONOCHROME1", 1, 1)]},
}
LOSSY: dict[str, dict[str, list[Image]]] = {
    NEAR: {"near": [_GREYS[1], _GREYS[4], _GREYS[6], _RGB]},
    J2K_LOSSY: {"j2k-lossy": [_GREYS[0], _GREYS[1], _GREYS[4], Image("YBR_ICT")], "j2k": [_GREYS[1], _RCT]},
    HT_LOSSY: {"ht-lossy": [_GREYS[0], _GREYS[1], Image("YBR_ICT")]},
    XL_LOSSY: {"xl-lossy": [_GREYS[1], _RGB]},
    XL_JPEG: {"xl-jpeg": [_GREYS[0], _GREYS[1], Image("YBR_FULL"), _RGB]},
    BASELINE: {
        "dct": [Image("MONOCHROME1", **_LARGE), Image("MONOCHROME2", **_LARGE), Image("RGB", **_LARGE)],
        "dct-444": [Image("YBR_FULL", **_LARGE), Image("RGB", **_LARGE)],
        "dct-422": [Image("YBR_FULL_422", **_LARGE)],
        "dct-420": [Image("YBR_FULL_422", **_LARGE)],
    },
    EXTENDED: {"dct-12": [Image("MONOCHROME1", 16, 12, **_LARGE), Image("MONOCHROME2", 16, 12, **_LARGE)]},
}
#: columns and rows of an MCU
_UNITS = {"dct-422": (16, 8), "dct-420": (16, 16)} | dict.fromkeys(("dct", "dct-444", "dct-12", "xl-jpeg"), (8, 8))


def coded_cases() -> Iterator[CodedCase]:
    """Regions take turns as in `native_cases`; lossy codecs meet all of them."""
    turn = 0
    for table, smooth in ((LOSSLESS, False), (LOSSY, True)):
        for syntax, coders in table.items():
            for coder, images in coders.items():
                for image in dict.fromkeys(images):
                    for frames in (1, 3):
                        regions = [name for name, areas in REGIONS.items() if frames == 3 or areas[0][1] is None]
                        count = len(regions) if smooth else 4
                        for step in range(count):
                            region = regions[(turn + step) % len(regions)]
                            yield CodedCase(syntax, image, frames, region, coder, smooth, _UNITS.get(coder, (1, 1)))
                        turn += 1
