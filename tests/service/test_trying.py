"""Rules are tried on record: before anything is shown, with digests and outcomes, without values."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from proxy.deid.pixels.shown import NOTHING, Masked
from proxy.deid.previewed import MOST_ROWS, Previewed, Row, Table, Wish
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.errors import AuditUnavailable, ConfigError, Unavailable
from proxy.service.ports import AuditEvent, Peer
from proxy.service.trying import Difference, Trying, differences
from proxy.store.rulebook import load_profile, load_tables

PEER = Peer("dicomweb", "10.0.0.9", name="user:otto")
KVP = Row("", "(0018,0060)", "KVP", "DS", "keep", "unlisted DS", "E.1")
UID = Row("(0008,1140)[0]", "(0008,1155)", "ReferencedSOPInstanceUID", "UI", "U", "Table E.1-1", "E.1")
NOW = Previewed(table=Table(2, (KVP, UID)), picture=Masked(NOTHING, "none"))
THEN = replace(
    NOW, reason="refused-by-rule", table=Table(1, (replace(KVP, action="remove", rule="mine 1", section=""),))
)


@cache
def policy() -> Policy:
    return compile_policy(load_tables(), PolicySpec("research", load_profile("basic"), b"k" * 32))


class World:
    def __init__(self) -> None:
        self.done: list[Any] = []
        self.audit_fails = self.preview_fails = False
        self.trying = Trying(self, self, lambda project: f"digest of {project}", self.compiled)

    async def of(self, project: str, data: bytes, wish: Wish, candidate: Policy | None = None) -> Previewed:
        self.done.append(("preview", project, data, wish, candidate))
        if self.preview_fails:
            raise Unavailable("too large")
        return NOW if candidate is None else THEN

    async def record(self, *events: AuditEvent) -> None:
        if self.audit_fails:
            raise AuditUnavailable("full")
        self.done.extend(events)

    def compiled(self, project: str, text: bytes) -> Policy:
        if text == b"wrong":
            raise ConfigError("profile mine: rules: rule 1.do", "it is keep, remove")
        return policy()

    @property
    def records(self) -> list[AuditEvent]:
        return [each for each in self.done if isinstance(each, AuditEvent)]


async def test_both_outcomes_and_digests_are_on_record_and_no_value_is() -> None:
    world = World()
    tried = await world.trying.run("research", b"file", b"rules", 3, PEER)
    assert [each[-1] for each in world.done[:2]] == [None, policy()]
    assert world.done[0][1:4] == ("research", b"file", Wish(0, MOST_ROWS, 3))
    (event,) = world.records
    assert event is world.done[-1]
    assert (event.type, event.outcome, event.project, event.policy_digest) == (
        "rules-tried", "success", "research", "digest of research",
    )  # fmt: skip
    assert event.peer["caller"] == "user:otto"
    assert event.object == {
        "kind": "rules",
        "candidate": policy().digest,
        "outcomes": {"now": "released", "then": "refused-by-rule"},
    }
    assert (tried.now, tried.then, tried.digest, tried.whole) == (NOW, THEN, policy().digest, True)
    assert tried.differences == (
        Difference("", "(0018,0060)", "KVP", "keep", "unlisted DS (E.1)", "remove", "mine 1"),
        Difference("(0008,1140)[0]", "(0008,1155)", "ReferencedSOPInstanceUID", "U", "Table E.1-1 (E.1)", "absent", ""),
    )


async def test_without_other_rules_one_outcome_is_shown() -> None:
    world = World()
    tried = await world.trying.run("research", b"file", b"", 1, PEER)
    assert (tried.then, tried.differences, len(world.done)) == (None, (), 2)
    assert world.records[0].object == {"kind": "rules", "candidate": "", "outcomes": {"now": "released"}}


async def test_rules_that_are_not_in_order_are_refused_on_record_and_nothing_is_judged() -> None:
    world = World()
    with pytest.raises(ConfigError, match=r"rule 1\.do"):
        await world.trying.run("research", b"file", b"wrong", 1, PEER)
    assert len(world.done) == 1
    assert (world.records[0].outcome, world.records[0].reason) == ("failure", "candidate-refused")


async def test_no_record_no_outcome() -> None:
    world = World()
    world.audit_fails = True
    with pytest.raises(AuditUnavailable):
        await world.trying.run("research", b"file", b"", 1, PEER)
    with pytest.raises(AuditUnavailable):
        await world.trying.run("research", b"file", b"wrong", 1, PEER)
    world.audit_fails, world.preview_fails = False, True
    with pytest.raises(Unavailable):
        await world.trying.run("research", b"file", b"", 1, PEER)
    assert world.records == []


def test_what_is_done_the_same_way_is_no_difference() -> None:
    assert list(differences([KVP, UID], [UID, KVP])) == []
    assert [each.now for each in differences([], [KVP])] == ["absent"]
    assert [each.then_rule for each in differences([KVP], [replace(KVP, rule="mine 2", section="")])] == ["mine 2"]
