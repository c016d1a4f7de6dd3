"""Two people, one patient, one look: what is right is recorded and works; every way around is refused and recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from proxy.deid.types import Original, Report
from proxy.errors import AuditUnavailable, SealBroken
from proxy.service.identifying import Drawer
from proxy.service.reidentify_words import APPROVE, REQUEST, REVEAL, Message, Refused
from proxy.store.crosswalk import Key
from proxy.store.database import Database
from proxy.store.officers import sign
from tests.service.reidentifying import ANNA, BEN, CLEO, MALLORY, P1, PLANTED, Site, both_ways, officer_in, value


@pytest.fixture(params=["here", "over HTTP"])
async def site(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with both_ways(database, request.param) as made:
        yield made


async def test_two_officers_read_one_patient_and_all_of_it_is_on_record(site: Site) -> None:
    request = await site.ask()
    await site.approve(request)
    assert await site.reveal(request) == ("Hospital", f"{PLANTED}-0")
    assert site.trail.told() == [("asked", ""), ("approved", ""), ("revealed", "")]
    asked, approved, revealed = site.trail.events
    assert [officer_in(event) for event in site.trail.events] == ["anna", "ben", "anna"]
    assert asked.object["officers"] == ["anna", "ben", "cleo"]
    for event in (asked, revealed):
        assert ANNA.officer.signed(event.object["statement"], event.object["signature"])
    assert "share" not in repr(approved)  # it is the requester's, and only when she reads
    for event in (asked, approved, revealed):
        assert (event.object["patient_id"], event.object["ticket"], event.object["request"]) == (P1, "INC-17", request)
    assert revealed.object["approver"] == "ben"
    assert PLANTED not in repr(site.trail.events) + json.dumps(await site.service.requests())


async def test_it_is_shown_after_the_record_and_not_without(site: Site) -> None:
    request = await site.ask()
    await site.approve(request)
    site.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await site.reveal(request)
    site.trail.broken = False
    await site.refused(site.reveal(request), "spent")  # in doubt it counts as used


@pytest.mark.parametrize("step", ["request", "approve"])
async def test_nothing_is_taken_without_its_record(site: Site, step: str) -> None:
    request = await site.ask() if step == "approve" else ""
    site.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await (site.approve(request) if request else site.ask())
    assert [each["state"] for each in await site.service.requests()] == (["asked"] if request else [])


async def test_nobody_approves_his_own(site: Site) -> None:
    request = await site.ask()
    event = await site.refused(site.take(APPROVE, await site.approving(request, ANNA)), "self-approval")
    assert (officer_in(event), event.object["patient_id"]) == ("anna", P1)
    await site.refused(site.reveal(request), "not-approved")


async def test_nobody_approves_his_own_under_a_second_name(database: Database) -> None:
    twice = {"anna": ANNA.officer, "other": replace(ANNA.officer, name="other"), "ben": BEN.officer}
    site = Site(database, {"research": Drawer(twice, 3, 24)})
    await site.fill()
    request = await site.ask()
    other = replace(ANNA, officer=twice["other"])
    await site.refused(site.take(APPROVE, await site.approving(request, other)), "self-approval")


async def test_a_request_is_good_for_one_look(site: Site) -> None:
    request = await site.ask()
    await site.approve(request)
    message = site.message(ANNA, REVEAL, request=request)
    await site.take(REVEAL, message)
    await site.refused(site.take(REVEAL, message), "spent")
    await site.refused(site.reveal(request), "spent")
    await site.refused(site.approve(request), "not-waiting")


async def test_of_two_looks_at_once_one_is_refused(site: Site) -> None:
    for _ in range(3):
        request = await site.ask()
        await site.approve(request)
        site.trail.events.clear()
        done = await asyncio.gather(*(site.reveal(request) for _ in range(20)), return_exceptions=True)
        assert [each for each in done if not isinstance(each, Refused)] == [("Hospital", f"{PLANTED}-0")]
        assert sorted(site.trail.told()) == [("refused", "spent")] * 19 + [("revealed", "")]


async def test_of_two_approvals_at_once_one_is_refused(site: Site) -> None:
    request = await site.ask()
    both = await asyncio.gather(site.approve(request, BEN), site.approve(request, CLEO), return_exceptions=True)
    assert sum(isinstance(each, Refused) for each in both) == 1
    assert sorted(site.trail.told()[1:]) == [("approved", ""), ("refused", "not-waiting")]


async def test_a_request_sent_twice_is_one_request(site: Site) -> None:
    message = site.asking()
    await site.take(REQUEST, message)
    await site.refused(site.take(REQUEST, message), "replayed")
    assert len(await site.service.requests()) == 1


async def test_of_the_same_request_at_once_one_is_refused(site: Site) -> None:
    message = site.asking()
    both = await asyncio.gather(*[site.take(REQUEST, message) for _ in range(2)], return_exceptions=True)
    assert [each.reason for each in both if isinstance(each, Refused)] == ["replayed"]


async def test_an_old_statement_is_refused(site: Site) -> None:
    message = site.asking()
    for way in (301, -602):
        site.now += way
        await site.refused(site.take(REQUEST, message), "stale")


async def test_after_its_time_a_request_is_nothing(site: Site) -> None:
    waiting, approved = await site.ask(), await site.ask()
    await site.approve(approved)
    site.now += 4 * 3600
    await site.refused(site.approve(waiting), "expired")
    await site.refused(site.reveal(approved), "expired")
    assert [each["state"] for each in await site.service.requests()] == ["expired", "expired"]


@pytest.mark.parametrize("pseudonyms", [[], [P1, "P2"], [P1, P1], ["P2"] * 80])
async def test_one_patient_at_a_time(site: Site, pseudonyms: list[str]) -> None:
    event = await site.refused(site.take(REQUEST, site.asking(pseudonyms=pseudonyms)), "bulk")
    assert event.counts == ({"patients": len(pseudonyms)} if pseudonyms else {})


async def test_so_many_a_day_over_restarts_too(site: Site, database: Database) -> None:
    for _ in range(3):
        await site.ask()
    await site.refused(site.ask(), "too-many")
    again = Site(database)
    again.nonce = 90
    await again.refused(again.ask(), "too-many")
    await again.ask(BEN)
    again.now += 86_400
    await again.ask()


async def test_what_is_long_over_is_forgotten_with_the_records_of_it(database: Database) -> None:
    site = Site(database, keep_days=30)
    await site.fill()
    old = await site.ask()
    site.now += 4 * 3600 + 30 * 86_400
    young = await site.ask()
    assert {each["request"] for each in await site.service.requests()} == {old, young}
    site.now += 1
    await site.ask(BEN)
    assert old not in {each["request"] for each in await site.service.requests()}
    assert young in {each["request"] for each in await site.service.requests()}


async def test_many_at_once_are_no_more_than_so_many(site: Site) -> None:
    done = await asyncio.gather(*(site.ask() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in done) == 3


@pytest.mark.parametrize("typed", ["unknown", "Meier^Hans"])
async def test_what_somebody_typed_is_not_recorded(site: Site, typed: str) -> None:
    event = await site.refused(site.take(REQUEST, site.asking(pseudonyms=[typed])), "no-such-patient")
    assert typed not in repr(event)


async def test_strangers_and_forged_signatures_are_refused(site: Site) -> None:
    request = await site.ask()
    stranger = await site.refused(site.take(REQUEST, site.asking(MALLORY)), "unknown-officer")
    assert officer_in(stranger) == ""
    forged = site.message(BEN, REVEAL, MALLORY, request=request)
    event = await site.refused(site.take(REVEAL, forged), "bad-signature")
    assert officer_in(event) == ""
    await site.approve(request)
    await site.refused(site.reveal(request, BEN), "not-the-requester")
    await site.refused(site.reveal(request, CLEO), "not-the-requester")
    await site.refused(site.reveal("0" * 32), "no-such-request")


@pytest.mark.parametrize(
    "members",
    [
        {"purpose": "curiosity"}, {"ticket": "Meier, Hans"}, {"ticket": ""}, {"hours": True}, {"hours": "4"},
        {"more": 1}, {"nonce": "1"}, {"pseudonyms": [1]}, {"pseudonyms": P1}, {"at": 1.5}, {"pseudonyms": ["x" * 5000]},
        {"at": 10**400}, {"at": -1}, {"hours": 1 << 53}, {"pseudonyms": ["\ud800"]},
    ],
)  # fmt: skip
async def test_what_is_not_a_request_is_refused(site: Site, members: dict[str, Any]) -> None:
    event = await site.refused(site.take(REQUEST, site.asking(**members)), "malformed")
    assert "Meier" not in repr(event)


async def test_a_statement_is_written_in_one_way(site: Site) -> None:
    """Else one request would have many names, and a list would not be counted as one."""
    said = json.loads(site.asking().statement)
    for text in (json.dumps(said), json.dumps(dict(reversed(said.items())), separators=(",", ":"))):
        await site.refused(site.take(REQUEST, Message(text, sign(ANNA.private, text))), "malformed")


async def test_no_other_statement_stands_for_another(site: Site) -> None:
    request = await site.ask()
    await site.refused(site.take(APPROVE, site.message(BEN, REVEAL, request=request)), "malformed")
    await site.refused(site.take(REQUEST, Message("{", "00")), "malformed")
    await site.refused(site.take(REQUEST, site.asking(hours=25)), "too-long")
    await site.refused(site.take(REQUEST, site.asking(project="other")), "unknown-officer")


async def test_an_approval_is_of_the_entry_that_there_was(site: Site) -> None:
    request = await site.ask()
    await site.approve(request)
    key = Key("research", 1, "patient", P1)
    await site.identities.put(key, ("", "another"), (ANNA.officer, BEN.officer))
    await site.refused(site.reveal(request), "entry-changed")


async def test_the_approvers_share_opens_for_the_requester_and_his_request_alone(site: Site) -> None:
    request = await site.ask()
    await site.approve(request)
    told = await site.take(REVEAL, site.message(ANNA, REVEAL, request=request))
    for other, who in ((request, CLEO), ("0" * 32, ANNA)):
        with pytest.raises(SealBroken):
            value(told, other, who)


async def test_states_outlive_a_restart(site: Site, database: Database) -> None:
    request = await site.ask()
    await site.approve(request)
    again = Site(database)
    assert await again.reveal(request) == ("Hospital", f"{PLANTED}-0")
    with pytest.raises(Refused, match="spent"):
        await Site(database).reveal(request)


async def test_nothing_is_remembered_without_a_drawer_or_without_a_patient_id(site: Site) -> None:
    report = Report("1", "2", "CT", "P9", "3", "4", "5", "", "d", 1)
    await site.identifying.remember("other", report, Original("1", "2", "3", "4", "", "id"))
    await site.identifying.remember("research", report, Original("1", "2", "3", "4"))
    assert await site.identities.get("other", "P9") is None
    assert await site.identities.get("research", "P9") is None
