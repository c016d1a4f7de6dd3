"""Whatever the gate has released may pass again; what says that it is not de-identified, or shows it, may not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason

GATE = Gate(bytes(range(32)))
NAMES = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "reportsi.dcm",
    "examples_overlay.dcm",
    "SC_rgb_rle_2frame.dcm",
    "JPEG2000.dcm",
]
FILES = [Path(get_testdata_file(name, download=False)) for name in NAMES]


def released(data: bytes, policy: Policy) -> bytes:
    result = deidentify(memoryview(data), Claimed(), policy)
    GATE.verify(memoryview(data), result, policy)
    return materialise(result.chunks, data)


@pytest.mark.parametrize("profile", ["basic", "research"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_was_released_passes_and_what_came_does_not(make: ModuleType, path: Path, profile: str) -> None:
    policy, data = make.policy(profile, uninspected_pixels="forward", blank_patient_id="per-study"), path.read_bytes()
    out = released(data, policy)
    release, report = GATE.let_pass(memoryview(out), Claimed(), policy, True)
    assert GATE.admits(release, out)
    assert release.size == len(out)
    own = dcmread(io.BytesIO(out), stop_before_pixels=True)
    assert (report.sop_instance_uid, report.patient_id) == (own.SOPInstanceUID, own.PatientID)
    with pytest.raises(InstanceHeld):
        GATE.let_pass(memoryview(data), Claimed(), policy, True)


Change = Callable[[Dataset], None]


def put(**values: Any) -> Change:
    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def private(ds: Dataset) -> None:
    ds.private_block(0x0009, "ACME 1.0", create=True).add_new(1, "LO", "Quastenflosser")


def unknown(ds: Dataset) -> None:
    ds.add_new(0x00181FFE, "LO", "Quastenflosser")


def nested(ds: Dataset) -> None:
    item = Dataset()
    item.PatientAddress = "Quastenflosser"
    ds.ProcedureCodeSequence = Sequence([item])


def no_method(ds: Dataset) -> None:
    del ds.DeidentificationMethodCodeSequence
    del ds.DeidentificationMethod


CHANGES: dict[str, tuple[Change, Reason]] = {
    "not marked": (put(PatientIdentityRemoved="NO"), Reason.IDENTIFIER_REMAINS),
    "no method": (no_method, Reason.IDENTIFIER_REMAINS),
    "burned in": (put(BurnedInAnnotation="YES"), Reason.BURNED_IN),
    "a face": (put(RecognizableVisualFeatures="YES"), Reason.FACE),
    "an address": (put(PatientAddress="Quastenflosser"), Reason.ELEMENT_NOT_ALLOWED),
    "an address in a sequence": (nested, Reason.ELEMENT_NOT_ALLOWED),
    "private": (private, Reason.ELEMENT_NOT_ALLOWED),
    "unknown": (unknown, Reason.ELEMENT_NOT_ALLOWED),
    "a document": (put(EncapsulatedDocument=b"%PDF"), Reason.ELEMENT_NOT_ALLOWED),
}


def changed(make: ModuleType, change: Change) -> bytes:
    ds = dcmread(io.BytesIO(released(make.encode(make.dataset(PatientID="7", Modality="CT")), make.policy("research"))))
    change(ds)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize("name", CHANGES)
def test_one_thing_that_is_wrong_is_enough(make: ModuleType, name: str) -> None:
    change, reason = CHANGES[name]
    data, policy = changed(make, change), make.policy("research")
    with pytest.raises(InstanceHeld) as caught:
        GATE.let_pass(memoryview(data), Claimed(), policy, True)
    assert caught.value.reason is reason
    assert "Quastenflosser" not in str(caught.value)
    GATE.let_pass(memoryview(data), Claimed(), policy, False)  # who answers for it may say so


def test_empty_elements_that_the_profile_removes_tell_nothing(make: ModuleType) -> None:
    data = changed(make, put(PatientAddress="", OtherPatientNames=""))
    GATE.let_pass(memoryview(data), Claimed(), make.policy("research"), True)


def test_a_preamble_that_says_something(make: ModuleType) -> None:
    data = b"II*\0" + changed(make, put())[4:]
    with pytest.raises(InstanceHeld) as caught:
        GATE.let_pass(memoryview(data), Claimed(), make.policy("research"), True)
    assert caught.value.reason is Reason.ELEMENT_NOT_ALLOWED


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("claimed", [Claimed(sop_instance_uid="1.9"), Claimed(study_instance_uid="1.9")])
def test_another_instance_than_was_asked_for(make: ModuleType, claimed: Claimed, check: bool) -> None:
    with pytest.raises(InstanceHeld) as caught:
        GATE.let_pass(memoryview(changed(make, put())), claimed, make.policy("research"), check)
    assert caught.value.reason is Reason.UID_MISMATCH


def test_what_is_no_instance(make: ModuleType) -> None:
    for data in (b"", b"x" * 200, changed(make, put())[:-5]):
        with pytest.raises(InstanceHeld):
            GATE.let_pass(memoryview(data), Claimed(), make.policy("research"), False)


def test_a_report_says_what_the_instance_says(make: ModuleType) -> None:
    data = changed(make, put(StudyDate="19000101"))
    own = dcmread(io.BytesIO(data))
    _, report = GATE.let_pass(memoryview(data), Claimed(), make.policy("research"), True)
    assert (report.study_date, report.modality, report.patient_id) == ("19000101", "CT", own.PatientID)
    assert (report.sop_class_uid, report.sop_instance_uid) == (own.SOPClassUID, own.SOPInstanceUID)
    assert (report.study_instance_uid, report.series_instance_uid) == (own.StudyInstanceUID, own.SeriesInstanceUID)
    assert (report.transfer_syntax_uid, report.key_epoch) == (own.file_meta.TransferSyntaxUID, 1)


def test_head_and_data_set_name_one_instance(make: ModuleType) -> None:
    data = changed(make, put())
    uid = dcmread(io.BytesIO(data)).SOPInstanceUID.encode()
    at = data.index(uid)
    assert data.count(uid) == 2
    other = data[:at] + uid[:-1] + (b"1" if uid[-1:] != b"1" else b"2") + data[at + len(uid) :]
    with pytest.raises(InstanceHeld) as caught:
        GATE.let_pass(memoryview(other), Claimed(), make.policy("research"), False)
    assert caught.value.reason is Reason.UID_MISMATCH


@pytest.mark.parametrize(("tag", "vr", "value"), [(0x00020100, "UI", "1.2.3"), (0x00020102, "OB", b"\1\2")])
def test_private_file_meta_information(make: ModuleType, tag: int, vr: str, value: Any) -> None:
    def meta(ds: Dataset) -> None:
        ds.file_meta.PrivateInformationCreatorUID = "1.2.3" if tag == 0x00020102 else ""
        ds.file_meta.add_new(tag, vr, value)

    with pytest.raises(InstanceHeld) as caught:
        GATE.let_pass(memoryview(changed(make, meta)), Claimed(), make.policy("research"), True)
    assert caught.value.reason is Reason.ELEMENT_NOT_ALLOWED
