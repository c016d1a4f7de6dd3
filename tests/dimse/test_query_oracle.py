"""No oracle over DIMSE: an original value is answered as nonsense is, at every level and by every key that identifies.

The PACS obeys every key and sorts by names, so each test fails where the way from an identifier to the view lets one
through. What the view does itself is in tests/service/test_view_oracle.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from proxy.dimse.query_find import Find
from proxy.dimse.query_get import Get
from proxy.wire.command import C_FIND_RQ, C_GET_RQ
from proxy.wire.dicom_json import first_value
from proxy.wire.uri import Query
from proxy.wire.vr import EXPLICIT_LE
from tests.dimse.conversation import CT, Conversation, keys
from tests.service.viewing import PEER, Site, pacs_of, small, viewing
from tests.system.planting import MARKERS

FIND, GET = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.1.3"
LEVELS = {
    "PATIENT": ("PatientID", "PatientName", "PatientBirthDate"),
    "STUDY": ("StudyInstanceUID", "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName"),
    "SERIES": ("SeriesInstanceUID", "SeriesDescription", "ProtocolName"),
    "IMAGE": ("SOPInstanceUID",),
}
ABOVE = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path, pacs=pacs_of(*(small(number) for number in range(1, 9)))) as made:
        await made.search.search("research", "instance", {}, Query(), PEER)
        yield made


async def asked(site: Site, level: str, values: dict[str, str], get: bool = False) -> tuple[Any, ...]:
    """Everything that the requester hears, and how often the PACS was asked."""
    peer, before = Conversation(extended=b"\1").offer((CT, EXPLICIT_LE), scp=True), len(site.pacs.calls)
    if get:
        getting = Get(site.search, site.retrieve, site.audit, {})
        await getting.serve(peer.message(getting, C_GET_RQ, GET, keys(level, **values)))
    else:
        finding = Find(site.search, site.audit)
        await finding.serve(peer.message(finding, C_FIND_RQ, FIND, keys(level, **values)))
    return repr(peer.responses), peer.instances, len(site.pacs.calls) - before


def forms(keyword: str, value: str) -> list[str]:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    return [value] if vr in ("UI", "DA") else [value, f"{value[:-2]}*", f"?{value[1:]}"]


def alike(keyword: str, form: str) -> str:
    """Nonsense of the same form."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    return {"UI": "1.2.3.4.5", "DA": "18010101"}.get(vr, "".join(c if c in "*?" else "Q" for c in form))


async def test_an_original_is_answered_as_nonsense_is(site: Site) -> None:
    one = next(iter(site.pacs.headers.values()))
    seen = 0
    for level, keywords in LEVELS.items():
        for keyword in keywords:
            original = first_value(one, f"{tag_for_keyword(keyword):08X}")
            for form in forms(keyword, original) if original else ():
                nonsense = alike(keyword, form)
                assert await asked(site, level, {keyword: form}) == await asked(site, level, {keyword: nonsense})
                seen += 1
    assert seen > 20
    assert not [marker for marker in MARKERS if marker in repr(site.audit.events)]


async def test_nothing_is_retrieved_by_an_original(site: Site) -> None:
    one = next(iter(site.pacs.headers.values()))
    for level, keyword in zip(LEVELS, ABOVE, strict=True):
        original = first_value(one, f"{tag_for_keyword(keyword):08X}")
        heard = await asked(site, level, {keyword: original}, get=True)
        assert heard == await asked(site, level, {keyword: alike(keyword, original)}, get=True)
        assert heard[1:] == ([], 0)
