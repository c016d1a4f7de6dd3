"""What an output and the report say of it, held against what is so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.assembly import Output
from proxy.deid.part10 import read_part10
from proxy.deid.profile import Policy
from proxy.deid.said import Said, check_markers, check_report
from proxy.deid.types import Report
from proxy.deid.view import view_of
from proxy.errors import InstanceHeld, Reason

CT = "1.2.840.10008.5.1.4.1.1.2"
METHOD_CODES, PATIENT_ID = 0x00120064, 0x00100020


def code(value: str) -> Dataset:
    found = Dataset()
    found.CodeValue, found.CodingSchemeDesignator, found.CodeMeaning = value, "DCM", "x"
    return found


def stated(make: ModuleType, policy: Policy, change: Callable[[Dataset], Any] = lambda ds: None) -> tuple[Said, Output]:
    """What an output says of itself, after ``change``."""
    ds = make.dataset(
        PatientIdentityRemoved="YES", LongitudinalTemporalInformationModified="REMOVED", Modality="CT",
        DeidentificationMethodCodeSequence=[code("113100 ")], StudyDate="20240215",
    )  # fmt: skip
    change(ds)
    data = memoryview(make.encode(ds))
    syntax = policy.transfer_syntaxes[make.EXPLICIT_LITTLE]
    view = view_of(data, read_part10(data).dataset_offset, syntax, policy)
    return Said(view), Output(CT, "1.2.3.4", syntax, view, ())


def wrong(make: ModuleType, change: Callable[[Dataset], Any] = lambda ds: None, policy: Policy | None = None) -> int:
    """The tag for which an output is refused, 0 where it is not."""
    policy = policy or make.optioned()
    said, output = stated(make, policy, change)
    try:
        check_markers(said, said.methods(), output, policy)
    except InstanceHeld as held:
        return (held.tag or 0) if held.reason is Reason.ELEMENT_NOT_ALLOWED else -1
    return 0


def put(keyword: str, value: Any) -> Callable[[Dataset], Any]:
    return lambda ds: setattr(ds, keyword, value)


def gone(keyword: str) -> Callable[[Dataset], Any]:
    return lambda ds: delattr(ds, keyword)


@pytest.mark.parametrize(
    ("change", "tag"),
    [
        (lambda ds: None, 0), (put("PatientIdentityRemoved", "NO"), 0x00120062),
        (gone("PatientIdentityRemoved"), 0x00120062), (put("PatientIdentityRemoved", ""), 0x00120062),
        (put("LongitudinalTemporalInformationModified", "MODIFIED"), 0x00280303),
        (gone("LongitudinalTemporalInformationModified"), 0x00280303),
        (put("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4"), 0x00080016), (put("SOPInstanceUID", "1.2.3.5"), 0x00080018),
        (gone("SOPInstanceUID"), 0x00080018), (gone("PatientID"), PATIENT_ID), (put("PatientID", ""), PATIENT_ID),
        (put("PatientID", " "), PATIENT_ID), (gone("DeidentificationMethodCodeSequence"), METHOD_CODES),
        (put("DeidentificationMethodCodeSequence", [code("113101")]), METHOD_CODES),
        (put("DeidentificationMethodCodeSequence", [code("113101"), code("113100")]), 0),
        (put("EncryptedAttributesSequence", []), 0x04000500),
        (put("EncryptedAttributesSequence", [Dataset()]), 0x04000500),
    ],
)  # fmt: skip
def test_markers(make: ModuleType, change: Callable[[Dataset], Any], tag: int) -> None:
    """PS3.15 E.1.1, E.2: identity removed, how, and what became of dates; (0012,0064) may say more than the profile."""
    assert wrong(make, change) == tag


def envelope(*contents: bytes) -> list[Dataset]:
    items = []
    for content in contents:
        each = Dataset()
        each.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2.1"
        if content:
            each.EncryptedContent = content
        items.append(each)
    return items


@pytest.mark.parametrize(
    ("contents", "there", "fine"),
    [
        ((b"DER1",), True, True), ((), True, False), ((), False, False), ((b"",), True, False),
        ((b"DER1", b"DER2"), True, False), ((b"DER1", b""), True, False),
    ],
)  # fmt: skip
def test_one_envelope_where_there_are_recipients(
    make: ModuleType, contents: tuple[bytes, ...], there: bool, fine: bool
) -> None:
    recipients: Any = (object(),)
    policy = dataclasses.replace(make.optioned(), recipients=recipients)
    change = put("EncryptedAttributesSequence", envelope(*contents)) if there else (lambda ds: None)
    assert wrong(make, change, policy) == (0 if fine else 0x04000500)
    if there:
        assert wrong(make, change) == 0x04000500, "nobody asked for it"


SAYS: dict[str, Any] = {
    "sop_class_uid": CT, "sop_instance_uid": "1.2.3.4", "patient_id": "4711", "study_instance_uid": "1.2.3",
    "series_instance_uid": "1.2.3.1", "study_date": "20240215", "modality": "CT",
}  # fmt: skip


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.parametrize("value", ["", "else", "472"])
def test_a_report_says_what_the_output_says(make: ModuleType, name: str, value: str) -> None:
    """Of date and modality it may be silent, of identity not."""
    policy = make.optioned()
    said, _ = stated(make, policy)
    result, _ = make.run(make.encode(make.dataset()), policy)
    report: Any = result.report
    right: Report = dataclasses.replace(report, **SAYS)
    check_report(said, right)
    asked: Report = dataclasses.replace(report, **{**SAYS, name: value})
    if not value and name in ("study_date", "modality"):
        check_report(said, asked)
        return
    with pytest.raises(InstanceHeld) as held:
        check_report(said, asked)
    assert held.value.reason is Reason.ENGINE_ERROR


def test_a_text_is_read_without_padding_and_to_a_length(make: ModuleType) -> None:
    said, _ = stated(make, make.optioned(), put("PatientComments", "x" * 200))
    assert said.text(0x00104000) == "x" * 128
    assert said.text(0x0020000D) == "1.2.3"
    assert said.text(METHOD_CODES) == said.text(0x00080070) == ""
    assert said.methods() == {b"113100"}
    assert stated(make, make.optioned(), put("DeidentificationMethodCodeSequence", [Dataset()]))[0].methods() == set()
