"""Many patients at once: only as a file with both names in it, by two officers, seldom; every other way is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.identifying import Drawer
from proxy.service.reidentify_words import (
    APPROVE,
    APPROVE_EXPORT,
    COLLECT,
    EXPORT,
    REQUEST,
    REVEAL,
    Message,
    Refused,
    canonical,
    digest,
)
from proxy.store.crosswalk import Key
from proxy.store.database import Database
from tests.service.reidentifying import ANNA, BEN, CLEO, P1, PLANTED, Site, both_ways


@pytest.fixture(params=["here", "over HTTP"])
async def site(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with both_ways(database, request.param) as made:
        yield made


async def asked(site: Site) -> str:
    return str(await site.take(EXPORT, site.exporting()))


async def approved(site: Site) -> str:
    request = await asked(site)
    await site.take(APPROVE_EXPORT, await site.approving_export(request))
    return request


def collecting(site: Site, request: str) -> Message:
    return site.message(ANNA, COLLECT, request=request)


async def test_two_officers_make_a_file_and_each_step_is_recorded_once_with_number_and_digest(site: Site) -> None:
    request = await approved(site)
    told = await site.take(COLLECT, collecting(site, request))
    assert (told["requester"], told["approver"]) == ("anna", "ben")
    assert ANNA.officer.signed(told["request"]["statement"], told["request"]["signature"])
    assert BEN.officer.signed(told["approval"]["statement"], told["approval"]["signature"])
    assert [row["pseudonym"] for row in told["entries"]] == ["P2", P1]
    types = [event.type for event in site.trail.events]
    assert types == [f"reidentification-export-{step}" for step in ("asked", "approved", "made")]
    for event in site.trail.events:
        assert event.counts == {"patients": 2}
        assert event.object["list"] == digest(told["request"]["list"])
        assert P1 not in repr(event)
    assert site.trail.events[-1].object["sha256"] == digest(canonical(told))
    for event, who in zip(site.trail.events, (ANNA, BEN, ANNA), strict=True):
        assert who.officer.signed(event.object["statement"], event.object["signature"])
    assert PLANTED not in repr(site.trail.events) + json.dumps(told)


async def test_a_file_is_handed_out_once_and_after_its_record(site: Site) -> None:
    request = await approved(site)
    site.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await site.take(COLLECT, collecting(site, request))
    site.trail.broken = False
    event = await site.refused(site.take(COLLECT, collecting(site, request)), "spent")
    assert event.counts == {"patients": 2}


async def test_of_many_who_collect_at_once_one_gets_it(site: Site) -> None:
    request = await approved(site)
    tries = (site.take(COLLECT, collecting(site, request)) for _ in range(10))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, dict) for each in done) == 1
    assert sorted(site.trail.told()[2:]) == [("export-made", "")] + [("refused", "spent")] * 9


async def test_nobody_approves_his_own_list(site: Site) -> None:
    request = await asked(site)
    own = await site.approving_export(request, ANNA)
    await site.refused(site.take(APPROVE_EXPORT, own), "self-approval")
    await site.refused(site.take(COLLECT, collecting(site, request)), "not-approved")


async def test_a_list_goes_no_other_way(site: Site) -> None:
    """Neither as a request for one patient, nor by the steps that are for one, nor one by the steps for many."""
    await site.refused(site.take(REQUEST, site.asking(pseudonyms=[P1, "P2"])), "bulk")
    request = await approved(site)
    await site.refused(site.take(REVEAL, site.message(ANNA, REVEAL, request=request)), "bulk")
    await site.refused(site.take(APPROVE, await site.approving(request)), "bulk")
    single = await site.ask()
    await site.refused(site.take(COLLECT, collecting(site, single)), "no-such-request")
    await site.refused(site.take(EXPORT, site.asking()), "malformed")
    await site.refused(site.take(REQUEST, site.exporting()), "malformed")


async def test_a_list_is_the_one_that_was_signed(site: Site) -> None:
    message = site.exporting()
    for attached in ("", "P2\n", f"P2\n{P1}\nZ3\n", f"{P1}\nP2\n", "A\nB\n"):
        event = await site.refused(site.take(EXPORT, replace(message, attached=attached)), "attachment")
        assert event.counts == {"patients": 2}
    for names in ((P1, "P2"), (P1, P1), ("", P1), ("P\x002", P1)):  # not sorted, twice, nobody, not printable
        await site.refused(site.take(EXPORT, site.exporting(names)), "attachment")
    await site.refused(site.take(EXPORT, site.exporting(patients=1)), "attachment")
    await site.refused(site.take(EXPORT, site.exporting(patients=-2)), "malformed")
    assert await site.service.requests() == []


async def test_who_is_not_known_is_not_recorded(site: Site) -> None:
    event = await site.refused(site.take(EXPORT, site.exporting(("Meier^Hans", P1))), "no-such-patient")
    assert "Meier" not in repr(event)


async def test_shares_are_those_that_were_signed(site: Site) -> None:
    request = await asked(site)
    message = await site.approving_export(request)
    await site.refused(site.take(APPROVE_EXPORT, replace(message, attached=message.attached[:-2])), "attachment")
    other = await site.approving_export(request, entries="0" * 64)
    await site.refused(site.take(APPROVE_EXPORT, other), "entry-changed")


async def test_an_approval_is_of_the_entries_that_there_were(site: Site) -> None:
    request = await approved(site)
    await site.identities.put(Key("research", 1, "patient", "P2"), ("", "x"), (ANNA.officer, BEN.officer))
    await site.refused(site.take(COLLECT, collecting(site, request)), "entry-changed")


async def test_one_list_a_day_which_counts_for_itself(site: Site) -> None:
    await asked(site)
    await site.refused(site.take(EXPORT, site.exporting()), "too-many")
    for _ in range(3):
        await site.ask()
    await site.refused(site.ask(), "too-many")
    site.now += 86_400
    await asked(site)


async def test_after_its_time_and_for_others_a_list_is_nothing(site: Site) -> None:
    request = await approved(site)
    await site.refused(site.take(COLLECT, site.message(CLEO, COLLECT, request=request)), "not-the-requester")
    await site.refused(site.take(APPROVE_EXPORT, await site.approving_export(request, CLEO)), "not-waiting")
    site.now += 4 * 3600
    await site.refused(site.take(COLLECT, collecting(site, request)), "expired")
    replayed = replace(site.exporting(), statement="{}")
    await site.refused(site.take(EXPORT, replayed), "malformed")


@pytest.mark.parametrize(
    ("drawer", "reason"), [({"exports_per_day": 0}, "too-many"), ({"patients_per_export": 1}, "too-large")]
)
async def test_lists_can_be_forbidden_and_are_short(database: Database, drawer: Any, reason: str) -> None:
    officers = {each.officer.name: each.officer for each in (ANNA, BEN)}
    site = Site(database, {"research": Drawer(officers, 3, 24, **drawer)})
    await site.fill()
    await site.refused(site.take(EXPORT, site.exporting()), reason)


async def test_who_may_approve_is_told_the_list_and_nobody_in_passing(site: Site) -> None:
    request = await asked(site)
    (row,) = await site.service.requests()
    assert "list" not in row
    assert "entries" not in row
    found = await site.service.find(request)
    assert (found["list"], len(found["entries"])) == (site.exporting().attached, 2)


async def test_the_same_list_sent_twice_is_one_request(site: Site) -> None:
    message = site.exporting()
    await site.take(EXPORT, message)
    await site.refused(site.take(EXPORT, message), "replayed")
    with pytest.raises(Refused):
        await site.take(EXPORT, replace(message, signature="00"))
