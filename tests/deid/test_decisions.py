"""What the policy says of one attribute: the row's code, an option's K or C, a word of the profile; and the section."""

from __future__ import annotations

from types import ModuleType

import pytest
from pydicom.datadict import tag_for_keyword

from proxy.deid.decisions import Decider, Decision
from proxy.deid.iod import X_UNLESS_REQUIRED
from proxy.deid.profile import Policy


def tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


def listed(policy: Policy, keyword: str) -> Decision:
    found = Decider(policy).listed(tag(keyword))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("keyword", "code"),
    [
        ("PatientName", "Z"), ("PatientAddress", "X"), ("ContentSequence", "D"), ("SOPInstanceUID", "U"),
        ("InstitutionName", "X/Z/D"), ("SourceImageSequence", "X/Z/U*"), ("StudyDate", "Z"), ("PatientBirthDate", "Z"),
        ("PatientBirthTime", "X"),
    ],
)  # fmt: skip
def test_a_row_without_options(make: ModuleType, keyword: str, code: str) -> None:
    assert listed(make.optioned(), keyword) == Decision(code, f"E.1-1 {code}", "E.2")


def test_x_gives_way_where_an_iod_requires_the_attribute(make: ModuleType) -> None:
    assert listed(make.optioned(), "SeriesDescription") == Decision(X_UNLESS_REQUIRED, "E.1-1 X", "E.2")
    assert listed(make.optioned(), "StudyDescription").action == "X"


def test_masked_rows_and_what_no_row_names(make: ModuleType) -> None:
    decider = Decider(make.optioned())
    for masked in (0x50000005, 0x60003000, 0x601E4000):
        found = decider.listed(masked)
        assert found is not None
        assert found.action == "X"
    assert decider.listed(tag("Rows")) is None
    assert decider.listed(tag("Rows")) is None, "asked again"


@pytest.mark.parametrize("options", [(), ("rtn_uids", "clean_desc")])
def test_attributes_encrypted_upstream_go_whatever_the_profile_says(make: ModuleType, options: tuple[str, ...]) -> None:
    found = listed(make.optioned(*options), "EncryptedAttributesSequence")
    assert (found.action, found.rule, found.section) == ("X", "encrypted attributes from upstream", "E.1.1")


@pytest.mark.parametrize(
    ("options", "keyword", "action", "option", "section"),
    [
        ("rtn_uids", "SOPInstanceUID", "keep_uid", "rtn_uids K", "E.3.9"),
        ("rtn_uids", "ReferencedImageSequence", "R", "rtn_uids K", "E.3.9"),
        ("rtn_dev_id", "DeviceSerialNumber", "keep", "rtn_dev_id K", "E.3.8"),
        ("rtn_dev_id", "DateOfInstallation", "keep_date", "rtn_dev_id K", "E.3.8"),
        ("rtn_dev_id", "TimeOfLastCalibration", "keep_date", "rtn_dev_id K", "E.3.8"),
        ("rtn_dev_id", "CalibrationDateTime", "keep_date", "rtn_dev_id K", "E.3.8"),
        ("rtn_dev_id", "DeviceUID", "keep_uid", "rtn_dev_id K", "E.3.8"),
        ("rtn_dev_id", "NetworkID", "clean_whole", "rtn_dev_id C", "E.3.8"),
        ("rtn_dev_id", "PerformedStationNameCodeSequence", "R", "rtn_dev_id K", "E.3.8"),
        ("rtn_inst_id", "InstitutionName", "keep", "rtn_inst_id K", "E.3.11"),
        ("rtn_pat_chars", "PatientAge", "keep", "rtn_pat_chars K", "E.3.7"),
        ("rtn_pat_chars", "Allergies", "clean", "rtn_pat_chars C", "E.3.7"),
        ("rtn_long_full", "StudyDate", "keep_date", "rtn_long_full K", "E.3.6"),
        ("rtn_long_modif", "StudyDate", "shift", "rtn_long_modif C", "E.3.6"),
        ("rtn_long_modif", "StudyTime", "shift", "rtn_long_modif C", "E.3.6"),
        ("clean_desc", "StudyDescription", "clean", "clean_desc C", "E.3.5"),
        ("clean_desc", "AdmittingDiagnosesCodeSequence", "R", "clean_desc C", "E.3.5"),
        ("clean_desc", "ReasonForTheAttributeModification", "clean_whole", "clean_desc C", "E.3.5"),
        ("clean_struct", "ContentSequence", "content", "clean_struct C", "E.3.4"),
        ("clean_struct", "SpecimenPreparationSequence", "R", "clean_struct C", "E.3.4"),
        ("clean_struct", "WaveformAnnotationSequence", "R", "clean_struct C", "E.3.4"),
        ("clean_graph", "GraphicAnnotationSequence", "R", "clean_graph C", "E.3.3"),
    ],
)  # fmt: skip
def test_what_an_option_makes_of_a_row(
    make: ModuleType, options: str, keyword: str, action: str, option: str, section: str
) -> None:
    """Where its value does not allow it, the row's own code stands."""
    policy = make.optioned(*options.split())
    found = listed(policy, keyword)
    assert (found.action, found.rule, found.section) == (action, f"option {option}", section)
    assert found.otherwise is not None
    assert found.otherwise.rule == f"E.1-1 {policy.code(tag(keyword))}"


@pytest.mark.parametrize(
    ("option", "keyword"),
    [("rtn_long_modif", "CertifiedTimestamp"), ("clean_desc", "MakerNote"), ("rtn_uids", "PatientName")],
)
def test_what_no_option_can_clean(make: ModuleType, option: str, keyword: str) -> None:
    assert listed(make.optioned(option), keyword) == listed(make.optioned(), keyword)


@pytest.mark.parametrize(
    ("option", "dates", "keyword", "action"),
    [
        ("rtn_long_full", {"ages": "keep"}, "StudyDate", "date"),
        ("rtn_long_full", {"ages": "keep"}, "StudyTime", "date"),
        ("rtn_long_modif", {"dates": "month"}, "StudyDate", "date"),
        ("rtn_pat_chars", {"dates": "remove"}, "PatientAge", "date"),
        ("rtn_pat_chars", {"dates": "remove"}, "PatientSex", "keep"),
        ("rtn_long_full", {"ages": "keep"}, "PatientBirthDate", "Z"),
        ("rtn_long_full", {"birth_date": "keep"}, "PatientBirthDate", "date"),
        ("rtn_long_full", {"birth_date": "keep"}, "PatientBirthTime", "date"),
        ("rtn_long_modif", {"dates": "month", "birth_date": "year"}, "PatientBirthDate", "date"),
        ("rtn_long_modif", {"dates": "month", "birth_date": "year"}, "PatientBirthTime", "X"),
        ("rtn_long_full", {"birth_date": "keep"}, "PatientName", "Z"),
    ],
)  # fmt: skip
def test_words_about_dates_take_the_place_of_moving_and_keeping(
    make: ModuleType, option: str, dates: dict[str, str], keyword: str, action: str
) -> None:
    words = {**({"times": "remove", "ages": "remove"} if dates.get("dates") == "remove" else {}), **dates}
    found = listed(make.worded(option, **words), keyword)
    assert found.action == action
    if action == "date" and keyword.startswith("PatientBirth"):
        assert (found.rule, found.section) == (f"profile dates birth_date {words['birth_date']}", "")
