"""A view's search: translated questions, de-identified matches, counts of what is released."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.search import Found
from proxy.service.upstream import UpstreamError
from proxy.service.view import TooBroad
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.uri import Query, Target
from tests.service.viewing import PEER, ROOT, Site, pacs_of, small, uid, viewing

#: SOP class whose instances nobody can judge
OPAQUE = "1.2.840.10008.5.1.4.1.1.66"
SURFACE = "1.2.840.10008.5.1.4.1.1.68.1"


def files() -> list[bytes]:
    """Patient 1: two series, of which one is held; patient 2: everything is held; patient 3: one instance."""
    return [
        small(1),
        small(1, SOPInstanceUID=f"{ROOT}3.11", InstanceNumber=2),
        small(1, SOPInstanceUID=f"{ROOT}3.12", SeriesInstanceUID=f"{ROOT}2.12", Modality="OT", SOPClassUID=SURFACE),
        small(2, SOPClassUID=SURFACE),
        small(3, AccessionNumber=""),
    ]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path, pacs=pacs_of(*files())) as made:
        yield made


async def ask(site: Site, level: str = "study", within: dict[str, str] | None = None, **matches: str) -> Found:
    return await site.search.search("research", level, within or {}, Query(matches, ("all",)), PEER)


async def study_of(site: Site, number: int) -> Json:
    pseudonym = site.view("research").uid(f"{ROOT}1.{100_000_000 + number}")
    return next(match for match in (await ask(site)).matches if uid(match, "study") == pseudonym)


async def test_counts_are_left_out_until_they_are_known(site: Site) -> None:
    study = await study_of(site, 1)
    assert not {"00201206", "00201208"} & study.keys()
    assert study["00080061"]["Value"] == ["CT", "OT"]  # as the PACS says, in defined terms
    assert len(await site.retrieve.find("research", Target(uid(study, "study")), "instances", PEER)) == 2
    study = await study_of(site, 1)
    assert study["00201208"]["Value"] == [2]
    assert study["00201206"]["Value"] == [1]
    assert study["00080061"]["Value"] == ["CT"]
    series = (await ask(site, "series", {"study": uid(study, "study")})).matches
    assert [match["00201209"]["Value"] for match in series] == [[2]]
    assert (await ask(site, ModalitiesInStudy="OT")).matches == []  # the PACS would say yes


async def test_what_is_held_alone_vanishes_once_it_is_known(site: Site) -> None:
    study = await study_of(site, 2)
    assert await site.retrieve.find("research", Target(uid(study, "study")), "instances", PEER) == []
    assert uid(study, "study") not in {uid(match, "study") for match in (await ask(site)).matches}
    assert (await ask(site, "series", {"study": uid(study, "study")})).matches == []
    assert (await ask(site, "instance", {"study": uid(study, "study")})).matches == []


async def test_what_an_instances_class_gives_away_is_no_match(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(small(1), small(1, SOPInstanceUID="1.2.3", SOPClassUID=OPAQUE))) as site:
        study = uid((await ask(site)).matches[0], "study")
        assert len((await ask(site, "instance", {"study": study})).matches) == 1


async def test_dates_are_asked_for_in_a_window_and_compared_as_released(site: Site) -> None:
    study = await study_of(site, 1)
    released, original = first_value(study, "00080020"), "20110202"
    assert released != original
    assert uid((await ask(site, StudyDate=released)).matches[0], "study") == uid(study, "study")
    low, _, high = site.pacs.questions[-1].matches["StudyDate"].partition("-")
    assert low <= original <= high
    assert (await ask(site, StudyDate=original)).matches == []
    assert (await ask(site, StudyDate=released, PatientID=first_value(study, "00100020"))).matches == [study]
    question = site.pacs.questions[-1]
    assert question.matches["PatientID"] == "ZQXIDENT100000001"
    assert question.matches["StudyDate"] == "20110201-20110203"


async def test_original_identifiers_go_to_the_pacs_and_never_back(site: Site) -> None:
    found = (await ask(site)).matches
    assert "Zqx" not in repr(found)
    assert "ZQX" not in repr(found)
    assert "hospital" not in repr(found)
    assert {tag for match in found for tag in match if tag[:4] not in ("0008", "0010", "0012", "0020")} == set()
    assert "00100021" not in found[0]


async def test_lower_levels_know_the_patient_however_little_a_pacs_says(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(*files(), relational=False)) as site:
        study = uid(await study_of(site, 1), "study")
        series = (await ask(site, "series", {"study": study})).matches
        assert [first_value(match, "00080060") for match in series] == ["CT", "OT"]
        within = {"study": study, "series": uid(series[0], "series")}
        instances = (await ask(site, "instance", within)).matches
        assert [first_value(match, "00200013") for match in instances] == ["1", "2"]
        assert {uid(match, "study") for match in instances} == {study}


async def test_a_match_without_a_patient_is_no_match(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(small(1), small(2, PatientID=""))) as site:
        assert len((await ask(site)).matches) == 1


async def test_more_than_can_be_ordered_is_too_much(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(*map(small, range(6))), most=5) as site:
        with pytest.raises(TooBroad):
            await ask(site)
        assert site.audit.events[-1].reason == "TooBroad"
        assert len((await ask(site, ModalitiesInStudy="MR")).matches) == 0


async def test_trouble_is_recorded_and_raised(site: Site) -> None:
    site.pacs.fault = UpstreamError("clinical", "timeout", late=True)
    with pytest.raises(UpstreamError):
        await ask(site)
    event = site.audit.events[-1]
    assert (event.type, event.outcome, event.reason) == ("query", "failure", "UpstreamError")


async def test_no_record_no_answer(site: Site) -> None:
    site.audit.broken = True
    with pytest.raises(AuditUnavailable):
        await ask(site)


async def test_a_pseudonym_in_the_place_of_a_name_is_understood(site: Site) -> None:
    patient = first_value(await study_of(site, 1), "00100020")
    for name in (patient, f"*{patient}*"):
        found = await ask(site, PatientName=name)
        assert ([first_value(match, "00100020") for match in found.matches], found.refused) == ([patient], ())
    calls = len(site.pacs.calls)
    wrong = patient[:-1] + ("0" if patient[-1] != "0" else "1")
    unknown = first_value(next(iter(site.pacs.headers.values())), "00100010")
    for name in (wrong, f"{patient[:-4]}*", unknown, f"{patient}^{patient}"):
        found = await ask(site, PatientName=name)
        assert (found.matches, found.refused) == ([], ("PatientName",))
    assert (await ask(site, PatientName=patient, PatientID=patient)).refused == ("PatientName",)
    assert len(site.pacs.calls) == calls
    assert not [question for question in site.pacs.questions if "PatientName" in question.matches]


async def test_the_path_and_a_contradicting_key_match_nothing(site: Site) -> None:
    study = uid(await study_of(site, 1), "study")
    calls = len(site.pacs.calls)
    assert (await ask(site, "series", {"study": study}, StudyInstanceUID="2.25.9")).matches == []
    assert len(site.pacs.calls) == calls
    assert len((await ask(site, "series", {"study": study}, StudyInstanceUID=f"2.25.9\\{study}")).matches) == 2


async def test_a_repeated_search_is_not_de_identified_again(site: Site) -> None:
    first = await ask(site)
    runs = site.deidentifier.runs
    assert await ask(site) == first
    assert site.deidentifier.runs == runs


async def test_the_crosswalk_survives_a_restart(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(*files())) as site:
        study = uid(await study_of(site, 1), "study")
    async with viewing(tmp_path, pacs=pacs_of(*files())) as site:
        assert len((await ask(site, "series", {"study": study})).matches) == 2
        assert len(await site.retrieve.find("research", Target(study), "instances", PEER)) == 2
