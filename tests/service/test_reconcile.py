"""A study adds up when all that came is accounted for; what is off is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from proxy.deid.types import Original
from proxy.errors import Reason
from proxy.service.ports import HeldInstance, Peer
from proxy.service.reconcile import Balance, Delivery, Reconcile, balanced
from proxy.store.study_rows import Place, Study

DELIVERED = {"pacs": {"waiting": 0, "delivered": 3, "failed": 0}}


def study(received: int = 3, again: int = 0, instances: int = 3, states=DELIVERED, **entries: str) -> Study:  # type: ignore[no-untyped-def]
    return Study("research", "2.25.1", received, again, False, 1.0, 2.0, instances, states, entries)


def test_what_came_is_delivered_waits_failed_or_is_held() -> None:
    states = {"pacs": {"waiting": 1, "delivered": 3, "failed": 1}}
    found = balanced(study(9, 1, 5, states, a="held", b="held", c="purged", d="replayed"), {"a", "b"}, ["pacs"])
    assert found == Balance("research", "2.25.1", 1.0, 2.0, 9, 1, 5, 2, 1, 0, 0, False, (Delivery("pacs", 3, 1, 1, 0),))
    assert found.adds_up


@pytest.mark.parametrize(
    ("one", "there", "off", "missing", "lacking"),
    [
        (study(4), [], 1, 0, 0),  # a row is gone
        (study(2), [], -1, 0, 0),  # a row too many
        (study(4, a="held"), [], 0, 1, 0),  # a file is gone
        (study(3, states={}), [], 0, 0, 3),  # never queued for the destination
        (study(4, a="purged"), ["a"], 0, 0, 0),  # a purge that did not come to its end
        (study(3, a="replayed"), [], 0, 0, 0),
    ],
)
def test_what_does_not_add_up(one: Study, there: Sequence[str], off: int, missing: int, lacking: int) -> None:
    found = balanced(one, there, ["pacs"])
    assert (found.off, found.missing, found.deliveries[0].lacking) == (off, missing, lacking)
    assert found.adds_up == (not (off or missing or lacking))


def test_what_is_forgotten_is_not_judged() -> None:
    assert balanced(replace(study(9), forgotten=True), (), ["pacs"]).adds_up


def test_a_destination_of_former_days_is_shown_while_something_is_left_for_it() -> None:
    states = DELIVERED | {"old": {"waiting": 0, "delivered": 3, "failed": 0}}
    assert [each.destination for each in balanced(study(states=states), (), ["pacs"]).deliveries] == ["pacs"]
    states["old"] = {"waiting": 1, "delivered": 2, "failed": 0}
    assert [each.destination for each in balanced(study(states=states), (), ["pacs"]).deliveries] == ["old", "pacs"]


@dataclass
class Rows:
    """`Store` of given studies, the last first."""

    studies: list[Study] = field(default_factory=list)
    noted: list[tuple[str, str, str, bool]] = field(default_factory=list)
    asked: int = 0

    async def kept(self, project: str, uid: str, entry: str, arrival: bool) -> None:
        self.noted.append((project, uid, entry, arrival))

    async def found(self, projects: Sequence[str], uid: str, state: str, after: Place | None, most: int) -> list[Study]:
        self.asked += 1
        start = 0 if after is None else [each.place for each in self.studies].index(after) + 1
        return self.studies[start : start + most]


def reconcile(rows: Rows, held: Sequence[str] = ()) -> Reconcile:
    async def entries() -> list[HeldInstance]:
        now = datetime.now(UTC)
        return [HeldInstance(one, "research", Reason.FACE, "", now, 1, "dimse", "00") for one in held]

    def pseudonym(project: str, uid: str) -> str:
        if not uid:
            raise ValueError("empty")
        return uid if uid.startswith("1.2.840.10008.") else f"2.25.{len(uid)}"

    return Reconcile(rows, entries, pseudonym, {"research": ["pacs"]})


def many(count: int, off: frozenset[int]) -> list[Study]:
    return [
        Study("research", f"2.25.{n}", 3 + (n in off), 0, False, 0.0, float(count - n), 3, DELIVERED, {})
        for n in range(count)
    ]


async def test_pages_go_on_where_they_ended() -> None:
    uids: list[str] = []
    page = await reconcile(rows := Rows(many(130, frozenset()))).page(["research"])
    while True:
        uids += [each.uid for each in page.balances]
        assert len(page.balances) <= 50
        if page.next is None:
            break
        page = await reconcile(rows).page(["research"], after=page.next)
    assert uids == [f"2.25.{n}" for n in range(130)]


async def test_what_does_not_add_up_is_found_among_many_a_piece_at_a_time() -> None:
    rows = Rows(many(2500, frozenset({7, 999, 2400})))
    found: list[str] = []
    after, pages = None, 0
    while True:
        page = await reconcile(rows).page(["research"], shown="open", after=after)
        found += [each.uid for each in page.balances]
        pages, after = pages + 1, page.next
        if after is None:
            break
    assert found == ["2.25.7", "2.25.999", "2.25.2400"]
    assert pages == 3


async def test_what_waits_or_failed_is_found_also_where_the_store_lets_others_through() -> None:
    failed = {"pacs": {"waiting": 0, "delivered": 2, "failed": 1}}
    waits = {"pacs": {"waiting": 1, "delivered": 2, "failed": 0}}
    rows = Rows([study(), replace(study(states=failed), uid="2.25.2"), replace(study(states=waits), uid="2.25.3")])
    for shown, uid in (("failed", "2.25.2"), ("waiting", "2.25.3")):
        assert [each.uid for each in (await reconcile(rows).page(["research"], shown=shown)).balances] == [uid]


async def test_quarantine_is_looked_at_for_entries_only() -> None:
    rows = Rows([study(4, a="held")])
    assert (await reconcile(rows, ["a"]).page(["research"])).balances[0].held == 1
    assert (await reconcile(rows, []).page(["research"])).balances[0].missing == 1


@pytest.mark.parametrize(
    ("original", "uid"),
    [
        (Original("1", "2", "1.2.3", "4"), "2.25.5"),
        (Original("1", "2", "", "4"), ""),
        (None, ""),
        (Original("1", "2", "1.2.840.10008.MILLER", "4"), ""),  # not hidden by a pseudonym, and no UID
    ],
)
async def test_a_held_instance_is_of_its_study_by_pseudonym(original: Original | None, uid: str) -> None:
    rows = Rows()
    entry = HeldInstance("id", "research", Reason.FACE, "", datetime.now(UTC), 1, "dimse", "00")
    for transport in ("dimse", "dicomweb", "cli", "console"):
        await reconcile(rows).count("research", entry, original, Peer(transport))
    assert rows.noted == [("research", uid, "id", arrival) for arrival in (True, True, False, False)]
