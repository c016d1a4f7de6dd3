"""A PACS of de-identified data, passed through: what may leave leaves as it is, and what may not ends the answer."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import AuditUnavailable
from proxy.service.passing import Admission, PassFetch, Passing, PassRetrieve, PassSearch, Unmapped
from proxy.service.ports import Arena, Verdict
from proxy.service.search import Found
from proxy.service.upstream import Question, UpstreamError
from proxy.service.view import View
from proxy.service.view_known import Known
from proxy.store.view_cache import ViewCache
from proxy.wire.uri import Query, Target
from proxy.workers.judge import Judge
from tests.service.viewing import GATE_KEY, PEER, ROOT, Audit, Pacs, pacs_of, policy_of, small, uid, variant

CLEAN = {
    "PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand", "PatientName": "Nobody", "PatientID": "K7",
    "PatientBirthDate": "", "AccessionNumber": "", "ReferringPhysicianName": "", "StudyDescription": "", "StudyID": "",
    "SeriesDescription": "", "InstitutionName": "",
}  # fmt: skip
STUDY = f"{ROOT}1.{100_000_001}"


def clean(number: int, **values: object) -> bytes:
    return small(1, SOPInstanceUID=f"{ROOT}3.{number}", InstanceNumber=number, **CLEAN, **values)


class Worker:
    """The gate in this process."""

    async def let_pass(self, project: str, arena: Arena, claimed: Claimed, check: bool) -> Verdict:
        await asyncio.sleep(0)
        arena.freeze()
        return Judge(GATE_KEY).let_pass(memoryview(bytes(arena.view())), claimed, policy_of(project), check)


@dataclass
class Site:
    pacs: Pacs
    audit: Audit
    search: PassSearch
    retrieve: PassRetrieve


@asynccontextmanager
async def passing(folder: Path, *files: bytes, verify: bool = True) -> AsyncIterator[Site]:
    pacs, audit, unmapped = pacs_of(*files), Audit(), Unmapped()
    cache = ViewCache(folder / "cache", Gate(GATE_KEY), 1 << 26)
    await cache.open()
    admission = Admission(Worker(), lambda project: verify)
    fetch = PassFetch(admission, cache, unmapped, Known(), audit, 1 << 24)

    def view(project: str) -> Passing:
        return Passing.of(View(project, pacs, policy_of(project)))

    retrieve = PassRetrieve(view, fetch, unmapped, audit)
    yield Site(pacs, audit, PassSearch(lambda project: pacs, audit), retrieve)
    cache.close()


async def find(site: Site, target: Target) -> list[Path]:
    return await site.retrieve.find("research", target, "instances", PEER)


async def ask(site: Site, level: str, query: Query, **within: str) -> Found:
    return await site.search.search("research", level, within, query, PEER)


async def test_instances_leave_as_they_are(tmp_path: Path) -> None:
    files = [clean(2), clean(1)]
    async with passing(tmp_path, *files) as site:
        paths = await find(site, Target(STUDY))
        assert [path.read_bytes() for path in paths] == files[::-1]
        assert [path.read_bytes() for path in await find(site, Target(STUDY))] == files[::-1]
        assert site.pacs.calls.count("fetch") == 2
        assert await find(site, Target("1.2.3.4")) == []
        kinds = [(event.type, event.outcome) for event in site.audit.events]
        assert kinds == [("retrieved", "success"), ("retrieved", "success"), ("retrieved", "failure")]


async def test_what_does_not_show_that_it_is_de_identified_ends_the_answer(tmp_path: Path) -> None:
    bad = variant(clean(2), PatientIdentityRemoved="NO")
    async with passing(tmp_path, clean(1), bad) as site:
        with pytest.raises(UpstreamError, match="withheld"):
            await find(site, Target(STUDY))
        withheld, failed = site.audit.events
        assert (withheld.type, withheld.reason) == ("withheld", "identifier-remains")
        assert ROOT not in str(withheld)
        assert (failed.type, failed.outcome) == ("retrieved", "failure")
        (one,) = await find(site, Target(STUDY, f"{ROOT}2.{100_000_001}", f"{ROOT}3.1"))
        assert one.read_bytes() == clean(1)
    async with passing(tmp_path, clean(1), bad, verify=False) as site:
        assert len(await find(site, Target(STUDY))) == 2


async def test_another_instance_than_was_asked_for_never_leaves(tmp_path: Path) -> None:
    async with passing(tmp_path, clean(1), verify=False) as site:
        site.pacs.files[f"{ROOT}3.1"] = clean(2)
        with pytest.raises(UpstreamError, match="withheld"):
            await find(site, Target(STUDY))
        assert site.audit.events[0].reason == "uid-mismatch"


async def test_a_search_answers_what_the_tables_have(tmp_path: Path) -> None:
    async with passing(tmp_path, clean(1), clean(2), small(2, **CLEAN)) as site:
        found = await ask(site, "study", Query({"StudyDate": "20110202", "Nonsense": "x"}, limit=5))
        (match,) = found.matches
        assert uid(match, "study") == STUDY
        assert found.ignored == ("Nonsense",)
        assert "00081190" not in match
        assert match["00201208"]["Value"] == [2]
        first = await ask(site, "instance", Query(limit=1), study=STUDY)
        second = await ask(site, "instance", Query(limit=1, offset=1), study=STUDY)
        assert [first.more, second.more] == [True, False]
        assert {uid(m, "instance") for m in (*first.matches, *second.matches)} == {f"{ROOT}3.1", f"{ROOT}3.2"}
        assert (await ask(site, "series", Query({"StudyInstanceUID": "1.2"}), study=STUDY)).matches == []
        assert site.audit.events[0].object["keys"] == ["Nonsense", "StudyDate"]


class Sloppy(Pacs):
    """Knows no key but UIDs."""

    async def search(self, question: Question) -> list[dict[str, object]]:
        uids = {key: value for key, value in question.matches.items() if key.endswith("UID")}
        return await super().search(Question(question.level, uids, question.fields, question.limit, question.offset))


async def test_a_pacs_that_answers_more_than_was_asked(tmp_path: Path) -> None:
    async with passing(tmp_path, *(small(n, **CLEAN) for n in range(1, 9))) as site:
        sloppy = Sloppy(files=site.pacs.files, headers=site.pacs.headers)
        search = PassSearch(lambda project: sloppy, site.audit)
        found = await search.search("research", "study", {}, Query({"PatientSex": "M"}, limit=2, offset=1), PEER)
        assert [match["00100040"]["Value"] for match in found.matches] == [["M"], ["M"]]
        assert found.more


async def test_trouble_is_recorded_and_no_record_means_no_answer(tmp_path: Path) -> None:
    async with passing(tmp_path, clean(1)) as site:
        site.pacs.fault = UpstreamError("clinical", "500")
        for act in (ask(site, "study", Query()), find(site, Target(STUDY))):
            with pytest.raises(UpstreamError):
                await act
        assert [(event.type, event.outcome) for event in site.audit.events] == [
            ("query", "failure"), ("retrieved", "failure"),
        ]  # fmt: skip
        site.pacs.fault, site.audit.broken = None, True
        for act in (ask(site, "study", Query()), find(site, Target(STUDY))):
            with pytest.raises(AuditUnavailable):
                await act


def test_the_files_of_these_tests_are_instances() -> None:
    assert pydicom.dcmread(io.BytesIO(clean(1))).PatientIdentityRemoved == "YES"
