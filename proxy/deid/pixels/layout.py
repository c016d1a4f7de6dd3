"""Reads the Image Pixel, Multi-frame and Floating Point Image Pixel modules (PS3.3 C.7.6.3, C.7.6.6, C.7.6.24).

Strict: what is missing, or does not fit together, or has no single reading in its transfer syntax (PS3.5 8.1, 8.2,
Annex A) raises `InstanceHeld` with `PIXELS_UNREADABLE`. Nothing is decoded here and no pixel is looked at. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.level import Level
from proxy.deid.pixels.display import Display, display_of
from proxy.deid.pixels.header import Header, unreadable
from proxy.deid.pixels.palette import DESCRIPTORS, first_mapped, palette_of
from proxy.deid.pixels.plan import Layout
from proxy.deid.tables import TransferSyntax

FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA = 0x7FE00008, 0x7FE00009, 0x7FE00010
_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS, _ALLOCATED, _STORED = 0x00280010, 0x00280011, 0x00280100, 0x00280101
_HIGH_BIT, _REPRESENTATION, _PADDING = 0x00280102, 0x00280103, 0x00280120
#: pixel data → kind, its VR, Bits Allocated, its padding value and the VR of that
_KINDS = {
    FLOAT_PIXEL_DATA: ("float", "OF", 32, 0x00280122, "FL"),
    DOUBLE_FLOAT_PIXEL_DATA: ("double", "OD", 64, 0x00280123, "FD"),
}


@dataclass(frozen=True, slots=True)
class _Photometric:
    """What PS3.3 C.7.6.3.1.2 says of one photometric interpretation. Others (HSV, ARGB, CMYK: retired) are refused."""

    samples: int
    #: may be in native pixel data
    native: bool = True


_PHOTOMETRICS = {
    "MONOCHROME1": _Photometric(1),
    "MONOCHROME2": _Photometric(1),
    "PALETTE COLOR": _Photometric(1),
    "RGB": _Photometric(3),
    "YBR_FULL": _Photometric(3),
    "YBR_FULL_422": _Photometric(3),
    "YBR_PARTIAL_422": _Photometric(3),
    "YBR_ICT": _Photometric(3, native=False),
    "YBR_RCT": _Photometric(3, native=False),
    "XYB": _Photometric(3, native=False),
}
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_ALLOCATIONS = frozenset({1, 8, 16, 32})
#: transfer syntaxes whose fragments hold native frames: deflated, and as they are
_NATIVE_FRAMES = frozenset({"1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"})


class _Light:
    """The display of a grey image, read when it is first asked for."""

    __slots__ = ("_found", "_header", "_signed")

    def __init__(self, header: Header, signed: bool) -> None:
        self._header, self._signed = header, signed
        self._found: Display | None = None

    def __call__(self) -> Display:
        if self._found is None:
            self._found = display_of(self._header, signed=self._signed)
        return self._found


def layout_of(root: Level, syntax: TransferSyntax, tag: int, vr: str) -> Layout:
    """The layout of the pixel data ``tag``, written with ``vr`` ("" in implicit VR), of the data set ``root``."""
    header = Header(root, syntax.little)
    if tag in _KINDS:
        return _floating(header, syntax, tag, vr)
    if vr not in ("", "OB", "OW"):
        raise unreadable("pixel data with a VR that it cannot have", PIXEL_DATA)
    allocated, stored, high_bit, signed = _bits(header)
    samples, photometric = _colours(header, signed, native=_is_native(syntax))
    if allocated == 1 and samples != 1:
        raise unreadable("single-bit samples in colour", _ALLOCATED)
    rows, columns, frames = _extent(header)
    if photometric.endswith("_422") and _is_native(syntax) and columns % 2:
        raise unreadable("an odd number of columns where two share their chrominance", _COLUMNS)
    palette = palette_of(header, signed=signed) if photometric == "PALETTE COLOR" else (None, 0)
    grey = photometric in _GREY
    layout = Layout(
        rows, columns, frames, samples, _planar(header, samples, photometric, syntax), allocated, stored, high_bit,
        signed, photometric, little=syntax.little, words=vr != "OB", lut=palette[0], first_mapped=palette[1],
        coloured=first_mapped(header, signed=signed) if grey and DESCRIPTORS[0] in root else None,
        light=_Light(header, signed) if grey else Display,
        padding=_padding(header, stored, signed),
        native=_is_native(syntax),
    )  # fmt: skip
    _check_overlays(header, layout)
    return layout


def _is_native(syntax: TransferSyntax) -> bool:
    return syntax.handling == "native" or syntax.uid in _NATIVE_FRAMES


def _floating(header: Header, syntax: TransferSyntax, tag: int, vr: str) -> Layout:
    """PS3.3 C.7.6.24, C.7.6.25: one sample, no bits but those allocated; never compressed."""
    kind, known, bits, padding, padding_vr = _KINDS[tag]
    if vr not in ("", known) or syntax.handling != "native":
        raise unreadable("floating point pixel data in another form than PS3.5 gives it", tag)
    if header.word(_SAMPLES) != 1 or header.code(_PHOTOMETRIC) != "MONOCHROME2" or header.word(_ALLOCATED) != bits:
        raise unreadable("floating point pixel data that is not as PS3.3 says", tag)
    rows, columns, frames = _extent(header)
    return Layout(
        rows, columns, frames, 1, 0, bits, bits, bits - 1, True, "MONOCHROME2", kind=kind, little=syntax.little,
        words=False, padding=header.real(padding, padding_vr), light=_Light(header, True),
    )  # fmt: skip


def _extent(header: Header) -> tuple[int, int, int]:
    """Rows, columns, frames; all of them at least 1."""
    rows, columns, frames = header.word(_ROWS), header.word(_COLUMNS), header.count(_FRAMES, 1)
    for tag, number in ((_ROWS, rows), (_COLUMNS, columns), (_FRAMES, frames)):
        if number < 1:
            raise unreadable("an image without pixels", tag)
    return rows, columns, frames


def _bits(header: Header) -> tuple[int, int, int, bool]:
    """Bits Allocated, Bits Stored, High Bit and whether samples are signed (PS3.5 8.1.1)."""
    allocated, stored, high_bit = header.word(_ALLOCATED), header.word(_STORED), header.word(_HIGH_BIT)
    representation = header.word(_REPRESENTATION)
    if allocated not in _ALLOCATIONS:
        raise unreadable("samples of a size that no reader here knows", _ALLOCATED)
    if not 1 <= stored <= allocated:
        raise unreadable("more bits stored than allocated, or none", _STORED)
    if not stored - 1 <= high_bit < allocated:
        raise unreadable("the stored bits do not lie in the allocated ones", _HIGH_BIT)
    if representation not in (0, 1) or (representation and stored == 1):
        raise unreadable("samples neither signed nor unsigned", _REPRESENTATION)
    return allocated, stored, high_bit, bool(representation)


def _colours(header: Header, signed: bool, *, native: bool) -> tuple[int, str]:
    """Samples per Pixel and Photometric Interpretation."""
    samples, name = header.word(_SAMPLES), header.code(_PHOTOMETRIC)
    known = _PHOTOMETRICS.get(name)
    if known is None:
        raise unreadable("a photometric interpretation that is missing or that nothing here can blank", _PHOTOMETRIC)
    if known.samples != samples:
        raise unreadable("samples per pixel and photometric interpretation do not agree", _SAMPLES)
    if native and not known.native:
        raise unreadable("a photometric interpretation that only compressed pixel data has", _PHOTOMETRIC)
    if signed and samples > 1:
        raise unreadable("signed samples of colour", _REPRESENTATION)
    return samples, name


def _planar(header: Header, samples: int, photometric: str, syntax: TransferSyntax) -> int:
    """Planar Configuration (PS3.3 C.7.6.3.1.3); RLE and most codecs have an order of their own."""
    if samples == 1:
        return 0
    planar = header.word(_PLANAR, None if _is_native(syntax) else 0)
    if planar not in (0, 1) or (planar and photometric.endswith("_422")):
        raise unreadable("samples in no order that PS3.3 knows", _PLANAR)
    return planar


def _padding(header: Header, stored: int, signed: bool) -> int | None:
    """Pixel Padding Value; None where it could not be stored: then no pixel has it."""
    found = header.words(_PADDING, signed=signed)
    low, high = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    return found[0] if found is not None and low <= found[0] <= high else None


def _check_overlays(header: Header, layout: Layout) -> None:
    """An overlay in the pixels (retired) must lie in bits that are not stored: those are cleared, samples are not."""
    for group in range(0x6000, 0x6020, 2):
        base = group << 16
        if base | 0x0010 not in header.level or base | 0x3000 in header.level or header.word(base | 0x0100, 1) == 1:
            continue
        position = header.word(base | 0x0102)
        if layout.shift <= position <= layout.high_bit or position >= layout.allocated:
            raise unreadable("an overlay in bits that samples are stored in", base | 0x0102)
