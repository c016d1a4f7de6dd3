from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.console.studies import Books, StudiesPage, why
from proxy.console.studies_table import HEAD, harmless, table
from proxy.console.study import StudyPage
from proxy.service.compare import Compared
from proxy.service.flow import REFUSED, Key, Window
from proxy.service.ports import Peer
from proxy.service.reconcile import Balance, Delivery, Page, Place
from proxy.store.study_look import Queued

WHOLE = Balance(
    "research",
    "2.25.41",
    1_763_700_000.0,
    1_763_700_900.0,
    653,
    3,
    640,
    9,
    1,
    0,
    0,
    False,
    (Delivery("archive", 635, 4, 1, 0),),
)
SHORT = replace(WHOLE, uid="2.25.42", off=2, missing=5, deliveries=(Delivery("archive", 600, 0, 0, 7),))
FOREIGN = replace(WHOLE, project="other", uid="2.25.99", deliveries=(Delivery("pacs", 640, 0, 0, 0),))


class Here:
    """`Reconcile` of given studies."""

    def __init__(self, place: Any) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.balances = [WHOLE, SHORT, FOREIGN]
        self.next: Place | None = None
        books = Books(self, place, self._flow, ["research", "other"])  # type: ignore[arg-type]  # two methods of `Reconcile`, one of the trail
        place.parts += [StudiesPage(books), StudyPage(books, self._look, self)]  # type: ignore[arg-type]  # `Compare.study`

    async def page(
        self, projects: Sequence[str], uid: str, shown: str = "", after: Place | None = None, limit: int = 50
    ) -> Page:
        self.asked.append((projects, uid, shown, after))
        found = [each for each in self.balances if each.project in projects and each.uid.startswith(uid)]
        return Page(tuple(found), None if after else self.next)

    async def _look(self, project: str, uid: str, most: int) -> list[Queued]:
        return [
            Queued("2.25.7001", "archive", "failed", 3, 1_763_700_000.0, "A900"),
            *(Queued(f"2.25.{n}", "archive", "delivered", 1, 1_763_700_000.0, "A700") for n in range(most - 1)),
        ]

    async def study(self, project: str, uid: str, peer: Peer) -> list[Compared]:
        self.asked.append((project, uid, peer.name))
        return [
            Compared("archive", 635, 633, 2, ("2.25.8001",), 1),
            Compared("pacs2", 635, 635),
            Compared("pacs3", 635, problem="timeout"),
        ]

    def _flow(self, minutes: int, steps: int) -> Window:
        counts = {Key(REFUSED, "research", ""): (20, 11), Key(REFUSED, "other", ""): (500, 0)}
        return Window(datetime.now(UTC), minutes, counts, steps, datetime.now(UTC))


@pytest.fixture
def here(place: Any) -> Here:
    return Here(place)


async def read(place: Any, name: str, path: str = "/studies") -> tuple[int, str, Any]:
    async with place.open() as person:
        await person.sign_in(name)
        found: tuple[int, str, Any] = await person.get(path)
        return found


async def test_studies_of_the_own_projects(place: Any, here: Here) -> None:
    status, text, _ = await read(place, "operator")
    assert status == 200
    counts = "".join(f'<td class="number">{count}</td>' for count in (653, 3, 640, 9, 1))
    assert counts in text
    assert '635 delivered, <strong>4 waiting</strong>, <span class="bad">1 failed</span>' in text
    assert (
        '<span class="bad">no</span>: 2 not accounted for; 5 held, but not in quarantine; 7 never queued for archive'
        in text
    )
    assert "Refused in the last 24 hours: 31." in text
    for foreign in ("2.25.99", "other", "pacs", "531", "/audit?object="):
        assert foreign not in text
    assert '/console/audit?object=2.25.41"' in (await read(place, "officer"))[1]


async def test_questions_and_pages(place: Any, here: Here) -> None:
    here.next = Place(1763700000.25, "research", "2.25.7")
    _, text, _ = await read(place, "operator", "/studies?project=research&show=open&uid=2.25.4")
    assert here.asked == [(("research",), "2.25.4", "open", None)]
    assert '<option value="open" selected>' in text
    href = "/studies?project=research&amp;show=open&amp;uid=2.25.4&amp;after=1763700000.25+research+2.25.7"
    assert href in text
    await read(place, "operator", href.replace("&amp;", "&"))
    assert here.asked[-1] == (("research",), "2.25.4", "open", here.next)


async def test_one_study_what_failed_first_with_the_life_of_each_instance_for_who_audits(
    place: Any, here: Here
) -> None:
    for name in ("operator", "officer"):
        status, text, _ = await read(place, name, "/studies/research/2.25.42")
        assert status == 200
        assert "2 not accounted for; 5 held, but not in quarantine" in text
        assert "A900: data set does not match SOP class" in text
        assert "A700" not in text  # it was delivered after all
        assert text.count('<tr><th scope="row">') == 200
        assert "These are 200" in text
        assert ("/console/instance?of=2.25.7001" in text) == (name == "officer")
    for path in ("research/2.25.777", "research/MILLER", "other/2.25.99", "nowhere/2.25.42"):
        assert (await read(place, "operator", f"/studies/{path}"))[0] == 404
    assert (await read(place, "viewer", "/studies/other/2.25.99"))[0] == 200


async def test_the_destinations_are_asked_for_who_operates_or_audits(place: Any, here: Here) -> None:
    for name in ("operator", "officer"):
        async with place.open() as person:
            await person.sign_in(name)
            assert "could not be asked" not in (await person.get("/studies/research/2.25.42"))[1]
            status, text, _ = await person.post("/studies/research/2.25.42/compare")
        assert status == 200
        assert (
            '<span class="bad">2 missing</span>, among them: <code>2.25.8001</code>; 1 that Veil knows nothing of'
            in text
        )
        assert '<span class="good">all there</span></td>' in text
        assert "could not be asked: no answer in time" in text
        assert here.asked[-1] == ("research", "2.25.42", f"user:{name}")
    async with place.open() as person:
        await person.sign_in("viewer")
        assert "Compare" not in (await person.get("/studies/other/2.25.99"))[1]
        assert (await person.post("/studies/other/2.25.99/compare"))[0] == 403
        assert here.asked[-1][0] == ("other",)  # it was looked at only
    async with place.open() as person:
        await person.sign_in("operator")
        await person.get("/studies")
        assert (await person.post("/studies/other/2.25.99/compare"))[0] == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [("project=other", 404), ("project=nowhere", 404), ("show=all", 400), ("uid=MILLER", 400), ("after=x", 400)],
)
async def test_what_cannot_be_asked(place: Any, here: Here, query: str, status: int) -> None:
    for path in ("/studies?", "/studies.csv?"):
        assert (await read(place, "operator", path + query))[0] == status
    assert here.asked == []


async def test_the_table_is_taken_on_record(place: Any, here: Here) -> None:
    here.next = Place(1.5, "research", "2.25.7")
    status, text, headers = await read(place, "officer", "/studies.csv?show=open")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert headers["Content-Disposition"] == 'attachment; filename="studies.csv"'
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["study_instance_uid"] for row in rows] == ["2.25.41", "2.25.42"] * 2  # two pages
    assert [row["adds_up"] for row in rows[:2]] == ["yes", "no"]
    event = place.events[-1]
    assert (event.type, event.peer["caller"], event.counts) == ("exported", "user:officer", {"studies": 4})
    assert event.object["projects"] == ["research"]


async def test_no_record_no_table(place: Any, here: Here) -> None:
    async with place.open() as person:
        await person.sign_in("officer")
        place.full = True
        status, text, _ = await person.get("/studies.csv")
    assert status == 503
    assert "2.25.41" not in text


@pytest.mark.parametrize(
    ("cell", "safe"),
    [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("2.25.1", "2.25.1"), ("", "")],
)
def test_no_cell_is_computed(cell: str, safe: str) -> None:
    assert harmless(cell) == safe


def test_a_study_that_nothing_was_released_of_has_a_row() -> None:
    evil = replace(WHOLE, project='=cmd|"x"!A1', deliveries=())
    (row,) = csv.DictReader(io.StringIO(table([evil])))
    assert tuple(row) == HEAD
    assert (row["project"], row["destination"], row["received"]) == ('\'=cmd|"x"!A1', "", "653")
    assert next(csv.DictReader(io.StringIO(table([replace(WHOLE, forgotten=True)]))))["adds_up"] == "forgotten"


def test_why() -> None:
    assert why(WHOLE) == []
    assert why(replace(WHOLE, off=-2)) == ["2 more than came"]
