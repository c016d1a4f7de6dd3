"""The audit log in pages: what may be seen, what was asked for, older and newer; each page is a record itself."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.console.audit_log import AuditPages
from proxy.console.audit_words import WORDS, told, what
from proxy.service.audit_reading import AuditReading
from proxy.service.ports import AuditEvent
from tests.console.conftest import Place

UID = "2.25.318"
CT = {"transport": "dimse", "calling_ae": "CT1", "address": "10.0.0.5"}


@pytest.fixture
def logged(place: Place, log: AuditLog, tmp_path: Path) -> Place:
    folder = tmp_path / "log"
    reading = AuditReading(Lookup(folder, lambda: log.position.seq), LiveStream(folder, lambda: log.position.seq), log)
    place.parts = [AuditPages(reading, ["research", "other"])]
    return place


async def write(log: AuditLog, count: int, **more: str) -> None:
    await log.record(*(AuditEvent("received", project="research", peer=CT, **more) for _ in range(count)))


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'<th scope="row" class="number">(\d+)<', text)]


def link(text: str, words: str) -> str:
    found = re.search(rf'<a href="[^"]*/console(/audit\?[^"]*)"[^>]*>{words}</a>', text)
    assert found is not None, words
    return unescape(found[1])


async def test_an_officer_sees_his_projects_and_an_administrator_everything(
    logged: Place, log: AuditLog, tmp_path: Path
) -> None:
    await log.record(AuditEvent("started"), AuditEvent("held", "failure", "research", CT, reason="burned-in"))
    await log.record(AuditEvent("held", "failure", "other", CT, reason="face"))
    async with logged.open() as person:
        await person.sign_in("officer")
        status, text, _ = await person.get("/audit")
        assert (status, numbers(text)) == (200, [2])
        assert "Held in quarantine" in text
        assert "burned-in" in text
        assert "CT1 (10.0.0.5)" in text
        assert "face" not in text
    async with logged.open() as person:
        await person.sign_in("administrator")
        assert numbers((await person.get("/audit"))[1]) == [4, 3, 2, 1]
    reads = [line for line in lines(tmp_path) if '"type":"audit-read"' in line]
    assert ['"caller":"user:officer"' in reads[0], '"project":"research"' in reads[0]] == [True, True]
    assert len(reads) == 2


def lines(folder: Path) -> list[str]:
    return [line for path in sorted((folder / "log").glob("*.jsonl")) for line in path.read_text().splitlines()]


async def test_who_may_not_audit_is_refused_on_record(logged: Place) -> None:
    async with logged.open() as person:
        await person.sign_in("operator")
        assert "Audit log" not in (await person.get())[1]
        status, _, _ = await person.get("/audit")
        assert status == 403
        assert logged.said()[-1] == ("denied", "user:operator", "role")


async def test_older_and_newer_have_every_record_once(logged: Place, log: AuditLog) -> None:
    await write(log, 250)
    async with logged.open() as person:
        await person.sign_in("officer")
        _, first, _ = await person.get("/audit?type=received")
        assert numbers(first) == list(range(250, 150, -1))
        _, second, _ = await person.get(link(first, "Older"))
        _, third, _ = await person.get(link(second, "Older"))
        assert numbers(second) + numbers(third) == list(range(150, 0, -1))
        assert "Older</a>" not in third
        _, back, _ = await person.get(link(third, "Newer"))
        assert numbers(back) == numbers(second)
        _, newest, _ = await person.get(link(back, "Newer"))
        assert numbers(newest) == list(range(250, 150, -1))
        assert numbers((await person.get(link(third, "Newest")))[1]) == numbers(first)


async def test_filters_are_those_of_the_form_and_stay_in_it(logged: Place, log: AuditLog) -> None:
    await write(log, 2)
    about = {"kind": "instance", "sop_instance_uid": UID, "destination": "pacs"}
    await log.record(AuditEvent("delivered", project="research", object=about))
    form = "&outcome=&project=research&reason=&peer=&since=2020-01-01T00:00&until="
    async with logged.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get(f"/audit?type=delivered&object={UID}{form}")
        assert numbers(text) == [3]
        assert re.search(r'<option value="delivered" selected>', text)
        assert f'name="object" value="{UID}"' in text
        assert 'value="2020-01-01T00:00:00"' in text
        assert "at pacs" in text
        assert numbers((await person.get(f"/audit?until=2020-01-01{form.replace('&until=', '')}"))[1]) == []
        status, text, _ = await person.get("/audit?since=yesterday")
        assert (status, "since is a moment" in text) == (400, True)


async def test_a_record_is_shown_whole_and_harmless(logged: Place, log: AuditLog, tmp_path: Path) -> None:
    peer = {"transport": "dimse", "calling_ae": "<script>alert(1)\u202e"}
    await log.record(AuditEvent("query", project="research", peer=peer, object={"keys": ["StudyDate", "Modality"]}))
    async with logged.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get("/audit")
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "by StudyDate, Modality" in text
    raw = re.search(r"<pre>(.*?)</pre>", text)
    assert raw is not None
    assert unescape(raw[1]) == lines(tmp_path)[0]


async def test_no_record_no_page(logged: Place, log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    async with logged.open() as person:
        await person.sign_in("officer")
        await log.close()
        assert (await person.get("/audit"))[0] == 503


def test_every_type_that_the_docs_have_is_said_in_words() -> None:
    text = Path("docs/audit.md").read_text(encoding="utf-8")
    table = text[text.index("| `type` | when |") :].split("\n\n")[0]
    types = {name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    assert len(types) > 30
    assert types - WORDS.keys() == set()  # a new type needs a line in `WORDS`
    assert what("of-another-version") == "Of another version"


def test_what_another_version_wrote_is_shown_too() -> None:
    found = told(b'{"seq":7,"object":{"destination":["a",{"b":1}],"attempts":0},"type":"new"}')
    assert (found.seq, found.what, found.beside, found.who) == (7, "New", 'at a, {"b":1}', "Veil")
