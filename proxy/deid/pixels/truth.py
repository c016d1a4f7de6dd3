"""Attributes that have to change because pixels did: what an image says of itself stays true (PS3.3 C.7.6.1, C.7.6.3).

Works on the elements that the walk made, so nothing is restored that it removed. Without values of the input. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid import dummies
from proxy.deid.encode import Element, Item, Part
from proxy.deid.pixels.plan import Work

IMAGE_TYPE, FRAME_TYPE = 0x00080008, 0x00089007
BURNED_IN_ANNOTATION, RECOGNIZABLE_VISUAL_FEATURES = 0x00280301, 0x00280302
DERIVATION_DESCRIPTION, DERIVATION_CODE_SEQUENCE = 0x00082111, 0x00089215
LOSSY, LOSSY_RATIO, LOSSY_METHOD = 0x00282110, 0x00282112, 0x00282114
PHOTOMETRIC, PLANAR = 0x00280004, 0x00280006
#: functional groups, where Frame Type is
_GROUPS = frozenset({0x52009229, 0x52009230})
#: smallest and largest values of the pixels as they were (PS3.3 C.7.6.3, C.7.5.1)
STATISTICS = (0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280110, 0x00280111)
#: Extended Offset Table and its lengths: of fragments that are no longer those
OFFSETS = (0x7FE00001, 0x7FE00002)
_ENCAPSULATED_TOTAL = 0x7FE00003
DESCRIPTION = b"Burned-in annotation blanked"
RECODED = b"Re-encoded without further loss"
#: PS3.16 CID 7203
_MASK_CODE = dummies.code(b"113047", b"DCM", b"Pixel by pixel mask")
#: PS3.3 C.7.6.1.1.5.1: the method of a lossy transfer syntax that was left
METHODS = {
    "1.2.840.10008.1.2.4.50": b"ISO_10918_1",
    "1.2.840.10008.1.2.4.51": b"ISO_10918_1",
    "1.2.840.10008.1.2.4.81": b"ISO_14495_1",
    "1.2.840.10008.1.2.4.91": b"ISO_15444_1",
    "1.2.840.10008.1.2.4.203": b"ISO_15444_15",
    "1.2.840.10008.1.2.4.112": b"ISO_18181_1",
}
#: what this module may write: the walk hands these over one by one
TAGS = (
    IMAGE_TYPE, FRAME_TYPE, BURNED_IN_ANNOTATION, RECOGNIZABLE_VISUAL_FEATURES, DERIVATION_DESCRIPTION,
    DERIVATION_CODE_SEQUENCE, LOSSY, LOSSY_RATIO, LOSSY_METHOD, PHOTOMETRIC, PLANAR, *STATISTICS, *OFFSETS, 0x7FE00003,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coded:
    """How the pixels are coded now; ``photometric`` is "" and ``planar`` None where they are what they were.

    ``ratio``: native by coded bytes of the input, 0 where it was not lossy.
    """

    photometric: str
    planar: int | None
    ratio: float = 0.0
    #: the fragments moved: offset tables in the header are stale; the new ones, where it had some
    moved: bool = False
    offsets: bytes = b""
    lengths: bytes = b""


def tell(elements: dict[int, Part], work: Work, coded: Coded | None) -> None:
    """Make ``elements`` say what ``work`` did. ``coded`` is None where the coding is what it was."""
    if work.clean:
        _put(elements, Element(BURNED_IN_ANNOTATION, "CS", b"NO"))
    if work.decision.face:
        _put(elements, Element(RECOGNIZABLE_VISUAL_FEATURES, "CS", b"YES"))
    if work.areas:
        _derived(elements)
    if coded is None:
        return
    if coded.moved:
        for tag, value in zip(OFFSETS, (coded.offsets, coded.lengths), strict=True):
            elements.pop(tag, None)
            if value:
                _put(elements, Element(tag, "OV", value))
        elements.pop(_ENCAPSULATED_TOTAL, None)
    if coded.photometric:
        _put(elements, Element(PHOTOMETRIC, "CS", coded.photometric.encode("ascii")))
        elements.pop(PLANAR, None)
    if coded.planar is not None:
        _put(elements, Element(PLANAR, "US", coded.planar.to_bytes(2, "little")))
    if work.recoded:
        _recoded(elements, work, coded)


def _derived(elements: dict[int, Part]) -> None:
    for tag in STATISTICS:
        elements.pop(tag, None)
    _first_value(elements, IMAGE_TYPE)
    for tag in _GROUPS & elements.keys():
        elements[tag] = _frame_types(elements[tag])
    _put(elements, Element(DERIVATION_DESCRIPTION, "ST", DESCRIPTION))
    earlier = elements.get(DERIVATION_CODE_SEQUENCE)
    items = earlier.value if isinstance(earlier, Element) and isinstance(earlier.value, tuple) else ()
    if _MASK_CODE not in items:
        _put(elements, Element(DERIVATION_CODE_SEQUENCE, "SQ", (*items, _MASK_CODE)))


def _recoded(elements: dict[int, Part], work: Work, coded: Coded) -> None:
    if not work.areas:
        _put(elements, Element(DERIVATION_DESCRIPTION, "ST", RECODED))
    method = METHODS.get(work.recoded)
    if method is None:
        return
    if _text(elements.get(LOSSY)) != b"01" or LOSSY_METHOD not in elements:
        # lossy once, lossy for ever (PS3.3 C.7.6.1.1.5); what an earlier step has said of it stays
        _put(elements, Element(LOSSY, "CS", b"01"))
        if LOSSY_RATIO not in elements:
            _put(elements, Element(LOSSY_RATIO, "DS", f"{coded.ratio:.2f}".encode("ascii")))
        if LOSSY_METHOD not in elements:
            _put(elements, Element(LOSSY_METHOD, "CS", method))


def _first_value(elements: dict[int, Part], tag: int) -> None:
    """Value 1 of Image Type or Frame Type becomes DERIVED (PS3.3 C.7.6.1.1.2)."""
    value = _text(elements.get(tag))
    if value:
        rest = value.split(b"\\")[1:]
        elements[tag] = Element(tag, "CS", b"\\".join([b"DERIVED", *rest]))


def _frame_types(part: Part) -> Part:
    if not isinstance(part, Element) or isinstance(part.value, bytes):
        return part
    return part._replace(value=tuple(_frame_type_item(item) for item in part.value))


def _frame_type_item(item: Item) -> Item:
    inner: dict[int, Part] = {part.tag: part for part in item}
    _first_value(inner, FRAME_TYPE)
    return tuple(_frame_types(part) if part.tag != FRAME_TYPE else part for part in inner.values())


def _text(part: Part | None) -> bytes:
    return part.value.strip(b" \0") if isinstance(part, Element) and isinstance(part.value, bytes) else b""


def _put(elements: dict[int, Part], *parts: Element) -> None:
    elements.update((part.tag, part) for part in parts)
