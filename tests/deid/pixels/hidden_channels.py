"""A canary in every channel beside the picture that pixels have: what no window shows and no header names.

Each channel is a function that returns a Part 10 file. The canary is no identifier of the instance, so that nothing
but the form can give it away.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

from tests.deid.pixels.code_streams import PREFIX, Sample, of
from tests.deid.pixels.headers import dataset
from tests.deid.pixels.matrix import EXPLICIT, encoded
from tests.deid.pixels.matrix_coded import DEFLATED_FRAMES, PLAIN
from tests.deid.pixels.test_j2k_strip import CHANNELS as J2K
from tests.deid.pixels.test_jpeg_strip import CHANNELS as JPEG
from tests.deid.pixels.test_jxl import box
from tests.deid.pixels.test_rle import HEADER, joined, parts

CANARY = b"CANARY^SMITH"
SIDE = 40
Channel = Callable[[], bytes]


def _bits() -> NDArray[np.uint16]:
    """The canary's bits, each byte from the highest, over and over: one for each pixel."""
    return np.resize(np.unpackbits(np.frombuffer(CANARY, np.uint8)), SIDE * SIDE).astype(np.uint16)


def native(pixels: bytes, **attributes: Any) -> bytes:
    """An uncompressed instance of `SIDE` by `SIDE` pixels."""
    ds = dataset(Rows=SIDE, Columns=SIDE, **attributes)
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        setattr(ds, name, "1.2.3")
    ds.PatientID = "4711"
    ds.add_new(0x7FE00010, "OW" if ds.BitsAllocated > 8 else "OB", pixels)
    return encoded(ds, EXPLICIT)


_TWELVE = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}


def _plane(bit: int, **attributes: Any) -> bytes:
    picture = np.arange(SIDE * SIDE, dtype=np.uint16) % 4096
    shift = attributes.get("HighBit", 11) - 11
    return native(((picture << shift) | (_bits() << bit)).tobytes(), **(_TWELVE | attributes))


def _embedded_overlay(bit: int) -> bytes:
    """A plane of PS3.5 as it was before 2004: in an unused bit of the pixels."""
    ds = {"OverlayRows": SIDE, "OverlayColumns": SIDE, "OverlayType": "G", "OverlayOrigin": [1, 1]}
    elements = {0x60000010: ("US", SIDE), 0x60000011: ("US", SIDE), 0x60000040: ("CS", ds["OverlayType"])}
    elements |= {0x60000050: ("SS", [1, 1]), 0x60000100: ("US", 16), 0x60000102: ("US", bit)}
    return _with(elements, (np.arange(SIDE * SIDE, dtype=np.uint16) % 4096 | _bits() << bit).tobytes(), **_TWELVE)


def _with(elements: dict[int, tuple[str, Any]], pixels: bytes = bytes(SIDE * SIDE), **attributes: Any) -> bytes:
    ds = dataset(Rows=SIDE, Columns=SIDE, PatientID="4711", **attributes)
    ds.StudyInstanceUID = ds.SeriesInstanceUID = "1.2.3"
    for tag, (vr, value) in elements.items():
        ds.add_new(tag, vr, value)
    ds.add_new(0x7FE00010, "OW" if ds.BitsAllocated > 8 else "OB", pixels)
    return encoded(ds, EXPLICIT)


def _overlay(group: int, element: int, vr: str, value: Any) -> bytes:
    top = group << 16
    plane = {top | 0x10: ("US", 8), top | 0x11: ("US", 16), top | 0x40: ("CS", "G"), top | 0x50: ("SS", [1, 1])}
    plane |= {top | 0x100: ("US", 1), top | 0x102: ("US", 0), top | 0x3000: ("OW", bytes(16))}
    return _with(plane | {top | element: (vr, value)})


def _icon(nested: bool) -> bytes:
    icon = Dataset()
    icon.SamplesPerPixel, icon.PhotometricInterpretation, icon.Rows, icon.Columns = 1, "MONOCHROME2", 1, len(CANARY)
    icon.BitsAllocated, icon.BitsStored, icon.HighBit, icon.PixelRepresentation = 8, 8, 7, 0
    icon.PixelData = CANARY
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.9"
    item.IconImageSequence = [icon]
    return _with({0x00081140: ("SQ", [item])} if nested else {0x00880200: ("SQ", [icon])})


def coded(stream: bytes, sample: Sample, *, value: bytes | None = None, **more: Any) -> bytes:
    """An instance with one frame, ``stream``; or with all of ``value`` as its pixel data."""
    like = sample.layout
    ds = dataset(
        Rows=like.rows, Columns=like.columns, SamplesPerPixel=like.samples, BitsAllocated=like.allocated,
        PhotometricInterpretation=like.photometric, BitsStored=like.stored, HighBit=like.high_bit,
        PixelRepresentation=int(like.signed), PatientID="4711", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3",
        PlanarConfiguration=0 if like.samples > 1 else None,
    )  # fmt: skip
    if not sample.exact:
        ds.LossyImageCompression = "01"
    for keyword, element in more.items():
        setattr(ds, keyword, element)
    ds.PixelData = encapsulate([stream]) if value is None else value
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return encoded(ds, sample.uid)


def _item(body: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body


def _extended(which: int) -> bytes:
    """Offsets and lengths of a table that nothing has to read: eight bytes a frame, the canary in them."""
    sample = of("4.80-grey")
    value, offsets, lengths = encapsulate_extended([sample.stream])
    tables = [offsets, lengths]
    tables[which] = tables[which][:4] + CANARY[:4] + CANARY[4:]
    return coded(b"", sample, value=value, ExtendedOffsetTable=tables[0], ExtendedOffsetTableLengths=tables[1])


def _rle(plant: Callable[[bytes], bytes]) -> bytes:
    sample = of("5-deep")
    return coded(plant(sample.stream), sample)


def _slack(number: int) -> Callable[[bytes], bytes]:
    def plant(stream: bytes) -> bytes:
        fields, segments = parts(stream)
        segments[number] += CANARY
        return joined(fields, segments)

    return plant


def _unused_fields(stream: bytes) -> bytes:
    fields, _ = parts(stream)
    return HEADER.pack(*fields)[:-12] + CANARY + stream[64:]


def _in_code_streams() -> Iterator[tuple[str, Channel]]:
    for name, sample in (("JPEG", of("4.50-grey")), ("JPEG lossless", of("4.70-grey")), ("JPEG-LS", of("4.80-grey"))):
        for channel, plant in JPEG.items():
            yield f"{name}: {channel}", partial(coded, plant(sample.stream), sample)
    for name, sample in (("JPEG 2000", of("4.90-grey")), ("HTJ2K", of("4.201-grey"))):
        for channel, plant in J2K.items():
            yield f"{name}: {channel}", partial(coded, plant(sample.stream), sample)
    sample = of("4.110-grey")
    yield "JPEG XL: behind the end", partial(coded, sample.stream + CANARY, sample)
    front = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    for kind in (b"Exif", b"xml ", b"jumb"):
        file = front + box(b"jxlc", sample.stream) + box(kind, CANARY)
        yield f"JPEG XL: box {kind.decode()}", partial(coded, file, sample)
    for uid, name in ((PLAIN, "frames without compression"), (DEFLATED_FRAMES, "deflated frames")):
        sample = next(s for s in (of(f"{uid[len(PREFIX) :]}-grey"),))
        yield f"{name}: behind the frame", partial(coded, sample.stream + CANARY, sample)
    sample = of("8.1-grey")
    longer = zlib.compressobj(wbits=-15)
    stream = longer.compress(sample.frame.tobytes() + CANARY) + longer.flush()
    yield "deflated frames: inflates to more than a frame", partial(coded, stream, sample)


def _around_fragments() -> Iterator[tuple[str, Channel]]:
    sample = of("4.80-grey")
    stream = sample.stream + b"\0" * (len(sample.stream) % 2)
    one = _item(stream)
    yield "offset table: entries of nobody", partial(coded, b"", sample, value=_item(bytes(4) + CANARY) + one)
    yield "offset table: an offset", partial(coded, b"", sample, value=_item(CANARY) + one)
    yield "a fragment more", partial(coded, b"", sample, value=_item(b"") + one + _item(CANARY))
    yield "a frame more", partial(coded, b"", sample, value=_item(b"") + one + _item(stream[:-2] + CANARY))
    yield "extended offset table", partial(_extended, 0)
    yield "extended offset table: lengths", partial(_extended, 1)


def channels() -> Iterator[tuple[str, Channel]]:
    """Name → file."""
    for bit in range(12, 16):
        yield f"bit {bit} above 12 stored ones", partial(_plane, bit)
        yield f"bit {bit} above 12 stored ones with a sign", partial(_plane, bit, PixelRepresentation=1)
        yield f"bit {bit} of an overlay in the pixels", partial(_embedded_overlay, bit)
    for bit in range(4):
        yield f"bit {bit} below 12 stored ones", partial(_plane, bit, HighBit=15)
    yield "behind the last pixel", partial(native, bytes(SIDE * SIDE) + CANARY)
    yield "behind the last pixel of 16 bits", partial(native, bytes(2 * SIDE * SIDE) + CANARY, **_TWELVE)
    yield "behind the last plane", partial(
        native, bytes(3 * SIDE * SIDE) + CANARY, SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=1,
    )  # fmt: skip
    frames = {"NumberOfFrames": 2}
    yield "a frame more than said", partial(native, bytes(2 * SIDE * SIDE) + CANARY * 150, **frames)
    for group in (0x6000, 0x601E):
        yield f"overlay plane {group:04X}", partial(_overlay, group, 0x3000, "OW", CANARY + bytes(4))
    yield "overlay description", partial(_overlay, 0x6000, 0x22, "LO", CANARY.decode())
    yield "overlay label", partial(_overlay, 0x6000, 0x1500, "LO", CANARY.decode())
    yield "overlay comments", partial(_overlay, 0x6000, 0x4000, "LT", CANARY.decode())
    yield "curve", partial(_with, {0x50003000: ("OW", CANARY)})
    yield "icon", partial(_icon, False)
    yield "icon of a reference", partial(_icon, True)
    yield "private thumbnail", partial(_with, {0x00290010: ("LO", "SOME MAKER"), 0x00291010: ("OB", CANARY)})
    yield "trailing padding", partial(_with, {0xFFFCFFFC: ("OB", CANARY)})
    yield "RLE: behind a segment", partial(_rle, _slack(0))
    yield "RLE: behind the last segment", partial(_rle, _slack(-1))
    yield "RLE: unused fields", partial(_rle, _unused_fields)
    yield from _around_fragments()
    yield from _in_code_streams()
