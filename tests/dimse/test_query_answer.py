"""Responses: every key that was asked for and is known, in each syntax; patients out of studies."""

from __future__ import annotations

import io
import zlib

import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset

from proxy.dimse.query_answer import answer, encoded, failures, patients
from proxy.dimse.query_identifier import SYNTAXES
from proxy.wire.dicom_json import Json
from proxy.wire.vr import DEFLATED_LE, IMPLICIT_LE


def decoded(data: bytes, syntax: str) -> Dataset:
    if syntax == DEFLATED_LE:
        data = zlib.decompressobj(-15).decompress(data)
    return read_dataset(io.BytesIO(data), syntax == IMPLICIT_LE, True)


def study(uid: str, patient: str, instances: int | None = 2) -> Json:
    match = {
        "0020000D": {"vr": "UI", "Value": [uid]},
        "00100020": {"vr": "LO", "Value": [patient]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Gül^A"}]},
        "00400275": {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["A7"]}}]},
    }
    return match | ({"00201208": {"vr": "IS", "Value": [instances]}} if instances is not None else {})


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_keys_that_were_asked_for(syntax: str) -> None:
    keys = ["00080020", "00080056", "00100010", "00400275"]
    found = decoded(encoded(answer(study("1.2", "K-1"), "study", keys, "VEIL"), syntax), syntax)
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert (found.QueryRetrieveLevel, found.RetrieveAETitle, found.InstanceAvailability) == ("STUDY", "VEIL", "ONLINE")
    assert (found.StudyDate, found.PatientName, found.StudyInstanceUID) == ("", "Gül^A", "1.2")
    assert found.RequestAttributesSequence[0].RequestedProcedureID == "A7"
    assert "PatientID" not in found


def test_patients_out_of_studies() -> None:
    one, two = patients([study("1.2", "K-1"), study("1.3", "K-2", None), study("1.4", "K-1", 5)], True)
    assert [one["00201200"]["Value"], one["00201204"]["Value"]] == [[2], [7]]
    assert two["00201200"]["Value"] == [1]
    assert "00201204" not in two
    found = decoded(encoded(answer(two, "patient", ["00201204"], "VEIL"), IMPLICIT_LE), IMPLICIT_LE)
    assert (found.QueryRetrieveLevel, found.PatientID) == ("PATIENT", "K-2")
    assert found.NumberOfPatientRelatedInstances is None
    assert "StudyInstanceUID" not in found
    assert "00201200" not in patients([study("1.2", "K-1")], False)[0]


def test_failures() -> None:
    found = decoded(encoded(failures(["1.2", "1.3"]), IMPLICIT_LE), IMPLICIT_LE)
    assert found.FailedSOPInstanceUIDList == ["1.2", "1.3"]
