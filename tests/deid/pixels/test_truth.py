"""What an image says of itself after its pixels were changed."""

from __future__ import annotations

import pytest

from proxy.deid.encode import Element, Part
from proxy.deid.level import Run
from proxy.deid.pixels import truth
from proxy.deid.pixels.plan import Area, Box, Work
from proxy.deid.pixels.truth import Coded, tell

BLANKED = Work(areas=(Area(Box(0, 0, 8, 8), "rule:x"),), clean=True)
LOSSY_BASELINE = "1.2.840.10008.1.2.4.50"


def dataset(**values: bytes) -> dict[int, Part]:
    return {getattr(truth, name): Element(getattr(truth, name), "CS", value) for name, value in values.items()}


def value(elements: dict[int, Part], tag: int) -> bytes | None:
    part = elements.get(tag)
    return part.value if isinstance(part, Element) and isinstance(part.value, bytes) else None


def test_nothing_done_says_nothing() -> None:
    elements = dataset(IMAGE_TYPE=b"ORIGINAL\\PRIMARY", BURNED_IN_ANNOTATION=b"YES")
    before = dict(elements)
    tell(elements, Work(), None)
    assert elements == before


def test_a_full_reading_without_a_find_answers_for_the_pixels_and_derives_nothing() -> None:
    elements = dataset(IMAGE_TYPE=b"ORIGINAL\\PRIMARY", BURNED_IN_ANNOTATION=b"YES")
    tell(elements, Work(looked="full", clean=True), None)
    assert value(elements, truth.BURNED_IN_ANNOTATION) == b"NO"
    assert value(elements, truth.IMAGE_TYPE) == b"ORIGINAL\\PRIMARY"


@pytest.mark.parametrize("came", [b"YES", None])
def test_blanked_pixels_make_a_derived_image_without_statistics(came: bytes | None) -> None:
    elements = dataset(IMAGE_TYPE=b"ORIGINAL\\PRIMARY\\AXIAL")
    if came is not None:
        elements |= dataset(BURNED_IN_ANNOTATION=came)
    for tag in truth.STATISTICS:
        elements[tag] = Element(tag, "US", b"\1\0")
    tell(elements, BLANKED, None)
    assert value(elements, truth.IMAGE_TYPE) == b"DERIVED\\PRIMARY\\AXIAL"
    assert value(elements, truth.BURNED_IN_ANNOTATION) == b"NO"
    assert value(elements, truth.DERIVATION_DESCRIPTION) == truth.DESCRIPTION
    assert not elements.keys() & set(truth.STATISTICS)
    code = elements[truth.DERIVATION_CODE_SEQUENCE]
    assert isinstance(code, Element)
    assert b"113047" in [part.value for part in code.value[0] if isinstance(part, Element)]  # type: ignore[index]


def test_blanked_without_an_answer_for_the_rest_claims_nothing() -> None:
    elements = dataset(BURNED_IN_ANNOTATION=b"YES")
    tell(elements, Work(areas=(Area(Box(0, 0, 8, 8), "ultrasound"),)), None)
    assert value(elements, truth.BURNED_IN_ANNOTATION) == b"YES"


def test_a_second_pass_adds_no_second_code() -> None:
    elements: dict[int, Part] = {}
    tell(elements, BLANKED, None)
    tell(elements, BLANKED, None)
    code = elements[truth.DERIVATION_CODE_SEQUENCE]
    assert isinstance(code, Element)
    assert len(code.value) == 1


def test_frame_types_of_an_enhanced_image_are_derived_too() -> None:
    frame_type = Element(truth.FRAME_TYPE, "CS", b"ORIGINAL\\PRIMARY")
    kept = Run(0x00189074, b"kept", 1)
    inner = Element(0x00189329, "SQ", ((frame_type, kept),))
    groups: dict[int, Part] = {0x52009230: Element(0x52009230, "SQ", ((inner,), (inner,)))}
    tell(groups, BLANKED, None)
    found = groups[0x52009230]
    assert isinstance(found, Element)
    for item in found.value:
        assert isinstance(item, tuple)
        sequence = item[0]
        assert isinstance(sequence, Element)
        assert sequence.value == ((Element(truth.FRAME_TYPE, "CS", b"DERIVED\\PRIMARY"), kept),)


def test_offset_tables_of_moved_fragments_are_replaced_or_go() -> None:
    elements: dict[int, Part] = {tag: Element(tag, "OV", b"stale!!!") for tag in truth.OFFSETS}
    tell(elements, Work(cleared=("com",)), Coded("", None, moved=True, offsets=bytes(8), lengths=b"\4" + bytes(7)))
    assert [value(elements, tag) for tag in truth.OFFSETS] == [bytes(8), b"\4" + bytes(7)]
    tell(elements, Work(cleared=("com",)), Coded("", None, moved=True))
    assert not elements


def test_a_lossy_image_that_was_coded_anew_stays_lossy() -> None:
    elements = dataset(PHOTOMETRIC=b"YBR_FULL_422")
    work = Work(areas=(Area(Box(0, 0, 8, 8), "text"),), recoded=LOSSY_BASELINE)
    tell(elements, work, Coded("YBR_FULL", 0, ratio=12.345, moved=True))
    assert value(elements, truth.PHOTOMETRIC) == b"YBR_FULL"
    assert value(elements, truth.LOSSY) == b"01"
    assert value(elements, truth.LOSSY_RATIO) in (b"12.35", b"12.34")
    assert value(elements, truth.LOSSY_METHOD) == b"ISO_10918_1"


def test_what_an_earlier_step_said_of_its_loss_stays() -> None:
    elements = dataset(PHOTOMETRIC=b"RGB", LOSSY=b"01", LOSSY_RATIO=b"7", LOSSY_METHOD=b"ISO_15444_1")
    tell(elements, Work(recoded=LOSSY_BASELINE), Coded("RGB", 0, ratio=12.0))
    assert value(elements, truth.LOSSY_RATIO) == b"7"
    assert value(elements, truth.LOSSY_METHOD) == b"ISO_15444_1"


def test_a_lossless_image_does_not_become_lossy() -> None:
    elements = dataset(PHOTOMETRIC=b"RGB")
    tell(elements, Work(recoded="1.2.840.10008.1.2.4.70"), Coded("RGB", None))
    assert truth.LOSSY not in elements
    assert truth.PLANAR not in elements
