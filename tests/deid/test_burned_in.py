"""What may leave with its pixels unseen: by the SOP class table, and by what the instance says of itself."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proxy.errors import InstanceHeld, Reason

TABLE = Path(__file__).parents[2] / "rules" / "standard" / "sop-classes-burned-in-risk.csv"
ROWS = [row for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()) if row["sop_class_uid"][0] == "1"]
ALWAYS = {"document": Reason.ENCAPSULATED_DOCUMENT}
ALWAYS |= dict.fromkeys(("voice", "opaque", "out-of-scope"), Reason.UNSUPPORTED_CONTENT)
LOOK = {"quarantine", "quarantine-or-redact", "reject-or-clean", "drop-label-frames"}
CT, US, RT_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.481.1"


def outcome(
    make: ModuleType, pixels: str, sop_class: str = CT, syntax: str | None = None, **said: Any
) -> Reason | None:
    try:
        policy = make.policy("basic", uninspected_pixels=pixels)
        make.run(make.encode(make.dataset(sop_class, **said), syntax or make.EXPLICIT_LITTLE), policy)
    except InstanceHeld as held:
        return held.reason
    return None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["sop_class_uid"])
def test_every_sop_class(make: ModuleType, row: dict[str, str]) -> None:
    kinds, default = set(row["risk_kinds"].split(";")), row["suggested_default"]
    forward, hold = (outcome(make, pixels, row["sop_class_uid"]) for pixels in ("forward", "hold"))
    expected = next((reason for kind, reason in ALWAYS.items() if kind in kinds), None)
    if default == "reject":
        expected = expected or Reason.UNSUPPORTED_CONTENT
    if expected is not None or not make.policy().iod.is_patient_study(row["sop_class_uid"]):
        assert forward is hold is (expected or Reason.UNSUPPORTED_CONTENT)
        return
    assert forward is None
    looked_at = default in LOOK or (default, row["risk"]) == ("inspect", "high")
    assert hold is (Reason.PIXELS_UNINSPECTED if looked_at else None)


def test_the_table_has_every_storage_sop_class_that_the_libraries_know() -> None:
    from pydicom._uid_dict import UID_dictionary

    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and entry[0].endswith("Storage")}
    missing = known - {row["sop_class_uid"] for row in ROWS}
    assert {UID_dictionary[uid][0] for uid in missing} <= {
        "Media Creation Management SOP Class UID", "Media Storage Directory Storage",
        "Stored Print Storage SOP Class (Retired)",
        "Hardcopy Grayscale Image Storage SOP Class (Retired)", "Hardcopy Color Image Storage SOP Class (Retired)",
    }  # fmt: skip


@pytest.mark.parametrize("pixels", ["hold", "forward"])
@pytest.mark.parametrize(
    ("value", "reason"), [("YES", Reason.BURNED_IN), ("MAYBE", Reason.BURNED_IN), ("NO", None), ("", None)]
)
def test_burned_in_annotation_is_never_forwarded(
    make: ModuleType, pixels: str, value: str, reason: Reason | None
) -> None:
    assert outcome(make, pixels, BurnedInAnnotation=value) is reason


def test_burned_in_annotation_no_does_not_lower_a_risk(make: ModuleType) -> None:
    assert outcome(make, "hold", US, BurnedInAnnotation="NO") is Reason.PIXELS_UNINSPECTED


@pytest.mark.parametrize(
    "said",
    [
        {"RecognizableVisualFeatures": "YES"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"ConversionType": "WSD"},
        {"ConversionType": "SD"},
    ],
    ids=str,
)
def test_what_the_instance_says(make: ModuleType, said: dict[str, Any]) -> None:
    assert outcome(make, "hold", **said) is Reason.PIXELS_UNINSPECTED
    assert outcome(make, "forward", **said) is None


def test_an_rt_image_is_made_by_a_workstation(make: ModuleType) -> None:
    assert outcome(make, "hold", RT_IMAGE, ConversionType="WSD") is None
    assert outcome(make, "hold", RT_IMAGE, ConversionType="SD") is Reason.PIXELS_UNINSPECTED


def test_video_is_not_looked_into(make: ModuleType) -> None:
    mpeg2 = "1.2.840.10008.1.2.4.100"
    assert outcome(make, "hold", syntax=mpeg2) is Reason.PIXELS_UNINSPECTED
    assert outcome(make, "forward", syntax=mpeg2) is None


@pytest.mark.parametrize("pixels", ["hold", "forward"])
def test_an_encapsulated_document_in_any_sop_class(make: ModuleType, pixels: str) -> None:
    assert outcome(make, pixels, EncapsulatedDocument=b"%PDF") is Reason.ENCAPSULATED_DOCUMENT


@pytest.mark.parametrize("pixels", ["hold", "forward"])
@pytest.mark.parametrize("group", [0x6000, 0x601E])
def test_an_overlay_in_the_bits_of_the_pixels_is_held(make: ModuleType, pixels: str, group: int) -> None:
    """Removing its group would leave the plane where it is, and 113100 would not be true."""
    ds = make.dataset()
    ds.add_new(group << 16 | 0x0010, "US", 512)
    ds.add_new(group << 16 | 0x0102, "US", 12)
    policy = make.policy("basic", uninspected_pixels=pixels)
    with pytest.raises(InstanceHeld) as held:
        make.run(make.encode(ds), policy)
    assert held.value.reason is Reason.UNSUPPORTED_CONTENT
    ds.add_new(group << 16 | 0x3000, "OW", b"\1\2")
    assert group << 16 | 0x0010 not in make.through(ds, policy)
