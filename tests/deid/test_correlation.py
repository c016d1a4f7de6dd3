"""What belongs together stays together, and nothing else does: by relationship, over whole instances (PS3.15 E.1.1).

One patient with two studies, two patients with the same study, references across series, two key epochs, another
process, two issuers of the same number.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.deid.profile import Policy
from proxy.deid.verify import Gate

GATE = Gate(bytes(32))
CT, SEG, GSPS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.11.1"
SR, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.481.3"
#: policies under which dates are moved, and with them intervals
MOVING = ("research", "clean_struct")


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def reference(instance: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=instance.SOPClassUID, ReferencedSOPInstanceUID=instance.SOPInstanceUID)


@pytest.fixture(params=MOVING)
def policy(make: ModuleType, request: pytest.FixtureRequest) -> Policy:
    """Dates moved; with and without content items."""
    found: Policy = make.optioned("rtn_long_modif", *([] if request.param == "research" else [request.param]))
    return found


def out(make: ModuleType, ds: Dataset, policy: Policy) -> Dataset:
    """De-identified, and let through by the gate."""
    data = make.encode(ds)
    result, part10 = make.run(data, policy)
    GATE.verify(memoryview(data), result, policy)
    return dcmread(io.BytesIO(part10))


def image(make: ModuleType, number: int = 1, **attributes: Any) -> Dataset:
    """An image of study 1.2.3.1 unless told otherwise."""
    said: dict[str, Any] = {
        "SOPInstanceUID": f"1.2.3.1.1.{number}", "StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1",
        "FrameOfReferenceUID": "1.2.3.9", "StudyDate": "20200229", "SeriesDate": "20200301", **attributes,
    }  # fmt: skip
    ds: Dataset = make.dataset(CT, **said)
    return ds


def days(later: Dataset, earlier: Dataset, keyword: str = "StudyDate", other: str = "") -> int:
    def of(text: str) -> date:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))

    return (of(later[keyword].value) - of(earlier[other or keyword].value)).days


def uids(ds: Dataset) -> Iterator[str]:
    for element in ds.iterall():
        if element.VR == "UI" and element.value:
            yield from [element.value] if isinstance(element.value, str) else element.value


def own(ds: Dataset) -> set[str]:
    """Everything pseudonymous that an output says: UIDs, the patient, dates."""
    said = {uid for uid in uids(ds) if not uid.startswith("1.2.840.10008.")}
    return said | {str(ds.PatientID), str(ds.PatientName)}


# ---- one patient, two studies


def test_one_patient_two_studies(make: ModuleType, policy: Policy) -> None:
    first = image(make)
    second = image(make, StudyInstanceUID="1.2.3.2", SeriesInstanceUID="1.2.3.2.1", SOPInstanceUID="1.2.3.2.1.1")
    second.StudyDate, second.SeriesDate = "20210303", "20210304"
    a, b = out(make, first, policy), out(make, second, policy)
    assert a.PatientID == b.PatientID == a.PatientName == b.PatientName
    assert a.StudyInstanceUID != b.StudyInstanceUID
    assert a.SeriesInstanceUID != b.SeriesInstanceUID
    assert a.FrameOfReferenceUID == b.FrameOfReferenceUID
    assert days(a, first) == days(b, second) != 0
    assert days(b, a) == days(second, first) == 368
    assert days(a, a, "SeriesDate", "StudyDate") == 1


def test_intervals_hold_inside_items_and_date_times(make: ModuleType, policy: Policy) -> None:
    ds = image(make, AcquisitionDateTime="20200301070809.25", ContentDate="20191231", ContentTime="235959")
    frame = item(
        FrameContentSequence=[item(FrameAcquisitionDateTime="20200301235959", FrameReferenceDateTime="20191231")]
    )
    ds.PerFrameFunctionalGroupsSequence = [frame]
    result = out(make, ds, policy)
    offset = days(result, ds)
    assert days(result, ds, "ContentDate") == offset
    assert result.ContentTime == "235959"
    assert days(result, ds, "AcquisitionDateTime") == offset
    assert result.AcquisitionDateTime[8:] == "070809.25"
    inside = result.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        assert days(inside, frame.FrameContentSequence[0], keyword) == offset
    assert inside.FrameAcquisitionDateTime[8:] == "235959"


def test_spelling_of_the_number_does_not_part_a_patient(make: ModuleType, policy: Policy) -> None:
    padded = image(make, PatientID=" 4711 ", PatientName="DOE^J")
    assert own(out(make, image(make), policy)) == own(out(make, padded, policy))


# ---- two patients


def test_two_patients_one_study(make: ModuleType, policy: Policy) -> None:
    """A study that was filed under two patients: UIDs agree, patients and their dates do not meet."""
    first, second = image(make, 1), image(make, 2, PatientID="4712", PatientName="Roe^Richard")
    a, b = out(make, first, policy), out(make, second, policy)
    assert a.PatientID != b.PatientID
    assert a.PatientName != b.PatientName
    assert (a.StudyInstanceUID, a.SeriesInstanceUID) == (b.StudyInstanceUID, b.SeriesInstanceUID)
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert days(a, first) != days(b, second)


def test_the_other_patient_in_an_item_keeps_its_own_pseudonym(make: ModuleType, policy: Policy) -> None:
    """A Patient ID inside a sequence becomes what it becomes where it is the instance's own."""
    donor = image(make, PatientID="DONOR 7")
    ds = image(make)
    ds.SharedFunctionalGroupsSequence = [item(PatientID="DONOR 7")]
    nested = out(make, ds, policy).SharedFunctionalGroupsSequence[0].PatientID
    assert nested == out(make, donor, policy).PatientID


def test_issuers_part_patients_with_the_same_number(make: ModuleType, policy: Policy) -> None:
    one, other = image(make, IssuerOfPatientID="North"), image(make, IssuerOfPatientID="South")
    none = image(make)
    outputs = [out(make, ds, policy) for ds in (one, other, none)]
    assert len({ds.PatientID for ds in outputs}) == 3
    assert len({ds.StudyInstanceUID for ds in outputs}) == 1
    assert "North" not in str(outputs[0])


# ---- references across series


def objects(make: ModuleType) -> dict[str, Dataset]:
    """A series of images, and what refers to it from other series: SEG, presentation state, report, structure set."""
    images = [image(make, number) for number in (1, 2, 3)]
    common = {"StudyInstanceUID": "1.2.3.1", "StudyDate": "20200229", "FrameOfReferenceUID": "1.2.3.9"}
    series = item(SeriesInstanceUID="1.2.3.1.1", ReferencedInstanceSequence=Sequence([reference(i) for i in images]))
    seg = make.dataset(SEG, SOPInstanceUID="1.2.3.1.5.1", SeriesInstanceUID="1.2.3.1.5", **common)
    seg.ReferencedSeriesSequence = [series]
    state = make.dataset(GSPS, SOPInstanceUID="1.2.3.1.6.1", SeriesInstanceUID="1.2.3.1.6", **common)
    state.ReferencedSeriesSequence = [
        item(SeriesInstanceUID="1.2.3.1.1", ReferencedImageSequence=Sequence([reference(i) for i in images]))
    ]
    report = make.dataset(SR, SOPInstanceUID="1.2.3.1.7.1", SeriesInstanceUID="1.2.3.1.7", **common)
    report.CurrentRequestedProcedureEvidenceSequence = [
        item(
            StudyInstanceUID="1.2.3.1",
            ReferencedSeriesSequence=Sequence(
                [item(SeriesInstanceUID="1.2.3.1.1", ReferencedSOPSequence=Sequence([reference(i) for i in images]))]
            ),
        )
    ]
    structures = make.dataset(RTSTRUCT, SOPInstanceUID="1.2.3.1.8.1", SeriesInstanceUID="1.2.3.1.8", **common)
    contour = item(SeriesInstanceUID="1.2.3.1.1", ContourImageSequence=Sequence([reference(i) for i in images]))
    study = item(ReferencedSOPInstanceUID="1.2.3.1", RTReferencedSeriesSequence=Sequence([contour]))
    structures.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID="1.2.3.9", RTReferencedStudySequence=Sequence([study]))
    ]
    return {"image": images[0], "seg": seg, "state": state, "report": report, "structures": structures}


@pytest.mark.parametrize("kind", ["seg", "state", "report", "structures"])
def test_references_across_series_resolve(make: ModuleType, policy: Policy, kind: str) -> None:
    """Every UID that an object and the images share before, and no other, they share after, at the same place."""
    before = objects(make)
    images = [image(make, number) for number in (1, 2, 3)]
    mapped: dict[str, str] = {}
    for ds in images:
        result = out(make, ds, policy)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            mapped[str(ds[keyword].value)] = str(result[keyword].value)
    result = out(make, before[kind], policy)
    originals, found = list(uids(before[kind])), set(uids(result))
    shared = {uid for uid in originals if uid in mapped}
    assert len(shared) >= 6  # study, series, frame of reference and the three images
    assert {mapped[uid] for uid in shared} <= found
    assert not {uid for uid in originals if not uid.startswith("1.2.840.")} & found


def test_an_object_and_its_image_agree_wherever_they_stand(make: ModuleType, policy: Policy) -> None:
    """UIDs do not depend on who says them: the same original is the same pseudonym for any patient and place."""
    ds = image(make, PatientID="9")
    ds.ReferencedImageSequence = [item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3.1.1.2")]
    told = out(make, ds, policy).ReferencedImageSequence[0].ReferencedSOPInstanceUID
    assert told == out(make, image(make, 2), policy).SOPInstanceUID


# ---- epochs, processes


def test_nothing_is_shared_over_two_key_epochs(make: ModuleType) -> None:
    """The same instance under the next epoch's key: no UID, no patient, no moved date is the same."""
    ds = objects(make)["seg"]
    ds.ContentDate = "20200302"
    now = out(make, ds, make.policy("research", key=bytes(range(32)), key_epoch=1))
    then = out(make, ds, make.policy("research", key=bytes(range(1, 33)), key_epoch=2))
    assert not own(now) & own(then)
    assert days(now, ds) != days(then, ds)
    assert [e.tag for e in now] == [e.tag for e in then]


def test_the_number_of_an_epoch_alone_changes_no_pseudonym(make: ModuleType) -> None:
    """Keys make pseudonyms; the epoch only names the key, so that a report says which."""
    ds = image(make)
    a, b = (out(make, ds, make.policy("research", key_epoch=epoch)) for epoch in (1, 2))
    assert own(a) == own(b)


_CHILD = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("made", sys.argv[1])
make = importlib.util.module_from_spec(spec); sys.modules["made"] = make; spec.loader.exec_module(make)
data = open(sys.argv[2], "rb").read()
result, out = make.run(data, make.policy("research"))
print(json.dumps([result.report.policy_digest, out.hex()]))
"""


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_another_process_makes_the_same_bytes(make: ModuleType, tmp_path: Path, seed: str) -> None:
    """No hash seed, clock or order of a process is in a pseudonym; replicas agree without talking."""
    path = tmp_path / "in.dcm"
    path.write_bytes(make.encode(objects(make)["seg"]))
    command = [sys.executable, "-c", _CHILD, str(make.__file__), str(path)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Pacific/Auckland", "PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    digest, output = json.loads(done.stdout)
    result, here = make.run(path.read_bytes(), make.policy("research"))
    assert (digest, bytes.fromhex(output)) == (result.report.policy_digest, here)
