from __future__ import annotations

from typing import Any

import pytest

UIDS = "requestType=WADO&studyUID=2.25.1&seriesUID=2.25.2&objectUID=2.25.3"


async def get(site: Any, query: str, **headers: str) -> tuple[int, bytes, Any]:
    async with site.http.get(f"{site.base}/wado?{query}", headers=headers) as response:
        return response.status, await response.read(), response.headers


@pytest.mark.parametrize(
    "more",
    ["", "&contentType=application/dicom", "&contentType=application/dicom&transferSyntax=*", "&anonymize=yes",
     "&transferSyntax=1.2.840.10008.1.2.1", "&contentType=*/*", "&rows=100"],
)  # fmt: skip
async def test_one_instance(site: Any, more: str) -> None:
    await site.keep(site.instance())
    status, body, headers = await get(site, UIDS + more)
    assert (status, body) == (200, site.instance())
    assert headers["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    status, body, _ = await get(site, UIDS + more, **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    assert site.audit.events[0].object["sop_instance_uid"] == "2.25.3"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (UIDS.replace("WADO", "GET"), 400),
        ("requestType=WADO&studyUID=2.25.1&seriesUID=2.25.2", 400),
        (UIDS.replace("2.25.3", "DOE"), 400),
        (UIDS + "&anonymize=no", 400),
        (UIDS + "&objectUID=2.25.4", 400),
        (UIDS.replace("2.25.3", "2.25.4"), 404),
        (UIDS.replace("2.25.1", "2.25.4"), 404),
        (UIDS + "&contentType=image/jpeg", 406),
        (UIDS + "&transferSyntax=1.2.840.10008.1.2.4.50", 406),
    ],
)
async def test_refusals(site: Any, query: str, status: int) -> None:
    await site.keep(site.instance())
    assert (await get(site, query))[0] == status
