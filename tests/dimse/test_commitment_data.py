"""The data sets of storage commitment, held against pydicom: read what it writes, and the other way round."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from proxy.dimse import commitment_data
from proxy.dimse.commitment_data import ABSENT, INVALID, TOO_MUCH, UNREADABLE, NotARequest, read_request, write_report
from proxy.service.commitment import CONFLICT, UNKNOWN, Committed

CT = "1.2.840.10008.5.1.4.1.1.2"


def request(*named: tuple[str, str], transaction: str = "1.2.9") -> Dataset:
    dataset = Dataset()
    dataset.add(uid_of("TransactionUID", transaction))
    dataset.ReferencedSOPSequence = Sequence(item(kind, uid) for kind, uid in named)
    return dataset


def item(kind: str, uid: str) -> Dataset:
    found = Dataset()
    found.add(uid_of("ReferencedSOPClassUID", kind))
    found.add(uid_of("ReferencedSOPInstanceUID", uid))
    return found


def uid_of(keyword: str, value: str) -> DataElement:
    return DataElement(keyword, "UI", value, validation_mode=IGNORE)


def written(dataset: Dataset, implicit: bool) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, True
    write_dataset(out, dataset)
    return out.getvalue()


@pytest.mark.parametrize("implicit", [True, False])
def test_a_request_of_anybody(implicit: bool) -> None:
    asked = request((CT, "1.2.3"), (CT, "1.2.45"), (CT, "1.2.3"))
    asked.StorageMediaFileSetID = "DISK"
    asked.ReferencedSOPSequence[0].StorageMediaFileSetUID = "1.2.7"
    step = item("1.2.840.10008.3.1.2.3.3", "1.2.8")
    asked.ReferencedPerformedProcedureStepSequence = [step]
    asked.ReferencedSOPSequence.is_undefined_length = not implicit
    assert read_request(written(asked, implicit), implicit) == ("1.2.9", [(CT, "1.2.3"), (CT, "1.2.45")])


def _without(dataset: Dataset, keyword: str) -> Dataset:
    delattr(dataset, keyword)
    return dataset


NOT_REQUESTS: list[tuple[Any, int]] = [
    (_without(request((CT, "1.2.3")), "TransactionUID"), ABSENT),
    (_without(request((CT, "1.2.3")), "ReferencedSOPSequence"), ABSENT),
    (request(), ABSENT),
    (request((CT, "")), INVALID),
    (request((CT, "1.2.3"), transaction=""), INVALID),
    (request((CT, "1.2.3"), transaction="one"), INVALID),
    (request((CT, "1." + "2" * 64)), INVALID),
]


@pytest.mark.parametrize(("dataset", "status"), NOT_REQUESTS)
@pytest.mark.parametrize("implicit", [True, False])
def test_what_is_no_request_is_told_why(dataset: Dataset, status: int, implicit: bool) -> None:
    with pytest.raises(NotARequest) as caught:
        read_request(written(dataset, implicit), implicit)
    assert caught.value.status == status


def test_a_request_within_bounds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment_data, "MOST", 3)
    named = [(CT, f"1.2.{number}") for number in range(4)]
    assert len(read_request(written(request(*named[:3]), True), True)[1]) == 3
    with pytest.raises(NotARequest, match=f"{TOO_MUCH:04X}"):
        read_request(written(request(*named), True), True)
    monkeypatch.setattr(commitment_data, "LONGEST", 10)
    with pytest.raises(NotARequest, match=f"{TOO_MUCH:04X}"):
        read_request(bytes(11), True)


def test_nothing_that_is_mutated_raises_anything_else() -> None:
    chance = random.Random(6)
    for implicit in (True, False):
        whole = written(request((CT, "1.2.3"), (CT, "1.2.4")), implicit)
        for _ in range(2000):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                transaction, named = read_request(bytes(data[: chance.randint(1, len(data) * 2)]), implicit)
            except NotARequest:
                continue
            assert transaction
            assert named
    with pytest.raises(NotARequest, match=f"{UNREADABLE:04X}"):
        read_request(whole[:-1], False)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(("safe", "failed"), [(2, 0), (0, 2), (1, 1)])
def test_a_report_for_anybody(implicit: bool, safe: int, failed: int) -> None:
    result = Committed([(CT, "1.2.31")] * safe, [(CT, "1.2.4", UNKNOWN), (CT, "1.2.5", CONFLICT)][:failed])
    found = read_dataset(BytesIO(write_report("1.2.9", result, implicit)), implicit, True)
    assert found.TransactionUID == "1.2.9"
    for keyword, items in (("ReferencedSOPSequence", safe), ("FailedSOPSequence", failed)):
        assert len(found.get(keyword, ())) == items
        assert (keyword in found) == (items > 0), "an empty sequence would claim that there is one"
    named = [
        (each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID) for each in found.get("ReferencedSOPSequence", ())
    ]
    assert named == result.safe
    assert [each.FailureReason for each in found.get("FailedSOPSequence", ())] == [why for *_, why in result.failed]
