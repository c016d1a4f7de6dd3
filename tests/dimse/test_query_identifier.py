"""What identifiers ask for, and which are refused: PS3.4 C.2.2 and C.4."""

from __future__ import annotations

import contextlib
import random
import zlib
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from proxy.dimse.query_identifier import MOST_BYTES, SYNTAXES, asked, read, wanted
from proxy.dimse.query_models import PATIENT_ROOT, STUDY_ROOT, answered
from proxy.dimse.query_status import NOT_OF_SOP_CLASS, UNABLE, Refused
from proxy.wire.dicom_json import Json
from proxy.wire.uri import Target
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE


def encoded(dataset: Dataset, syntax: str = EXPLICIT_LE) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, syntax == IMPLICIT_LE
    write_dataset(out, dataset)
    return zlib.compress(out.getvalue(), wbits=-15) if syntax == DEFLATED_LE else out.getvalue()


def identifier(level: str, **keys: Any) -> Json:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return read(encoded(dataset), EXPLICIT_LE)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_syntax_reads_the_same(syntax: str) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.QueryRetrieveLevel, dataset.PatientName, dataset.StudyDate = "STUDY", "Müller*", "20200101-"
    query = asked(STUDY_ROOT, read(encoded(dataset, syntax), syntax), False).query
    assert query.matches == {"PatientName": "Müller*", "StudyDate": "20200101-"}


def test_matching_and_return_keys() -> None:
    found = asked(
        STUDY_ROOT,
        identifier("STUDY", PatientID="K-1", StudyInstanceUID=["1.2", "1.3"], StudyDate="", PatientName="*",
                   ModalitiesInStudy="CT", NumberOfStudyRelatedInstances=None),
        False,
    )  # fmt: skip
    assert (found.level, found.within, found.unsupported) == ("study", {}, False)
    assert found.query.matches == {"PatientID": "K-1", "StudyInstanceUID": "1.2\\1.3", "ModalitiesInStudy": "CT"}
    assert set(found.query.fields) >= {"StudyDate", "PatientName", "NumberOfStudyRelatedInstances"}
    assert found.keys == ("00080020", "00080061", "00100010", "00100020", "0020000D", "00201208")


def test_a_sequence_matches_what_is_in_its_item() -> None:
    item = Dataset()
    item.RequestedProcedureID, item.ScheduledProcedureStepID = "A7", ""
    keys = {"StudyInstanceUID": "1.2", "RequestAttributesSequence": [item]}
    found = asked(STUDY_ROOT, identifier("SERIES", **keys), False)
    assert found.within == {"study": "1.2"}
    assert found.query.matches == {"RequestAttributesSequence.RequestedProcedureID": "A7"}
    with pytest.raises(Refused, match="more than one item"):
        asked(STUDY_ROOT, identifier("SERIES", **(keys | {"RequestAttributesSequence": [item, item]})), False)


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {"SeriesInstanceUID": ""}),
        ("STUDY", {"Modality": "CT"}),
        ("STUDY", {"InstitutionName": ""}),
        ("PATIENT", {"StudyDate": ""}),
    ],
)
def test_keys_that_are_not_known_at_the_level(level: str, keys: dict[str, str]) -> None:
    found = asked(PATIENT_ROOT, identifier(level, PatientID="K-1", **keys), False)
    assert found.unsupported
    assert not set(keys) & set(found.query.matches) | set(keys) & set(found.query.fields)


def test_patients() -> None:
    keys = {"PatientID": "K-1\\K-2", "NumberOfPatientRelatedStudies": None}
    found = asked(PATIENT_ROOT, identifier("PATIENT", **keys), False)
    assert (found.level, found.query.matches, found.unsupported) == ("patient", {"PatientID": "K-1\\K-2"}, False)
    related = asked(PATIENT_ROOT, identifier("PATIENT", PatientID="", StudyDate="20200101"), True)
    assert (related.query.matches, related.unsupported) == ({"StudyDate": "20200101"}, False)


@pytest.mark.parametrize(
    ("model", "level", "keys", "tag"),
    [
        (STUDY_ROOT, "PATIENT", {"PatientID": "1"}, 0x00080052),
        (STUDY_ROOT, "", {}, 0x00080052),
        (STUDY_ROOT, "SERIES", {"SeriesInstanceUID": ""}, 0x0020000D),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": ["1.2", "1.3"]}, 0x0020000D),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2"}, 0x0020000E),
        (PATIENT_ROOT, "STUDY", {"PatientID": "K*"}, 0x00100020),
    ],
)
def test_unique_keys_above_the_level(model: Any, level: str, keys: dict[str, Any], tag: int) -> None:
    with pytest.raises(Refused) as refused:
        asked(model, identifier(level, **keys), False)
    assert (refused.value.status, refused.value.tag) == (NOT_OF_SOP_CLASS, tag)
    if tag != 0x00080052:
        assert asked(model, identifier(level, **keys), True).level


def test_values_that_cannot_be_matched() -> None:
    for keys in ({"StudyInstanceUID": "1.2.*"}, {"StudyDate": "yesterday"}, {"PatientName": "*a*b*c*d*e*f*"}):
        with pytest.raises(Refused) as refused:
            asked(STUDY_ROOT, identifier("STUDY", **keys), False)
        assert refused.value.status == UNABLE
        assert not [value for value in keys.values() if value in str(refused.value.elements)]
    with pytest.raises(Refused, match="a UID that is none"):
        asked(STUDY_ROOT, identifier("SERIES", StudyInstanceUID="Zqx^Plant"), False)


def test_retrieval_names_its_targets() -> None:
    assert wanted(STUDY_ROOT, identifier("STUDY", StudyInstanceUID=["1.2", "1.3", "1.2"]), False).targets == (
        Target("1.2"),
        Target("1.3"),
    )
    keys = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": ["1.4", "1.5"]}
    found = wanted(STUDY_ROOT, identifier("IMAGE", **keys), False)
    assert found.targets == (Target("1.2", "1.3", "1.4"), Target("1.2", "1.3", "1.5"))
    mine = wanted(PATIENT_ROOT, identifier("STUDY", PatientID="K-1", StudyInstanceUID="1.2"), False)
    assert (mine.targets, mine.query.matches) == ((), {"PatientID": "K-1", "StudyInstanceUID": "1.2"})
    all_of = wanted(PATIENT_ROOT, identifier("PATIENT", PatientID="K-1"), False)
    assert (all_of.level, all_of.targets, all_of.query.matches) == ("patient", (), {"PatientID": "K-1"})
    related = wanted(STUDY_ROOT, identifier("IMAGE", SOPInstanceUID="1.4"), True)
    assert (related.targets, related.query.matches) == ((), {"SOPInstanceUID": "1.4"})


@pytest.mark.parametrize("keys", [{}, {"StudyInstanceUID": ""}, {"StudyInstanceUID": "*"}])
def test_retrieval_without_its_unique_key(keys: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        wanted(STUDY_ROOT, identifier("STUDY", **keys), True)
    assert (refused.value.status, refused.value.tag) == (NOT_OF_SOP_CLASS, 0x0020000D)


def test_only_relational_is_negotiated() -> None:
    assert answered(b"\1\1\1\1\1") == b"\1\0\0\0\0"
    assert answered(b"\0\1\1") == b"\0\0\0"
    assert answered(b"\1") == b"\1"
    assert answered(b"") is None


def test_no_bytes_are_more_than_refused() -> None:
    """Nothing but `Refused`, whatever stands in an identifier."""
    rng = random.Random(6)
    item = Dataset()
    item.RequestedProcedureID = "A7"
    dataset = Dataset()
    dataset.QueryRetrieveLevel, dataset.StudyInstanceUID, dataset.PatientName = "STUDY", "1.2", "a^b"
    dataset.RequestAttributesSequence = [item]
    for _ in range(300):
        syntax = rng.choice(SYNTAXES)
        data = bytearray(encoded(dataset, syntax))
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(Refused):
            found = read(bytes(data[: rng.randint(1, len(data))]), syntax)
            asked(STUDY_ROOT, found, rng.random() < 0.5)
            wanted(PATIENT_ROOT, found, rng.random() < 0.5)


def test_bounds() -> None:
    with pytest.raises(Refused, match="too long"):
        read(zlib.compress(bytes(MOST_BYTES + 10), wbits=-15), DEFLATED_LE)
    many = Dataset()
    for number in range(600):
        many.add_new(0x00091000 + number, "LO", "")
    with pytest.raises(Refused, match="too many"):
        read(encoded(many), EXPLICIT_LE)
