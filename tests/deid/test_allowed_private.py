"""Which private elements the gate takes for safe, and the VR by which it judges them."""

from __future__ import annotations

from types import ModuleType

import pytest
from pydicom.dataset import Dataset

from proxy.deid.allowed_private import PrivateRules
from proxy.deid.private import SafePrivate
from proxy.deid.reading import Path

TEXTS, NUMBERS = "CS LO LT SH ST UC UT".split(), "AT DS FD FL IS SL SS SV UL US UV".split()
BYTES, TIMES = "OB OD OF OL OV OW".split(), "DA DT TM".split()
NEVER = "AE PN UR UN".split()
CREATOR, ELEMENT = 0x00110010, 0x00111001


def judged(
    make: ModuleType, stated: str, listed: str | None = None, ds: Dataset | None = None, tag: int = ELEMENT,
    creator: bytes = b"ACME ", path: Path = (), beside: Path = (),
) -> str:  # fmt: skip
    """The VR of an element that states one ("UN": none that is known), after its creator."""
    safe = SafePrivate({} if listed is None else {("ACME", 0x0011, 0x01): listed})
    rules = PrivateRules(safe, make.source(ds if ds is not None else make.dataset(), make.policy()))
    assert rules.judged_by(make.leaf(CREATOR, "LO", creator, beside)) == "LO"
    answer: str = rules.judged_by(make.leaf(tag, stated, b"", path))
    return answer


@pytest.mark.parametrize("kind", [TEXTS, NUMBERS, BYTES, TIMES], ids=" ".join)
def test_a_listed_element_states_a_vr_of_its_kind(make: ModuleType, kind: list[str]) -> None:
    for listed in kind:
        for stated in (*TEXTS, *NUMBERS, *BYTES, *TIMES, "UI", "AS", "SQ", "AE", "PN", "UR"):
            assert judged(make, stated, listed) == (stated if stated in kind else ""), (listed, stated)
        assert judged(make, "UN", listed) == listed, "where it says none, the list does"


def test_what_is_never_safe_whatever_a_list_says(make: ModuleType) -> None:
    for vr in NEVER:
        assert judged(make, vr, vr) == ""
    assert judged(make, "SQ", "SQ") == "SQ"
    assert judged(make, "UN", "SQ") == "", "its items have been looked into by nobody"
    assert judged(make, "UI", "UI") == "UI"
    assert judged(make, "UN", "OB/OW") == "OB"
    assert judged(make, "LO", "") == "LO", "a list may leave the VR out"


def test_without_a_creator_or_a_row_nothing_is_safe(make: ModuleType) -> None:
    assert judged(make, "LO", None) == ""
    assert judged(make, "LO", "LO", creator=b"OTHER") == ""
    assert judged(make, "LO", "LO", tag=0x00111002) == "", "another element"
    assert judged(make, "LO", "LO", tag=0x00111101) == "", "another block"
    assert judged(make, "LO", "LO", tag=0x00131001) == "", "another group"
    assert judged(make, "LO", "LO", tag=0x00110001) == "", "no element of a block"
    assert judged(make, "LO", "LO", path=(0x00081140, 0)) == "", "a creator speaks for its own item"
    assert judged(make, "LO", "LO", path=(0x00081140, 0), beside=(0x00081140, 0)) == "LO"


def test_whose_an_element_is(make: ModuleType) -> None:
    rules = PrivateRules(SafePrivate({}), make.source(make.dataset(), make.policy()))
    for tag in (0x00110010, 0x001100FF):
        assert rules.judged_by(make.leaf(tag, "LO", b"ACME")) == "LO"
        assert rules.creator_of(make.leaf(tag, "LO", b"ACME")) == ""
    assert rules.judged_by(make.leaf(0x0011000F, "LO", b"ACME")) == ""
    for tag in (0x00111000, 0x001110FF, 0x0011FF00):
        assert rules.creator_of(make.leaf(tag, "LO", b"x")) == "ACME"
    assert rules.creator_of(make.leaf(0x00111100, "LO", b"x")) == ""


def declaring(make: ModuleType, vr: str, group: int = 0x0011, element: int = 1, creator: str = "ACME") -> Dataset:
    """An input that says itself which of its private elements are safe (PS3.3 C.12.1)."""
    characteristics, definition = Dataset(), Dataset()
    characteristics.PrivateGroupReference, characteristics.PrivateCreatorReference = group, creator
    characteristics.BlockIdentifyingInformationStatus = "SAFE"
    definition.PrivateDataElement, definition.PrivateDataElementValueRepresentation = element, vr
    characteristics.PrivateDataElementDefinitionSequence = [definition]
    ds: Dataset = make.dataset(PrivateDataElementCharacteristicsSequence=[characteristics])
    return ds


def test_what_the_input_declares_of_itself(make: ModuleType) -> None:
    assert judged(make, "UN", None, declaring(make, "DS")) == "DS"
    assert judged(make, "LO", None, declaring(make, "DS")) == "LO"
    assert judged(make, "LO", None, declaring(make, "DS", creator="OTHER")) == ""
    assert judged(make, "UN", None, declaring(make, "DS", group=0x0013)) == ""
    assert judged(make, "UN", None, declaring(make, "DS", element=2)) == ""
    assert judged(make, "UN", None, declaring(make, "DS", element=0x1001)) == "DS", "the low byte counts"
    assert judged(make, "UN", "LO", declaring(make, "DS")) == "LO", "a list comes before"


def test_a_declaration_makes_no_bytes_safe(make: ModuleType) -> None:
    for vr in BYTES:
        assert judged(make, "UN", None, declaring(make, vr)) == ""
        assert judged(make, vr, None, declaring(make, vr)) == ""


def test_only_the_sequence_for_it_declares(make: ModuleType) -> None:
    ds = declaring(make, "DS")
    outer = Dataset()
    outer.PrivateDataElementCharacteristicsSequence = ds.PrivateDataElementCharacteristicsSequence
    assert judged(make, "UN", None, make.dataset(ReferencedStudySequence=[outer])) == ""
