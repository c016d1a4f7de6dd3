"""Held instances at the console: who sees which, what can be done by whom, what is on record, what nobody sees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from proxy.console.held import HeldPages
from proxy.console.held_entries import PAGE, Entries
from proxy.console.held_one import HeldInstancePages
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.shown import WHOLE, Mark, Masked
from proxy.deid.previewed import Previewed, Row, Table, Wish
from proxy.errors import Reason, SealBroken, WorkersUnavailable
from proxy.service import events
from proxy.service.destination_words import must_say
from proxy.service.held_words import PURGE_WHYS
from proxy.service.ingest import Outcome
from proxy.service.ports import HeldInstance, Peer
from tests.console.conftest import Person, Place

PNG = b"\x89PNG masked"
ROW = Row("(0008,1140)[0]", "(0008,1155)", "ReferencedSOPInstanceUID", "UI", "remap", "E.1-1 U", "E.2")
SEEN = Previewed(
    "bad-uid", "not a valid UID", "(0008,0018)", "nothing blanked", Table(1, (ROW,)),
    Masked(WHOLE, "", 3, 1, (Mark("rule acme", Box(1, 2, 5, 6)),), PNG),
)  # fmt: skip
RELEASED = Outcome(True, None, None, None, 1.0, "accept")
STILL = Outcome(False, Reason.FACE, None, None, 1.0, "accept")


def entry(name: str, project: str = "research", reason: Reason = Reason.BURNED_IN, minutes: int = 0) -> HeldInstance:
    received = datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    return HeldInstance(name, project, reason, "Burned In Annotation is not NO", received, 12345, "dimse", "00")


@dataclass
class Vault:
    """Quarantine, replay and preview in one; what was done is noted."""

    place: Place
    held: list[HeldInstance] = field(default_factory=list)
    outcomes: dict[str, Outcome | Exception] = field(default_factory=dict)
    done: list[tuple[str, ...]] = field(default_factory=list)
    seen: Previewed | Exception = SEEN
    now: float = 0.0

    async def list(self) -> Sequence[HeldInstance]:
        return list(self.held)

    async def replay(self, entry_id: str, peer: Peer) -> Outcome:
        self.done.append(("replay", entry_id, peer.name))
        self.now += 8
        outcome = self.outcomes.get(entry_id, RELEASED)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def purge_because(self, entry_id: str, peer: Peer, why: str, ticket: str) -> HeldInstance:
        must_say(why, ticket, PURGE_WHYS)
        self.done.append(("purge", entry_id, peer.name, why, ticket))
        self.held = [each for each in self.held if each.id != entry_id]
        return entry(entry_id)

    async def preview(self, held: HeldInstance, peer: Peer, wish: Wish) -> Previewed:
        await self.place.record(events.viewed(held, peer))
        self.done.append(("preview", held.id, str(wish.frame), str(wish.start), str(wish.most)))
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen


class _Previews:
    def __init__(self, vault: Vault) -> None:
        self.held = vault.preview


@pytest.fixture
def vault(place: Place) -> Vault:
    made = Vault(place, [entry("aaaa"), entry("bbbb", "other"), entry("cccc", "", Reason.ENGINE_ERROR)])

    def clock() -> float:
        return made.now

    entries, projects = Entries(made.list, lambda: place.now), ["research", "other"]
    place.parts = [
        HeldPages(entries, made, projects, clock),  # type: ignore[arg-type]  # only two methods are asked for
        HeldInstancePages(entries, made, _Previews(made), projects, clock),  # type: ignore[arg-type]  # as above
    ]
    return made


async def come(person: Person, name: str) -> None:
    """Sign in, whoever was signed in before."""
    person.http.cookie_jar.clear()
    assert await person.sign_in(name) == 303


async def picture(person: Person, query: str = "") -> tuple[int, bytes, str]:
    async with person.http.get(f"{person.root}/console/quarantine/aaaa/picture.png{query}") as response:
        return response.status, await response.read(), response.headers["Cache-Control"]


@pytest.fixture
async def person(place: Place, vault: Vault) -> AsyncIterator[Person]:
    async with place.open() as made:
        yield made


async def test_everybody_sees_what_they_may_operate(place: Place, person: Person) -> None:
    for name, ids in (("operator", {"aaaa"}), ("administrator", {"aaaa", "bbbb", "cccc"})):
        await come(person, name)
        status, page, _ = await person.get("/quarantine")
        assert status == 200
        assert set(re.findall(r"quarantine/([a-z]{4})\"", page)) == ids
        assert 'aria-current="page">Held' in page
        for each in ("aaaa", "bbbb", "cccc"):
            assert (await person.get(f"/quarantine/{each}"))[0] == (200 if each in ids else 404)


async def test_who_may_not_operate_is_turned_away_on_record(place: Place, person: Person, vault: Vault) -> None:
    for name in ("viewer", "officer"):
        await come(person, name)
        for path in ("", "/aaaa", "/aaaa/preview", "/aaaa/picture.png", "/aaaa/purge"):
            assert (await person.get(f"/quarantine{path}"))[0] == 403
        assert place.said()[-1] == ("denied", f"user:{name}", "role")
    assert vault.done == []


async def test_the_list_is_narrowed_counted_and_paged(place: Place, person: Person, vault: Vault) -> None:
    vault.held = [entry(f"n{n}", minutes=n) for n in range(PAGE + 3)]
    vault.held += [entry(f"f{n}", reason=Reason.FACE, minutes=n - 99) for n in range(4)]
    await come(person, "operator")
    first, second = [(await person.get(f"/quarantine?page={page}"))[1] for page in (1, 2)]
    assert f"{PAGE + 7} held, page 1 of 2" in first
    assert first.index(f">n{PAGE + 2}<") < first.index(f">n{PAGE + 1}<")
    assert ">n2<" not in first
    assert all(f">{each}<" in second for each in ("n2", "n1", "n0", "f0"))
    _, faces, _ = await person.get("/quarantine?reason=recognizable-face")
    assert "4 held" in faces
    assert ">n1<" not in faces
    assert f'<td class="number">{PAGE + 3}</td>' in faces
    for nonsense in ("?reason=<script>", "?project=other", "?transport=x"):
        page = (await person.get(f"/quarantine{nonsense}"))[1]
        assert "Nothing that is held is so" in page
        assert "<script>" not in page
    for number in ("0", "-1", "9999999", "x", "٣"):
        assert (await person.get(f"/quarantine?page={number}"))[0] == 200


async def test_a_detail_says_what_it_means_and_what_to_do(place: Place, person: Person) -> None:
    await come(person, "operator")
    page = (await person.get("/quarantine/aaaa"))[1]
    assert "Burned In Annotation is not NO" in page
    assert "blanked by a device rule" in page
    assert "12,345" in page
    assert "Purge" not in page
    assert "/instance?of=" not in page
    await come(person, "administrator")
    assert "Purge" in (await person.get("/quarantine/aaaa"))[1]
    broken = (await person.get("/quarantine/cccc"))[1]
    assert "cannot be opened" in broken
    assert "/preview" not in broken
    assert (await person.get("/quarantine/cccc/preview"))[0] == 409


async def test_who_looks_is_on_record_once_and_first(place: Place, person: Person, vault: Vault) -> None:
    await come(person, "operator")
    status, page, _ = await person.get("/quarantine/aaaa/preview?frame=2&start=200")
    assert status == 200
    assert vault.done == [("preview", "aaaa", "2", "200", "200")]
    assert [e.type for e in place.events].count("quarantine-viewed") == 1
    assert "(0008,1155)" in page
    assert "(0008,1140)[0]." in page
    assert "SOPInstanceUID" in page
    assert await picture(person, "?frame=2") == (200, PNG, "no-store")
    assert len(vault.done) == 1
    assert await picture(person, "?frame=2") == (200, PNG, "no-store")  # it was fetched: another look is another record
    assert vault.done[1:] == [("preview", "aaaa", "2", "0", "0")]
    place.full = True
    for path in ("preview", "picture.png?frame=3"):
        assert (await person.get(f"/quarantine/aaaa/{path}"))[0] == 503
    assert len(vault.done) == 2


async def test_a_picture_is_shown_to_who_looked_and_not_for_long(place: Place, person: Person, vault: Vault) -> None:
    await come(person, "operator")
    await person.get("/quarantine/aaaa/preview")
    await come(person, "administrator")
    assert (await picture(person))[0] == 200
    assert len(vault.done) == 2
    await come(person, "operator")
    vault.now = 1000.0
    assert (await picture(person))[0] == 200
    assert len(vault.done) == 3


@pytest.mark.parametrize(
    ("error", "status"), [(KeyError("aaaa"), 404), (SealBroken("x"), 409), (WorkersUnavailable("x"), 503)]
)
async def test_there_is_not_always_a_preview(person: Person, vault: Vault, error: Exception, status: int) -> None:
    vault.seen = error
    await come(person, "operator")
    assert (await person.get("/quarantine/aaaa/preview"))[0] == status
    vault.seen = Previewed("not-dicom", "", "", "", Table(missing="not-dicom"))
    if status == 404:
        return
    assert "No element was looked at: not-dicom" in (await person.get("/quarantine/aaaa/preview"))[1]
    assert (await person.get("/quarantine/aaaa/picture.png"))[0] == 404


async def test_several_are_tried_again_at_once(place: Place, person: Person, vault: Vault) -> None:
    vault.held = [entry(name) for name in ("aaaa", "bbbb", "cccc", "dddd", "eeee")] + [entry("ffff", "other")]
    vault.outcomes = {"bbbb": STILL, "cccc": SealBroken("x")}
    await come(person, "operator")
    await person.get("/quarantine")
    chosen = {f"entry-{name}": "on" for name in ("aaaa", "bbbb", "cccc", "dddd", "ffff", "gggg")}
    status, page, _ = await person.post("/quarantine/replay", **chosen)
    assert status == 200
    assert vault.done == [("replay", name, "user:operator") for name in ("aaaa", "bbbb", "cccc")]
    assert "1 of 3 released; 2 of those chosen were gone already; 1 not tried yet" in page
    assert "still held: recognizable-face" in page
    assert "broken: it cannot be opened" in page
    assert 'name="entry-dddd"' in page
    assert "ffff" not in page


async def test_only_an_administrator_purges_and_says_why(place: Place, person: Person, vault: Vault) -> None:
    await come(person, "operator")
    await person.get("/quarantine")
    assert (await person.get("/quarantine/aaaa/purge"))[0] == 403
    assert (await person.post("/quarantine/aaaa/purge", why="test"))[0] == 403
    denied = place.events[-1]
    assert (denied.type, denied.project, denied.object["verb"]) == ("denied", "research", "admin")
    assert vault.done == []
    await come(person, "administrator")
    assert "destroyed for good" in (await person.get("/quarantine/aaaa/purge"))[1]
    for why, ticket in (("", ""), ("Kowalska", ""), ("test", "two words")):
        assert (await person.post("/quarantine/aaaa/purge", why=why, ticket=ticket))[0] == 400
    status, _, headers = await person.post("/quarantine/aaaa/purge", why="test", ticket="T-1")
    assert (status, headers["Location"]) == (303, "/console/quarantine?purged")
    assert vault.done == [("purge", "aaaa", "user:administrator", "test", "T-1")]
    page = (await person.get("/quarantine?purged"))[1]
    assert "One held instance was purged" in page
    assert ">aaaa<" not in page
    assert (await person.post("/quarantine/aaaa/purge", why="test"))[0] == 404


async def test_a_form_of_another_page_changes_nothing(person: Person, vault: Vault) -> None:
    await come(person, "administrator")
    await person.get("/quarantine")
    for path in ("/quarantine/replay", "/quarantine/aaaa/purge"):
        assert (await person.post(path, "https://evil.example", why="test", **{"entry-aaaa": "on"}))[0] == 403
    person.token = "0" * 64
    for path in ("/quarantine/replay", "/quarantine/aaaa/purge"):
        assert (await person.post(path, why="test", **{"entry-aaaa": "on"}))[0] == 403
    assert vault.done == []
