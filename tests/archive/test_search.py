from __future__ import annotations

import pytest
from pydicom import Dataset

from proxy.archive.archive import EmbeddedArchive


def request(step: str, procedure: str) -> list[Dataset]:
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    return [item]


@pytest.fixture
async def filled(archive: EmbeddedArchive, make) -> EmbeddedArchive:
    """Two patients, three studies, four series, six instances."""
    rows = [
        ("A", "2.25.1", "20200101", "CT", "2.25.11", 1, "101500", {}),
        ("A", "2.25.1", "20200101", "CT", "2.25.11", 2, "101500", {}),
        ("A", "2.25.1", "20200101", "SEG", "2.25.12", 1, "101500", {"SeriesNumber": 5}),
        ("A", "2.25.2", "20210630", "MR", "2.25.13", 1, "235959.5", {"PatientName": "Yamada^Tarou=山田^太郎"}),
        ("B", "2.25.3", "", "US", "2.25.14", 10, "", {"AccessionNumber": "A[1]*"}),
        ("B", "2.25.3", "", "US", "2.25.14", 9, "", {"AccessionNumber": "A[1]*"}),
    ]
    for index, (patient, study, date, modality, series, number, time, more) in enumerate(rows):
        values = {
            "PatientID": patient,
            "StudyInstanceUID": study,
            "StudyDate": date,
            "StudyTime": time,
            "Modality": modality,
            "SeriesInstanceUID": series,
            "SOPInstanceUID": f"2.25.10{index}",
            "InstanceNumber": number,
            "SpecificCharacterSet": "ISO_IR 192",
            "RequestAttributesSequence": request(f"S{modality}", "P1"),
        }
        await archive.store("research", make(f"f{index}", **{**values, **more}))
    return archive


async def uids(archive: EmbeddedArchive, level: str, limit: int = 100, offset: int = 0, **matches: str) -> list[str]:
    tag = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}[level]
    found = await archive.search(
        "research", level, {k.replace("__", "."): v for k, v in matches.items()}, [], limit, offset
    )
    return [row[tag]["Value"][0].removeprefix("2.25.") for row in found]


@pytest.mark.parametrize(
    ("matches", "studies"),
    [
        ({}, "3 1 2"),
        ({"PatientID": "A"}, "1 2"),
        ({"PatientID": "a"}, ""),
        ({"PatientID": ""}, "3 1 2"),
        ({"PatientID": "*"}, "3 1 2"),
        ({"PatientID": "?"}, "3 1 2"),
        ({"PatientID": "??"}, ""),
        ({"PatientID": "A' OR '1'='1"}, ""),
        ({"StudyInstanceUID": "2.25.1\\2.25.3"}, "3 1"),
        ({"StudyDate": "20200101"}, "1"),
        ({"StudyDate": "20200101-"}, "1 2"),
        ({"StudyDate": "-20201231"}, "1"),
        ({"StudyDate": "20200102-20211231"}, "2"),
        ({"StudyDate": "-"}, "1 2"),
        ({"StudyTime": "1000-1100"}, "1"),
        ({"StudyTime": "1015"}, "1"),
        ({"StudyTime": "2359-"}, "2"),
        ({"ModalitiesInStudy": "SEG"}, "1"),
        ({"ModalitiesInStudy": "SEG\\US"}, "3 1"),
        ({"ModalitiesInStudy": "S*"}, "1"),
        ({"AccessionNumber": "A[1]*"}, "3"),
        ({"AccessionNumber": "A[[]1]*"}, ""),
        ({"PatientName": "yamada*"}, "2"),
        ({"PatientName": "*太郎"}, "2"),
        ({"PatientID": "A", "StudyDate": "2021-"}, "2"),
    ],
)
async def test_study_matching(filled: EmbeddedArchive, matches: dict[str, str], studies: str) -> None:
    assert await uids(filled, "study", **matches) == studies.split()


@pytest.mark.parametrize(
    ("matches", "series"),
    [
        ({"Modality": "SEG"}, "12"),
        ({"SeriesNumber": "05"}, "12"),
        ({"PatientID": "A", "Modality": "CT"}, "11"),
        ({"RequestAttributesSequence__ScheduledProcedureStepID": "SMR"}, "13"),
        ({"RequestAttributesSequence__RequestedProcedureID": "P?"}, "14 11 12 13"),
        ({"StudyInstanceUID": "2.25.1"}, "11 12"),
    ],
)
async def test_series_matching(filled: EmbeddedArchive, matches: dict[str, str], series: str) -> None:
    assert await uids(filled, "series", **matches) == series.split()


async def test_instances_in_order_and_pages(filled: EmbeddedArchive) -> None:
    everything = await uids(filled, "instance")
    assert everything == ["105", "104", "100", "101", "102", "103"]
    paged = [uid for offset in range(0, 8, 2) for uid in await uids(filled, "instance", limit=2, offset=offset)]
    assert paged == everything


async def test_study_attributes(filled: EmbeddedArchive) -> None:
    (study,) = await filled.search("research", "study", {"StudyInstanceUID": "2.25.1"}, [], 1, 0)
    assert study["00080061"]["Value"] == ["CT", "SEG"]
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [3]
    assert study["00080050"] == {"vr": "SH"}  # required, empty
    assert "00080060" not in study  # Modality is no study attribute
    assert "00081030" not in study


async def test_series_and_instance_attributes_add_uids_above(filled: EmbeddedArchive) -> None:
    (series,) = await filled.search("research", "series", {"Modality": "SEG"}, [], 1, 0)
    assert series["0020000D"]["Value"] == ["2.25.1"]
    assert series["00201209"]["Value"] == [1]
    assert "00100020" not in series
    (instance,) = await filled.search("research", "instance", {"SOPInstanceUID": "2.25.100"}, ["PatientID"], 1, 0)
    assert instance["00280010"]["Value"] == [2]
    assert instance["0020000E"]["Value"] == ["2.25.11"]
    assert instance["00100020"]["Value"] == ["A"]
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]


async def test_includefield_all(filled: EmbeddedArchive) -> None:
    (row,) = await filled.search("research", "instance", {"SOPInstanceUID": "2.25.103"}, ["all"], 1, 0)
    assert row["00100010"]["Value"] == [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]
    assert row["00280004"]["Value"] == ["MONOCHROME2"]
    assert list(row) == sorted(row)
