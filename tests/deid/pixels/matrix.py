"""The generated matrix: transfer syntax, photometric interpretation, planes, sign, bits, frames and where boxes lie.

`cases` makes every combination that PS3.5 allows; each knows its pixels, its Part 10 file and what an image must show
after its boxes were blanked. What blanks is the caller's; what reads the result is in `matrix_decoders`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from proxy.deid.pixels.plan import Area, Box
from tests.deid.pixels.matrix_native import Image, Values, write

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)

#: sizes (columns, rows) of the images of the matrix: odd, even columns for shared chrominance, several DCT blocks
SIZES = ((13, 11), (14, 11), (37, 29))
Area4 = tuple[int, int, int, int]
#: what a case blanks: boxes (left, top, right, bottom), counted from the other end where negative, right and bottom
#: also where 0; and the frames, None for all
REGIONS: dict[str, tuple[tuple[Area4, tuple[int, ...] | None], ...]] = {
    "top": (((0, 0, 0, 2), None),),
    "corner": (((-4, -3, 0, 0), None),),
    "inside": (((3, 2, 8, 7), None),),
    "one": (((5, 5, 6, 6), None),),
    "all": (((0, 0, 0, 0), None),),
    "two": (((0, 0, 3, 3), None), ((1, 2, 7, 4), None)),
    "frames": (((2, 1, 5, 5), (0,)), ((7, 1, 10, 5), (2,))),
    "last": (((-1, -1, 0, 0), (2,)), ((0, 0, 1, 1), (0, 2))),
}


def place(box: Area4, columns: int, rows: int) -> Area4:
    """``box`` of `REGIONS` in an image of this size."""
    left, top, right, bottom = box
    return left % columns, top % rows, right if right > 0 else columns + right, bottom if bottom > 0 else rows + bottom


#: SOP classes: ultrasound multi-frame may have what it wants but floating point, which is for parametric maps
_LOOP = "1.2.840.10008.5.1.4.1.1.3.1"
_CLASS = dict.fromkeys(("float", "double"), "1.2.840.10008.5.1.4.1.1.30")
_SINGLE = ("top", "corner", "inside", "one", "all", "two")
_GREYS = [("MONOCHROME1", 8, 8), ("MONOCHROME2", 8, 8), ("MONOCHROME2", 8, 7), ("MONOCHROME1", 16, 12)]
_GREYS += [("MONOCHROME2", 16, 12), ("MONOCHROME2", 16, 16), ("MONOCHROME1", 16, 16), ("MONOCHROME2", 16, 10)]
_GREYS += [("MONOCHROME2", 32, 32), ("MONOCHROME2", 32, 24)]


def images() -> Iterator[Image]:
    """Every way to make native pixels."""
    for photometric, allocated, stored in _GREYS:
        for signed in (False, True):
            for vr in ("OB", "OW") if allocated == 8 else ("OW",):
                yield Image(photometric, allocated, stored, signed, vr=vr)
    yield Image("MONOCHROME2", 16, 12, high_bit=13)
    yield Image("MONOCHROME1", 16, 12, signed=True, high_bit=15)
    yield Image("MONOCHROME2", 8, 6, high_bit=7)
    for vr in ("OB", "OW"):
        yield Image("MONOCHROME1", 1, 1, vr=vr)
        yield Image("MONOCHROME2", 1, 1, vr=vr)
        yield Image("PALETTE COLOR", vr=vr)
        yield Image("YBR_FULL_422", columns=14, vr=vr)
        for planar in (0, 1):
            yield Image("RGB", planar=planar, vr=vr)
            yield Image("YBR_FULL", planar=planar, vr=vr)
    yield Image("YBR_PARTIAL_422", columns=14)
    yield Image("PALETTE COLOR", 16, 12)
    yield Image("PALETTE COLOR", 16, 16, signed=True)
    for planar in (0, 1):
        yield Image("RGB", 16, 16, planar=planar)
        yield Image("YBR_FULL", 16, 10, planar=planar)
    yield Image("MONOCHROME2", 32, 32, signed=True, kind="float", vr="OF")
    yield Image("MONOCHROME2", 64, 64, signed=True, kind="double", vr="OD")


@dataclass(frozen=True)
class Case:
    """One instance of the matrix."""

    syntax: str
    image: Image
    frames: int
    region: str

    @property
    def name(self) -> str:
        return f"{self.syntax}-{self.image.name}-{self.frames}-{self.region}"

    @property
    def little(self) -> bool:
        return self.syntax != BIG

    @cached_property
    def values(self) -> Values:
        """What is stored, (frames, rows, columns, samples); every value that can be stored is as likely."""
        image, shape = self.image, (self.frames, self.image.rows, self.image.columns, self.image.samples)
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        if image.kind != "integer":
            return (rng.standard_normal(shape) * 100).astype("f4" if image.kind == "float" else "f8")
        low = -(1 << (image.stored - 1)) if image.signed else 0
        values = rng.integers(low, low + (1 << image.stored), shape, np.int64)
        if image.halved:
            values[:, :, 1::2, 1:] = values[:, :, 0::2, 1:]
        return values

    @property
    def boxes(self) -> Iterator[tuple[Area4, tuple[int, ...] | None]]:
        """What is blanked, in this image."""
        for box, frames in REGIONS[self.region]:
            yield place(box, self.image.columns, self.image.rows), frames

    @property
    def areas(self) -> tuple[Area, ...]:
        return tuple(Area(Box(*box), "test", frames) for box, frames in self.boxes)

    @property
    def expected(self) -> Values:
        """The stored values after the boxes were blanked; where two columns share chrominance, both of them."""
        values, image = self.values.copy(), self.image
        for (left, top, right, bottom), frames in self.boxes:
            if image.halved:
                left, right = left // 2 * 2, (right + 1) // 2 * 2
            for frame in range(self.frames) if frames is None else frames:
                values[frame, top:bottom, left:right] = darkest(image)
        return values

    @cached_property
    def dataset(self) -> Dataset:
        """Without pixel data."""
        image = self.image
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = _CLASS.get(image.kind, _LOOP), "1.2.3.4"
        ds.StationName = self.region
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.1"
        ds.PatientID, ds.PatientName = "4711", "Doe^Jane"
        ds.SamplesPerPixel, ds.PhotometricInterpretation = image.samples, image.photometric
        ds.Rows, ds.Columns, ds.BitsAllocated = image.rows, image.columns, image.allocated
        if self.frames > 1:
            ds.NumberOfFrames = self.frames
        if image.samples > 1:
            ds.PlanarConfiguration = image.planar
        if image.kind == "integer":
            ds.BitsStored, ds.HighBit, ds.PixelRepresentation = image.stored, image.high, int(image.signed)
        if image.photometric == "PALETTE COLOR":
            _palette(ds, image, self.little)
        return ds

    @cached_property
    def file(self) -> bytes:
        """The instance, encoded."""
        ds = Dataset(self.dataset)
        keyword = {"float": "FloatPixelData", "double": "DoubleFloatPixelData"}.get(self.image.kind, "PixelData")
        setattr(ds, keyword, write(self.values, self.image, little=self.little))
        ds[keyword].VR = "OW" if self.syntax == IMPLICIT and self.image.kind == "integer" else self.image.vr
        return encoded(ds, self.syntax)


def darkest(image: Image) -> tuple[float, ...]:
    """What displays darkest, said once more and otherwise than in `proxy.deid.pixels.black`."""
    top = 2**image.stored - 1
    neutral = (top + 1) // 2
    if image.kind != "integer":
        return (float(np.finfo("f4" if image.kind == "float" else "f8").min),)
    if image.photometric == "PALETTE COLOR":
        return (_first_mapped(image) + _DARK_ENTRY,)
    if image.photometric == "MONOCHROME1":
        return ((top - 1) // 2 if image.signed else top,)
    if image.photometric == "MONOCHROME2":
        return (-neutral if image.signed else 0,)
    dark = {"YBR_FULL": (0, neutral, neutral), "YBR_FULL_422": (0, 128, 128), "YBR_PARTIAL_422": (16, 128, 128)}
    return dark.get(image.photometric, (0, 0, 0))


_DARK_ENTRY = 5
_ENTRIES = 32


def _first_mapped(image: Image) -> int:
    return -7 if image.signed else 3 if image.allocated > 8 or image.vr == "OB" else 0


def _palette(ds: Dataset, image: Image, little: bool) -> None:
    """32 entries of 16 bits, all bright but one."""
    rng = np.random.default_rng(7)
    for colour in ("Red", "Green", "Blue"):
        entries = rng.integers(0x6000, 0x10000, _ENTRIES)
        entries[_DARK_ENTRY] = 0x0100
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [_ENTRIES, _first_mapped(image), 16])
        ds[f"{colour}PaletteColorLookupTableDescriptor"].VR = "SS" if image.signed else "US"
        data = entries.astype("<u2" if little else ">u2").tobytes()
        setattr(ds, f"{colour}PaletteColorLookupTableData", data)


def encoded(ds: Dataset, syntax: str) -> bytes:
    """A Part 10 file."""
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    ds.file_meta, ds.preamble = meta, bytes(128)
    out = io.BytesIO()
    # some are younger than pydicom
    young = {"force_encoding": True, "little_endian": True, "implicit_vr": False}
    how: dict[str, Any] = {} if syntax in UID_dictionary else young
    dcmwrite(out, ds, overwrite=True, **how)
    return out.getvalue()


def unordered(image: Image) -> bool:
    """Samples of 32 bits in big endian: they have two readings, so such instances are held."""
    return image.kind == "integer" and image.allocated == 32


def native_cases() -> Iterator[Case]:
    """Regions take turns, so that each syntax, image and number of frames meets several of them."""
    turn = 0
    for syntax in NATIVE:
        for image in images():
            if (syntax == IMPLICIT and image.vr == "OB") or (syntax == BIG and unordered(image)):
                continue  # implicit VR is OW, the same bytes
            for frames, regions in ((1, _SINGLE), (3, tuple(REGIONS))):
                for step in range(3):
                    yield Case(syntax, image, frames, regions[(turn + step) % len(regions)])
                turn += 1
