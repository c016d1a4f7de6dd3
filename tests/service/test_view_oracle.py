"""No oracle: what a reader asks of a view tells no original value, not by an answer, an order, a count or a path.

The PACS of these tests obeys every key and sorts by names, so each test fails where the view lets one through.
"""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.archive.attributes import MATCHABLE
from proxy.archive.matching import holds
from proxy.deid.match import KEYS, MAPPED, Use
from proxy.service.search import Found
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.uri import Query, Target
from tests.service.viewing import PEER, Pacs, Site, pacs_of, small, uid, viewing

PATIENTS = 200
TAGS = {
    "PatientName": "00100010", "PatientID": "00100020", "PatientBirthDate": "00100030", "AccessionNumber": "00080050",
    "StudyID": "00200010", "StudyDescription": "00081030", "ReferringPhysicianName": "00080090",
    "StudyInstanceUID": "0020000D", "SeriesInstanceUID": "0020000E", "SOPInstanceUID": "00080018",
}  # fmt: skip
FILES = [small(number) for number in range(PATIENTS)]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path, pacs=pacs_of(*FILES)) as made:
        yield made


async def ask(site: Site, level: str = "study", project: str = "research", **matches: str) -> Found:
    return await site.search.search(project, level, {}, Query(matches), PEER)


def originals(site: Site) -> list[tuple[str, str]]:
    """Every identifying key with every patient's own value."""
    found = []
    for header in site.pacs.headers.values():
        found += [(keyword, first_value(header, tag)) for keyword, tag in TAGS.items()]
    assert all(value for _, value in found)
    return found


async def test_no_original_matches_and_nobody_is_asked(site: Site) -> None:
    await ask(site)  # the crosswalk knows everything now
    asked, answers = len(site.pacs.calls), set()
    for keyword, value in originals(site):
        level = MATCHABLE[keyword][0]
        wild = (
            ()
            if MATCHABLE[keyword][1] == "UI"
            else (f"{value[:-2]}*", f"*{value[1:4]}*", f"?{value[1:]}", f"*{value}*")
        )
        for form in (value, *wild):
            found = await ask(site, level, **{keyword: form})
            answers.add((keyword, bool(found.matches), found.more, found.ignored, found.refused))
    assert not any(matches for _, matches, *_ in answers)
    assert len(site.pacs.calls) == asked
    assert {keyword: refused for keyword, _, _, _, refused in answers if refused}.keys() >= {"PatientName", "PatientID"}


async def test_an_answer_to_an_original_is_the_answer_to_nonsense(site: Site) -> None:
    await ask(site)
    for keyword, value in originals(site)[: 10 * len(TAGS)]:
        nonsense = "1.2.3.4" if MATCHABLE[keyword][1] == "UI" else "nonsense"
        level = MATCHABLE[keyword][0]
        assert await ask(site, level, **{keyword: value}) == await ask(site, level, **{keyword: nonsense})


async def test_a_key_that_is_refused_is_never_evaluated(site: Site) -> None:
    for keyword in (key for key, use in KEYS.items() if use is Use.REFUSE):
        level = MATCHABLE[keyword][0]
        found = await ask(site, level, **{keyword: "Zqxplant"})
        assert (found.matches, found.refused) == ([], (keyword,))
    assert site.pacs.calls == []


def disguised(pacs: Pacs) -> Pacs:
    """The same patients under other names, birth dates, numbers and texts, so that the PACS sorts and finds others."""
    other = copy.deepcopy(pacs)
    order = random.Random(5).sample(range(PATIENTS), PATIENTS)
    for number, header in zip(order, other.headers.values(), strict=True):
        header["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": f"Other^{number:03d}"}]}
        header["00100030"] = {"vr": "DA", "Value": [f"{1930 + number % 60}0102"]}
        for tag in ("00080050", "00200010", "00081030", "0008103E"):
            header[tag] = {"vr": header[tag]["vr"], "Value": [f"X{number}"]}
    return other


async def test_names_numbers_and_texts_change_no_answer(site: Site, tmp_path: Path) -> None:
    queries: list[tuple[str, dict[str, str]]] = [("study", {}), ("series", {"Modality": "CT"}), ("instance", {})]
    queries += [("study", {"StudyDate": f"20{10 + n}0101-20{11 + n}0601"}) for n in range(5)]
    async with viewing(tmp_path / "other", pacs=disguised(site.pacs)) as other:
        for level, keys in queries:
            for limit, offset in ((None, 0), (7, 3)):
                query = Query(keys, ("all",), limit, offset)
                mine = await site.search.search("research", level, {}, query, PEER)
                assert mine.matches or keys
                assert mine == await other.search.search("research", level, {}, query, PEER)


async def test_a_search_is_the_list_of_what_is_released_filtered(site: Site) -> None:
    everything = (await site.search.search("research", "study", {}, Query({}, ("all",)), PEER)).matches
    assert len(everything) == PATIENTS
    rng = random.Random(3)
    for _ in range(150):
        keys = _keys(rng, everything, site)
        found = (await site.search.search("research", "study", {}, Query(keys, ("all",)), PEER)).matches
        assert found == [match for match in everything if all(_matches(match, k, v) for k, v in keys.items())], keys


def _keys(rng: random.Random, released: list[Json], site: Site) -> dict[str, str]:
    """Keys on released and on original values, mixed."""
    day = first_value(rng.choice([*released, *site.pacs.headers.values()]), "00080020")
    other = first_value(rng.choice(released), "00080020")
    one = rng.choice(released)
    choices: dict[str, list[str]] = {
        "StudyDate": [day, f"{day}-", f"-{day}", f"{min(day, other)}-{max(day, other)}"],
        "PatientSex": ["M", "F", "*"],
        "PatientID": [first_value(one, "00100020"), f"*{first_value(one, '00100020')}*"],
        "StudyInstanceUID": ["\\".join(uid(match, "study") for match in rng.sample(released, 5))],
        "ModalitiesInStudy": ["CT"],
        "StudyTime": ["101112", "10-11"],
    }
    return {key: rng.choice(choices[key]) for key in rng.sample(sorted(choices), rng.randint(1, 2))}


def _matches(match: Json, keyword: str, value: str) -> bool:
    if keyword == "ModalitiesInStudy":
        return value == "CT"
    tag = {"StudyDate": "00080020", "PatientSex": "00100040", "StudyTime": "00080030", **TAGS}[keyword]
    return holds(MATCHABLE[keyword][1], match.get(tag, {}), value.strip("*") if keyword in MAPPED else value)


async def test_pages_are_pieces_of_one_list_in_an_order_of_released_values(site: Site) -> None:
    everything = (await ask(site)).matches
    pages: list[Json] = []
    for offset in range(0, PATIENTS + 30, 30):
        page = await site.search.search("research", "study", {}, Query({}, (), 30, offset), PEER)
        assert page.more == (offset + 30 < PATIENTS)
        pages += page.matches
    assert pages == everything
    order = [(first_value(match, "00080020"), uid(match, "study")) for match in everything]
    assert order == sorted(order)


async def test_another_projects_pseudonyms_are_as_unknown_as_nonsense(site: Site) -> None:
    mine = (await ask(site)).matches
    theirs = (await ask(site, project="other")).matches
    assert {uid(m, "study") for m in mine}.isdisjoint({uid(m, "study") for m in theirs})
    calls = list(site.pacs.calls)
    original = first_value(next(iter(site.pacs.headers.values())), TAGS["StudyInstanceUID"])
    outcomes: list[Any] = []
    for study in (uid(theirs[0], "study"), original, "2.25.7"):
        assert (await ask(site, StudyInstanceUID=study)).matches == []
        assert (await site.search.search("research", "series", {"study": study}, Query(), PEER)).matches == []
        assert await site.retrieve.find("research", Target(study), "instances", PEER) == []
        outcomes.append([(e.type, e.outcome, e.reason, sorted(e.object)) for e in site.audit.events[-3:]])
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert site.pacs.calls == calls


async def test_the_trail_has_no_value_that_was_asked_for(site: Site) -> None:
    for keyword, value in originals(site)[: 3 * len(TAGS)]:
        await ask(site, MATCHABLE[keyword][0], **{keyword: value})
        await site.retrieve.find("research", Target("1.2.3", value if value[0] in "12" else "1.2"), "metadata", PEER)
    said = repr(site.audit.events)
    assert not [value for _, value in originals(site)[: 3 * len(TAGS)] if value in said]
