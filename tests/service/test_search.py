from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.ports import Concealed, Peer
from proxy.service.search import MOST, Search
from proxy.wire.uri import Query
from tests.service.fakes import Audit

PEER = Peer("dicomweb", "192.0.2.1")


class Archive:
    """Has ``size`` matches of everything and remembers what was asked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.asked: list[tuple[Any, ...]] = []

    async def search(self, *asked: Any) -> list[dict[str, Any]]:
        self.asked.append(asked)
        return [{"n": n} for n in range(asked[-1], min(self.size, asked[-1] + asked[-2]))]


async def search(size: int, level: str, within: dict[str, str], query: Query) -> tuple[Any, Archive, Audit]:
    archive, audit = Archive(size), Audit()
    found = await Search(archive, audit).search("research", level, within, query, PEER)  # type: ignore[arg-type]
    return found, archive, audit


async def test_one_more_is_asked_for_to_know_whether_there_is_more() -> None:
    found, archive, _ = await search(5, "study", {}, Query(limit=3, offset=1))
    assert (len(found.matches), found.more) == (3, True)
    assert archive.asked[0][-2:] == (4, 1)
    found, _, _ = await search(5, "study", {}, Query(limit=5))
    assert (len(found.matches), found.more) == (5, False)


async def test_the_limit_is_bounded() -> None:
    found, _, _ = await search(MOST + 5, "study", {}, Query(limit=10**9))
    assert (len(found.matches), found.more) == (MOST, True)
    found, archive, _ = await search(5, "study", {}, Query(limit=0))
    assert (found.matches, found.more, archive.asked) == ([], False, [])


async def test_keys_of_another_level_are_not_obeyed_and_named() -> None:
    query = Query({"Modality": "CT", "PatientID": "A", "00091001": "x", "Rows": ""})
    found, archive, _ = await search(1, "study", {}, query)
    assert archive.asked[0][2] == {"PatientID": "A"}
    assert found.ignored == ("Modality", "00091001")


async def test_the_path_and_a_contradicting_key_match_nothing() -> None:
    found, archive, audit = await search(1, "series", {"study": "2.25.1"}, Query({"StudyInstanceUID": "2.25.2"}))
    assert (found.matches, archive.asked) == ([], [])
    assert len(audit.events) == 1
    _, archive, _ = await search(1, "series", {"study": "2.25.1"}, Query({"StudyInstanceUID": "2.25.2\\2.25.1"}))
    assert archive.asked[0][2] == {"StudyInstanceUID": "2.25.1"}


async def test_relational_searches_ask_for_the_attributes_above() -> None:
    _, archive, _ = await search(1, "instance", {}, Query(fields=("ImageType",)))
    fields = archive.asked[0][3]
    assert {"ImageType", "PatientID", "Modality"} <= set(fields)
    _, archive, _ = await search(1, "instance", {"study": "2.25.1", "series": "2.25.2"}, Query())
    assert archive.asked[0][3] == []


async def test_the_record_has_keys_and_counts_and_no_values() -> None:
    _, _, audit = await search(2, "study", {}, Query({"PatientName": "DOE^JOHN", "StudyDate": ""}))
    (event,) = audit.events
    values = {"PatientName": Concealed("research", "DOE^JOHN")}
    expected = {"kind": "search", "level": "study", "keys": ["PatientName"], "values": values, "matches": 2}
    assert event.object == expected
    assert "DOE" not in repr(event)


async def test_no_record_no_answer() -> None:
    with pytest.raises(AuditUnavailable):
        await Search(Archive(1), Audit(broken=True)).search("research", "study", {}, Query(), PEER)  # type: ignore[arg-type]
