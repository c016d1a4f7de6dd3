"""Metadata without pixels is the metadata of the de-identified file, or it is not given."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from proxy.archive import encoded
from proxy.deid.types import Claimed, materialise
from proxy.service.ports import Released
from proxy.wire.dicom_json import Json, Source, bulk_name, to_json
from proxy.workers.describing import Described, needed, plain, restored
from proxy.workers.judge import Judge
from tests.service.viewing import GATE_KEY, policy_of, small, variant
from tests.system.planting import MARKERS, planted

JUDGE, POLICY = Judge(GATE_KEY), policy_of("research")
FILES = {
    "small": small(1),
    "planted": planted(1).part10,
    "ct": Path(str(get_testdata_file("CT_small.dcm"))).read_bytes(),
    "plan": variant(Path(str(get_testdata_file("rtplan.dcm"))).read_bytes()),
    "report": variant(Path(str(get_testdata_file("reportsi.dcm"))).read_bytes(), PatientID="ZQXIDENT1"),
}


def upstream(data: bytes) -> Json:
    """What a PACS says of an instance: its metadata, text in UTF-8, pixel data by its own URI."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    return to_json(dataset, Source(lambda where: f"http://pacs.example/{bulk_name(where)}", lambda each: each.value))


def describe(*instances: Any) -> list[Any]:
    return JUDGE.describe(memoryview(json.dumps(instances).encode()), POLICY)


@pytest.mark.parametrize("name", FILES)
def test_it_is_the_metadata_of_the_released_file(name: str, tmp_path: Path) -> None:
    data = FILES[name]
    verdict = JUDGE.judge(memoryview(data), Claimed(), POLICY)
    (described,) = describe(needed(upstream(data), False))
    assert isinstance(verdict, Released)
    assert isinstance(described, Described), described
    (tmp_path / "file").write_bytes(materialise(verdict.chunks, data))
    whole = encoded.metadata(tmp_path / "file")
    assert described.json | {"00080005": {}} == whole | {"00080005": {}}  # JSON is UTF-8, whatever the file is in
    report = verdict.report
    assert described.uids == (report.study_instance_uid, report.series_instance_uid, report.sop_instance_uid)
    assert not [marker for marker in (*MARKERS, "pacs.example") if marker in json.dumps(described.json)]


def test_private_elements_are_left_out_only_where_none_can_stay() -> None:
    instance = upstream(FILES["ct"])
    assert needed(instance, True) is instance
    left = instance.keys() - needed(instance, False).keys()
    assert left
    assert all(int(tag[:4], 16) & 1 for tag in left)


def test_what_pixels_have_to_be_read_for_needs_the_whole() -> None:
    ultrasound = upstream(small(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", Modality="US"))
    secondary = upstream(small(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", BurnedInAnnotation="YES"))
    assert not [one for one in describe(ultrasound, secondary) if isinstance(one, Described)]


def test_bulk_data_that_is_missing_needs_the_whole() -> None:
    instance = upstream(small(1)) | {"00281201": {"vr": "OW", "BulkDataURI": "http://pacs.example/lut"}}
    assert describe(instance) == [None]


def test_a_bad_one_spoils_no_other() -> None:
    bad: list[Any] = [{}, 7, "x", None, {"00100010": {"vr": "PN", "Value": 3}}, upstream(small(1, PatientID=""))]
    outcomes = describe(*bad, upstream(small(1)))
    assert [isinstance(one, Described) for one in outcomes] == [False] * len(bad) + [True]
    assert JUDGE.describe(memoryview(b"{"), POLICY) == []
    assert JUDGE.describe(memoryview(b"7"), POLICY) == []


def test_nothing_leaves_that_the_gate_does_not_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("no")

    judge = Judge(GATE_KEY)
    monkeypatch.setattr(judge, "_gate", type("Refusing", (), {"verify": refuse})())
    assert judge.describe(memoryview(json.dumps([upstream(small(1))]).encode()), POLICY) == ["engine-error"]


def test_outcomes_travel_as_plain_values() -> None:
    outcomes = [*describe(upstream(small(1))), "held", None]
    assert restored(plain(outcomes)) == outcomes
    for nonsense in ([1], [("a",)], [({}, ("1",), ("1",))], [([], "123", "123")], 7):
        with pytest.raises((TypeError, ValueError)):
            restored(nonsense)
