"""The file header that C-STORE data sets get, and the memory they may take."""

from __future__ import annotations

from io import BytesIO

import pynetdicom
import pytest
from pydicom import dcmread

import proxy
from proxy.dimse.receiving import Budget, Incoming, part10_header
from proxy.dimse.status import NO_MEMORY, TOO_LARGE

HEADER = part10_header("1.2.840.10008.5.1.4.1.1.2", "1.2.34", "1.2.840.10008.1.2.1")


def incoming(limit: int = 10_000, memory: int = 10_000) -> tuple[Incoming, Budget]:
    budget = Budget(memory)
    return Incoming(lambda: HEADER, limit, budget), budget


@pytest.mark.parametrize("sop_instance", ["1.2.3", "1.2.34"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_header_reads_back(sop_instance: str, syntax: str) -> None:
    header = part10_header("1.2.840.10008.5.1.4.1.1.2", sop_instance, syntax)
    meta = dcmread(BytesIO(header)).file_meta
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert meta.MediaStorageSOPInstanceUID == sop_instance
    assert meta.TransferSyntaxUID == syntax
    assert meta.ImplementationClassUID == proxy.IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == proxy.IMPLEMENTATION_VERSION_NAME
    assert meta.FileMetaInformationGroupLength == len(header) - 144


def test_bytes_follow_the_header() -> None:
    data, budget = incoming()
    data.write(b"ab")
    data.write(b"cd")
    assert data.arena is not None
    assert bytes(data.arena.view()) == HEADER + b"abcd"
    assert not budget.take(10_000 - len(HEADER) - 3)
    data.discard()
    assert budget.take(10_000)


def test_open_makes_a_header_even_without_data() -> None:
    data, _ = incoming()
    data.open()
    data.open()
    assert data.arena is not None
    assert bytes(data.arena.view()) == HEADER
    data.discard()


def test_too_large_gives_everything_back_and_swallows_the_rest() -> None:
    data, budget = incoming(limit=1000)
    data.write(bytes(600))
    data.write(bytes(600))
    assert data.refused is TOO_LARGE
    assert data.arena is None
    data.write(bytes(600))
    data.open()
    assert data.arena is None
    assert budget.take(10_000)


def test_no_memory_left() -> None:
    data, budget = incoming(memory=1000)
    assert budget.take(900)
    data.write(bytes(10))
    assert data.refused is NO_MEMORY
    budget.give(900)
    assert budget.take(1000)


def test_nothing_is_taken_after_the_end() -> None:
    data, budget = incoming()
    data.discard()
    data.write(b"late")
    data.open()
    assert data.arena is None
    assert budget.take(10_000)


def test_no_descriptor_and_no_budget_when_the_header_cannot_be_made() -> None:
    budget = Budget(1000)
    data = Incoming(lambda: part10_header("1.2", "ö", "1.2"), 1000, budget)
    with pytest.raises(UnicodeEncodeError):
        data.write(b"x")
    assert data.arena is None
    assert budget.take(1000)


def test_pynetdicom_is_of_the_series_whose_internals_are_relied_on() -> None:
    assert pynetdicom.__version__.startswith("3.0.")
