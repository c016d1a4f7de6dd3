"""Rules: what is in force and how it changed, for those of the project; taking new ones is for the whole site's."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.rules import Rulebook, RulesPages
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.service.effective_rules import EffectiveRules
from proxy.service.ports import Peer
from proxy.service.rules_history import Change, History
from proxy.store.rulebook import load_profile, load_tables

PROFILES = {"research": "research", "other": "basic"}
SPECS = {name: PolicySpec(name, load_profile(profile), b"k" * 32) for name, profile in PROFILES.items()}
TABLES = load_tables()
POLICIES = {name: compile_policy(TABLES, spec) for name, spec in SPECS.items()}
DIGEST = POLICIES["research"].digest
WHY = "profile <b>other</b>: options: no"


class Past:
    async def read(self) -> History:
        both = {"research": DIGEST, "other": "o" * 64}
        return History(
            (
                Change(9, "2026-11-21T09:30:00.000042Z", "rules-refused", "otto", both, both, WHY),
                Change(7, "2026-11-21T08:00:00.000000Z", "started", "Veil itself", both, both),
                Change(4, "2026-11-20T22:15:01.000000Z", "rules-reloaded", "anna", {"research": "0" * 64}, both),
            ),
            True,
        )


class Reloads:
    def __init__(self) -> None:
        self.asked: list[Peer] = []
        self.problem = ""

    async def __call__(self, peer: Peer) -> dict[str, str]:
        self.asked.append(peer)
        if self.problem:
            raise ConfigError("profile mine: rules: rule 1.do", self.problem)
        return {}


@pytest.fixture
def reloads(place: Any) -> Reloads:
    made = Reloads()
    place.parts.append(RulesPages(Rulebook(EffectiveRules(lambda: SPECS, lambda: POLICIES), Past(), made)))
    return made


async def seen(place: Any, name: str, path: str) -> str:
    async with place.open() as person:
        assert await person.sign_in(name) == 303
        status, text, _ = await person.get(path)
        assert status == 200
        return str(text)


@pytest.mark.usefixtures("reloads")
async def test_who_runs_a_project_sees_its_rules_and_no_others(place: Any) -> None:
    for name in ("operator", "officer"):
        text = await seen(place, name, "/rules")
        assert f"<code>{DIGEST[:16]}</code>" in text
        assert "2026-11-20 22:15:01 UTC</time></td><td>anna</td>" in text  # the start did not change them
        assert "/rules/other" not in text
        assert "Reload rules from disk" not in text
    assert "/rules/other" in await seen(place, "administrator", "/rules")


@pytest.mark.usefixtures("reloads")
async def test_the_page_of_a_project_has_profile_and_history(place: Any) -> None:
    text = await seen(place, "officer", "/rules/research")
    assert f"<code>{DIGEST}</code>" in text
    assert "  private: remove" in text
    assert "<td>taken into force</td><td>anna</td>" in text
    assert "<td>Veil started, the same rules</td>" in text
    assert '<span class="bad">refused</span></td><td>otto</td>' in text
    assert "options: no" not in text  # why can be about any project
    assert "see the record" in text
    text = await seen(place, "administrator", "/rules/research")
    assert "profile &lt;b&gt;other&lt;/b&gt;: options: no" in text


@pytest.mark.usefixtures("reloads")
async def test_another_project_does_not_exist_and_a_viewer_is_refused_on_record(place: Any) -> None:
    async with place.open() as person:
        await person.sign_in("officer")
        assert (await person.get("/rules/other"))[0] == 404
        assert (await person.get("/rules/none"))[0] == 404
        assert (await person.get("/rules/research"))[0] == 200
    assert ("denied", "user:officer", "role") not in place.said()
    async with place.open() as person:
        await person.sign_in("viewer")
        assert (await person.get("/rules"))[0] == 403
        assert (await person.get("/rules/other"))[0] == 403
        assert (await person.get("/rules/research"))[0] == 403
    assert place.said().count(("denied", "user:viewer", "role")) == 3
    assert "Rules</a>" not in await seen(place, "viewer", "")


async def test_rules_are_taken_by_administrators_of_the_whole_site_alone(place: Any, reloads: Reloads) -> None:
    for name in ("operator", "officer"):
        async with place.open() as person:
            await person.sign_in(name)
            await person.get("/rules")
            assert (await person.post("/rules"))[0] == 403
        assert ("denied", f"user:{name}", "role") in place.said()
    assert reloads.asked == []
    async with place.open() as person:
        await person.sign_in("administrator")
        await person.get("/rules")
        status, _, headers = await person.post("/rules")
        assert (status, headers["Location"]) == (303, "/console/rules?taken")
        assert "in force now" in (await person.get("/rules?taken"))[1]
    assert [peer.name for peer in reloads.asked] == ["user:administrator"]


async def test_a_refusal_says_what_is_wrong(place: Any, reloads: Reloads) -> None:
    reloads.problem = "it is <keep>, remove"
    async with place.open() as person:
        await person.sign_in("administrator")
        await person.get("/rules")
        status, text, _ = await person.post("/rules")
        assert status == 422
        assert "rule 1.do" in text
        assert "it is &lt;keep&gt;, remove" in text
        assert 'role="alert"' in text
