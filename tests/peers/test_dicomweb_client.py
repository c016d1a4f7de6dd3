"""The PyPI package dicomweb-client against our server: store, search, retrieve. pip installs it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from requests.exceptions import HTTPError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
async def filled(site: Any) -> Any:
    files = [
        site.instance(SOPInstanceUID=f"2.25.{100 + n}", SeriesInstanceUID=f"2.25.{10 + n // 2}", InstanceNumber=n)
        for n in range(4)
    ]
    await site.keep(*files, site.instance(StudyInstanceUID="2.25.7", SOPInstanceUID="2.25.200", Modality="MR"))
    return site


async def run(function: Any, *arguments: Any, **keywords: Any) -> Any:
    return await asyncio.to_thread(function, *arguments, **keywords)


async def test_store(site: Any) -> None:
    client = DICOMwebClient(site.base)
    datasets = [pydicom.dcmread(io.BytesIO(site.instance(SOPInstanceUID=f"1.2.{n}"))) for n in range(3)]
    answer = await run(client.store_instances, datasets)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == ["1.2.0", "1.2.1", "1.2.2"]
    assert "FailedSOPSequence" not in answer
    assert len(site.ingest.received) == 3
    answer = await run(client.store_instances, datasets[:1], study_instance_uid="2.25.1")
    assert len(answer.ReferencedSOPSequence) == 1
    with pytest.raises(HTTPError, match="409"):
        await run(client.store_instances, datasets[:1], study_instance_uid="2.25.999")


async def test_store_in_chunks(site: Any) -> None:
    client = DICOMwebClient(site.base, chunk_size=100_000)
    dataset = pydicom.dcmread(io.BytesIO(site.instance(PixelData=bytes(1 << 20))))
    answer = await run(client.store_instances, [dataset])
    assert len(answer.ReferencedSOPSequence) == 1
    assert site.ingest.received[0][4] > 1 << 20


async def test_search(filled: Any) -> None:
    client = DICOMwebClient(filled.base)
    studies = await run(client.search_for_studies)
    assert [s["0020000D"]["Value"][0] for s in studies] == ["2.25.1", "2.25.7"]
    (study,) = await run(
        client.search_for_studies, search_filters={"ModalitiesInStudy": "MR"}, fields=["StudyDescription"]
    )
    assert study["0020000D"]["Value"] == ["2.25.7"]
    assert await run(client.search_for_studies, search_filters={"PatientID": "NOBODY"}) == []
    assert len(await run(client.search_for_series, "2.25.1")) == 2
    assert len(await run(client.search_for_instances, "2.25.1", "2.25.10")) == 2
    paged = await run(client.search_for_instances, limit=2, get_remaining=True)
    assert len(paged) == len({i["00080018"]["Value"][0] for i in paged}) == 5


async def test_retrieve(filled: Any) -> None:
    client = DICOMwebClient(filled.base)
    datasets = await run(client.retrieve_study, "2.25.1")
    assert [d.SOPInstanceUID for d in datasets] == [f"2.25.{n}" for n in (100, 101, 102, 103)]
    assert len(await run(client.retrieve_series, "2.25.1", "2.25.10")) == 2
    assert len(await run(lambda: list(client.iter_series("2.25.1", "2.25.11")))) == 2
    one = await run(client.retrieve_instance, "2.25.1", "2.25.10", "2.25.101")
    assert one.PixelData == bytes(range(1, 9))
    with pytest.raises(HTTPError, match="404"):
        await run(client.retrieve_study, "2.25.404")


async def test_metadata_bulk_data_and_frames(filled: Any) -> None:
    client = DICOMwebClient(filled.base)
    for metadata in (
        await run(client.retrieve_study_metadata, "2.25.1"),
        await run(client.retrieve_series_metadata, "2.25.1", "2.25.10"),
        [await run(client.retrieve_instance_metadata, "2.25.1", "2.25.10", "2.25.100")],
    ):
        dataset = pydicom.Dataset.from_json(metadata[0], bulk_data_uri_handler=lambda uri: b"")
        assert (dataset.PatientID, dataset.Rows) == ("K7QX", 2)
        assert await run(client.retrieve_bulkdata, metadata[0]["7FE00010"]["BulkDataURI"]) == [bytes(range(1, 9))]
    frames = await run(client.retrieve_instance_frames, "2.25.1", "2.25.10", "2.25.100", [1])
    assert frames == [bytes(range(1, 9))]


async def test_delete_is_not_supported(filled: Any) -> None:
    client = DICOMwebClient(filled.base)
    with pytest.raises(HTTPError, match="405"):
        await run(client.delete_study, "2.25.1")
    assert len(await run(client.search_for_studies)) == 2
