"""What happens to pixels, decided by the header: by the SOP class table, by what the instance says, by the profile."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.pixels.burned_in import decide
from proxy.deid.pixels.plan import Area, Box, Decision
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile

TABLE = Path(__file__).parents[3] / "rules" / "standard" / "sop-classes-burned-in-risk.csv"
ROWS = [row for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()) if row["sop_class_uid"][0] == "1"]
ALWAYS = {"document": Reason.ENCAPSULATED_DOCUMENT}
ALWAYS |= dict.fromkeys(("voice", "opaque", "out-of-scope"), Reason.UNSUPPORTED_CONTENT)
BASE = "1.2.840.10008.5.1.4.1.1."
CT, MR, US, XA, DX, SC = BASE + "2", BASE + "4", BASE + "6.1", BASE + "12.1", BASE + "1.1", BASE + "7"
PHOTO, SLIDE, SEGMENTATION, RT_IMAGE, SR = (BASE + end for end in ("77.1.4", "77.1.6", "66.4", "481.1", "88.11"))
MPEG2, JPEG_LOSSLESS, JPEG_BASELINE = (f"1.2.840.10008.1.2.4.{end}" for end in ("100", "70", "50"))
ORIGINAL, DERIVED = ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "MPR"]
ON: dict[str, Any] = {"text": {"high": "full", "medium": "full", "low": "screen"}, "faces": "forward"}
RULE = {
    "name": "cart",
    "match": {"ManufacturerModelName": "Cart"},
    "sizes": {"64x48": {"blank": [[0, 0, 64, 8]]}},
}


POLICIES: dict[str, Policy] = {}


def policy(make: ModuleType, pixels: dict[str, Any], uninspected: str = "hold", *rules: dict[str, Any]) -> Policy:
    key = repr((pixels, uninspected, rules))
    if key not in POLICIES:
        POLICIES[key] = _policy(make, pixels, uninspected, *rules)
    return POLICIES[key]


def _policy(make: ModuleType, pixels: dict[str, Any], uninspected: str, *rules: dict[str, Any]) -> Policy:
    document = {**load_profile("basic"), "pixels": {**pixels, **({"devices": ["ours"]} if rules else {})}}
    known = {"ours": {"version": 1, "name": "ours", "rules": list(rules)}}
    spec = PolicySpec("research", document, make.KEY, uninspected_pixels=uninspected, pixel_rules=known)
    return compile_policy(make.tables(), spec)


def image(make: ModuleType, sop_class: str = CT, **said: Any) -> Dataset:
    ds: Dataset = make.dataset(sop_class, Rows=48, Columns=64)
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    return ds


def decided(make: ModuleType, under: Policy, ds: Dataset, syntax: str | None = None) -> Decision | Reason:
    instance = read_instance(memoryview(make.encode(ds, make.EXPLICIT_LITTLE)), under)
    uid = syntax or make.EXPLICIT_LITTLE
    try:
        return decide(instance.root, under.sop_classes[str(ds.SOPClassUID)], under.transfer_syntaxes[uid], under)
    except InstanceHeld as held:
        return held.reason


def look(make: ModuleType, ds: Dataset, pixels: dict[str, Any] | None = None, uninspected: str = "hold") -> str:
    found = decided(make, policy(make, pixels or ON, uninspected), ds)
    return found.look if isinstance(found, Decision) else str(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["sop_class_uid"])
def test_every_sop_class_leaves_looked_at_or_not_at_all(make: ModuleType, row: dict[str, str]) -> None:
    """With reading on no image of high risk is passed unseen; with reading off none leaves, unless forwarded."""
    kinds, default = set(row["risk_kinds"].split(";")), row["suggested_default"]
    ds = image(make, row["sop_class_uid"], ImageType=ORIGINAL)
    always = next((reason for kind, reason in ALWAYS.items() if kind in kinds), None)
    always = always or (Reason.UNSUPPORTED_CONTENT if default == "reject" else None)
    read, blind, forwarded = (
        decided(make, policy(make, {**ON, "text": text}, word), ds)
        for text, word in (("full", "hold"), ("off", "hold"), ("off", "forward"))
    )
    if always:
        assert read is blind is forwarded is always
        return
    pictures = bool(kinds & {"burned-in", "label-image"})
    if pictures or default == "inspect-head":
        assert isinstance(read, Decision)
        assert read.look == "full"
    risky = pictures and row["risk"] == "high"
    if risky or default in ("reject-or-clean", "quarantine"):
        assert blind is Reason.PIXELS_UNINSPECTED
    assert isinstance(forwarded, Decision)
    assert forwarded.look == "no"


def test_the_table_has_every_storage_sop_class_that_the_libraries_know() -> None:
    from pydicom._uid_dict import UID_dictionary

    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and entry[0].endswith("Storage")}
    missing = known - {row["sop_class_uid"] for row in ROWS}
    assert {UID_dictionary[uid][0] for uid in missing} <= {
        "Media Creation Management SOP Class UID", "Media Storage Directory Storage",
        "Stored Print Storage SOP Class (Retired)",
        "Hardcopy Grayscale Image Storage SOP Class (Retired)", "Hardcopy Color Image Storage SOP Class (Retired)",
    }  # fmt: skip


# hazard: BurnedInAnnotation NO is often wrong, and is no reason to skip (pixels.md 9)


@pytest.mark.parametrize("sop_class", [US, SC, XA, DX, CT])
def test_burned_in_annotation_no_does_not_lower_a_risk(make: ModuleType, sop_class: str) -> None:
    without, stated = (look(make, image(make, sop_class, **said)) for said in ({}, {"BurnedInAnnotation": "NO"}))
    assert stated == without == "full"


@pytest.mark.parametrize("value", ["YES", "MAYBE", "N O"])
def test_burned_in_annotation_demands_a_reading(make: ModuleType, value: str) -> None:
    ds = image(make, ImageType=ORIGINAL, BurnedInAnnotation=value)
    found = decided(make, policy(make, ON), ds)
    assert isinstance(found, Decision)
    assert (found.look, found.insist) == ("full", True)
    assert decided(make, policy(make, {**ON, "burned_in": "hold"}), ds) is Reason.BURNED_IN


@pytest.mark.parametrize("uninspected", ["hold", "forward"])
def test_burned_in_annotation_is_never_forwarded_unseen(make: ModuleType, uninspected: str) -> None:
    ds = image(make, BurnedInAnnotation="YES", ImageType=ORIGINAL)
    assert decided(make, policy(make, {"text": "off"}, uninspected), ds) is Reason.BURNED_IN
    assert decided(make, policy(make, ON, uninspected), ds, MPEG2) is Reason.BURNED_IN
    assert decided(make, policy(make, ON, uninspected), make.dataset(BurnedInAnnotation="YES")) is Reason.BURNED_IN


# hazard: the unknown device of a risky class is not forwarded unseen


@pytest.mark.parametrize("sop_class", [US, SC, XA])
def test_an_unknown_device_of_a_risky_class(make: ModuleType, sop_class: str) -> None:
    ds = image(make, sop_class, ImageType=ORIGINAL)
    assert look(make, ds) == "full"
    assert look(make, ds, {"text": "screen"}) == "full", "a screen is too coarse for a risky class"
    assert look(make, ds, {"text": "off"}) == "pixels-uninspected"
    assert look(make, ds, {"text": "off"}, "forward") == "no"


def test_with_reading_on_forward_does_not_mean_unseen(make: ModuleType) -> None:
    assert look(make, image(make, US), ON, "forward") == "full"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"ImageType": ORIGINAL}, "screen"),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, "screen"),
        ({}, "full"),
        ({"ImageType": DERIVED}, "full"),
        ({"ImageType": ["DERIVED", "PRIMARY", "MPR"]}, "full"),
        ({"ImageType": ["ORIGINAL", "SECONDARY"]}, "full"),
        ({"ImageType": ["MIXED", "PRIMARY"]}, "full"),
        ({"ImageType": [*ORIGINAL, "SCREEN SAVE"]}, "full"),
        ({"ImageType": [*ORIGINAL, "DOSE_INFO"]}, "full"),
        ({"ImageType": ORIGINAL, "ConversionType": "WSD"}, "full"),
        ({"ImageType": ORIGINAL, "ConversionType": "SD"}, "full"),
    ],
    ids=str,
)
@pytest.mark.parametrize("sop_class", [CT, MR, BASE + "128", BASE + "20", BASE + "2.1"])
def test_slices(make: ModuleType, sop_class: str, said: dict[str, Any], expected: str) -> None:
    assert look(make, image(make, sop_class, **said)) == expected


def test_slices_are_kept_where_the_profile_reads_none_of_them(make: ModuleType) -> None:
    words = {**ON, "text": {"high": "full", "low": "off"}}
    assert look(make, image(make, ImageType=ORIGINAL), words) == "no"
    assert look(make, image(make, ImageType=[*ORIGINAL, "SCREEN SAVE"]), words) == "full"


def test_captures_of_slices_are_held_where_nothing_reads(make: ModuleType) -> None:
    off = {"text": "off"}
    assert look(make, image(make, ImageType=DERIVED), off) == "no"
    assert look(make, image(make, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), off) == "pixels-uninspected"
    assert look(make, image(make, ConversionType="SD"), off) == "pixels-uninspected"


def test_an_rt_image_is_made_by_a_workstation(make: ModuleType) -> None:
    off = {"text": "off"}
    assert look(make, image(make, RT_IMAGE, ConversionType="WSD"), off) == "no"
    assert look(make, image(make, RT_IMAGE, ConversionType="SD"), off) == "pixels-uninspected"
    assert look(make, image(make, RT_IMAGE, ConversionType="WSD")) == "full"


def test_computed_pixels_are_not_read(make: ModuleType) -> None:
    assert look(make, image(make, SEGMENTATION)) == "no"
    assert look(make, image(make, BASE + "481.2")) == "no"


def test_pixels_where_none_belong_are_read(make: ModuleType) -> None:
    assert look(make, image(make, SR)) == "full"
    assert look(make, make.dataset(SR)) == "no"


# hazard: video, titles per frame, no codec


def test_video_is_not_looked_into(make: ModuleType) -> None:
    ds = image(make, US)
    assert decided(make, policy(make, ON), ds, MPEG2) is Reason.PIXELS_UNINSPECTED
    found = decided(make, policy(make, ON, "forward"), ds, MPEG2)
    assert isinstance(found, Decision)
    assert found.look == "no"


def test_a_video_of_a_device_with_a_rule_is_not_forwarded_either(make: ModuleType) -> None:
    ds = image(make, US, ManufacturerModelName="Cart")
    assert decided(make, policy(make, ON, "forward", RULE), ds, MPEG2) is Reason.NO_CODEC


# hazard: the label of a slide (pixels.md 8)


@pytest.mark.parametrize("uninspected", ["hold", "forward"])
def test_the_label_of_a_slide_is_held(make: ModuleType, uninspected: str) -> None:
    under = policy(make, ON, uninspected)
    for value in ("LABEL", "OVERVIEW"):
        ds = image(make, SLIDE, ImageType=["ORIGINAL", "PRIMARY", value, "NONE"], SpecimenLabelInImage="NO")
        assert decided(make, under, ds) is Reason.BURNED_IN
    volume = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    labelled = image(make, SLIDE, ImageType=volume, SpecimenLabelInImage="YES")
    assert decided(make, under, labelled) is Reason.BURNED_IN
    assert look(make, image(make, SLIDE, ImageType=volume, SpecimenLabelInImage="NO")) == "screen"
    assert look(make, image(make, SLIDE, ImageType=volume)) == "full"
    thumbnail = ["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"]
    assert look(make, image(make, SLIDE, ImageType=thumbnail, SpecimenLabelInImage="NO")) == "full"


# hazard: overlay planes in unused bits (pixels.md 2)


@pytest.mark.parametrize("group", [0x6000, 0x601E])
def test_an_overlay_in_the_bits_of_the_pixels_is_to_be_cleared(make: ModuleType, group: int) -> None:
    ds = image(make, ImageType=ORIGINAL)
    ds.add_new(group << 16 | 0x0010, "US", 512)
    ds.add_new(group << 16 | 0x0102, "US", 12)
    under = policy(make, ON)
    for syntax in (make.EXPLICIT_LITTLE, JPEG_LOSSLESS):
        found = decided(make, under, ds, syntax)
        assert isinstance(found, Decision)
        assert found.hidden
    assert decided(make, under, ds, JPEG_BASELINE) is Reason.UNSUPPORTED_CONTENT
    ds.add_new(group << 16 | 0x3000, "OW", b"\1\2")
    found = decided(make, under, ds, JPEG_BASELINE)
    assert isinstance(found, Decision)
    assert not found.hidden


@pytest.mark.parametrize("uninspected", ["hold", "forward"])
def test_an_encapsulated_document_in_any_sop_class(make: ModuleType, uninspected: str) -> None:
    ds = image(make, EncapsulatedDocument=b"%PDF")
    assert decided(make, policy(make, ON, uninspected), ds) is Reason.ENCAPSULATED_DOCUMENT


# device rules


def test_a_device_rule_that_covers_needs_no_reading(make: ModuleType) -> None:
    found = decided(make, policy(make, ON, "hold", RULE), image(make, US, ManufacturerModelName="Cart"))
    assert found == Decision(
        (Area(Box(0, 0, 64, 8), "device rule ours/cart"),), "no", "device rule ours/cart", "ours/cart", covered=True
    )


def test_a_device_rule_that_does_not_cover(make: ModuleType) -> None:
    under = policy(make, ON, "hold", {**RULE, "covers": False})
    found = decided(make, under, image(make, US, ManufacturerModelName="Cart"))
    assert isinstance(found, Decision)
    assert (found.look, found.rule, len(found.areas)) == ("full", "", 1)


def test_a_device_rule_also_serves_where_nothing_reads(make: ModuleType) -> None:
    under = policy(make, {"text": "off"}, "hold", RULE)
    assert isinstance(decided(make, under, image(make, US, ManufacturerModelName="Cart")), Decision)
    assert decided(make, under, image(make, US, ManufacturerModelName="Other")) is Reason.PIXELS_UNINSPECTED


def test_a_rule_does_not_answer_for_an_annotation_that_it_does_not_name(make: ModuleType) -> None:
    ds = image(make, US, ManufacturerModelName="Cart", BurnedInAnnotation="YES")
    found = decided(make, policy(make, ON, "hold", RULE), ds)
    assert isinstance(found, Decision)
    assert (found.look, found.insist) == ("full", True)
    naming = {**RULE, "match": {**RULE["match"], "BurnedInAnnotation": "YES"}}  # type: ignore[dict-item]  # a mapping
    found = decided(make, policy(make, ON, "hold", naming), ds)
    assert isinstance(found, Decision)
    assert (found.look, found.insist, found.covered) == ("no", False, True)


@pytest.mark.parametrize("uninspected", ["hold", "forward"])
def test_a_rule_for_another_size_refuses(make: ModuleType, uninspected: str) -> None:
    ds = image(make, US, ManufacturerModelName="Cart", Rows=96)
    assert decided(make, policy(make, ON, uninspected, RULE), ds) is Reason.PIXEL_RULE_MISMATCH


# ultrasound


def region(left: int, top: int, last_column: int, last_row: int) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = 1, 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = last_column, last_row
    return item


def test_everything_outside_ultrasound_regions(make: ModuleType) -> None:
    ds = image(make, US, SequenceOfUltrasoundRegions=[region(4, 8, 63, 47)])
    found = decided(make, policy(make, ON), ds)
    assert isinstance(found, Decision)
    assert {area.box for area in found.areas} == {Box(0, 0, 64, 8), Box(0, 8, 4, 48)}
    assert found.look == "full", "names are typed into regions too"
    off = decided(make, policy(make, {**ON, "ultrasound": "off"}), ds)
    assert isinstance(off, Decision)
    assert off.areas == ()


def test_regions_of_another_size_are_held(make: ModuleType) -> None:
    ds = image(make, US, SequenceOfUltrasoundRegions=[region(4, 8, 639, 479)])
    assert decided(make, policy(make, ON), ds) is Reason.PIXEL_RULE_MISMATCH


# faces


def test_faces_are_held_or_forwarded_and_marked(make: ModuleType) -> None:
    ds = image(make, ImageType=ORIGINAL, BodyPartExamined="HEAD", SliceThickness=1)
    assert decided(make, policy(make, {}), ds) is Reason.FACE
    found = decided(make, policy(make, ON), ds)
    assert isinstance(found, Decision)
    assert found.face
    other = decided(make, policy(make, {}), image(make, ImageType=ORIGINAL, BodyPartExamined="CHEST"))
    assert isinstance(other, Decision)
    assert not other.face


def test_photographs_are_read_and_may_show_a_face(make: ModuleType) -> None:
    ds = image(make, PHOTO)
    assert decided(make, policy(make, {**ON, "faces": "hold"}), ds) is Reason.FACE
    found = decided(make, policy(make, ON), ds)
    assert isinstance(found, Decision)
    assert (found.look, found.face) == ("full", True)
