"""Who may audit sees whether the log is whole, has it verified, and takes records away; nobody else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.bundle_verify import verify_bundle
from proxy.audit.checkpoints import newest_note
from proxy.audit.keys import AuditKey
from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.audit.verify_notes import Keys
from proxy.console.integrity import IntegrityPages, Log
from proxy.service.audit_export import AuditExport
from proxy.service.audit_reading import AuditReading
from proxy.service.log_state import log_state
from proxy.service.ports import AuditEvent
from proxy.service.verification import Verification, Verified

SIGNER = AuditKey(bytes(range(32))).signer("veil")
KEY = SIGNER.verifier.text()
FAILED = Verified(datetime(2026, 11, 21, tzinfo=UTC), "not-whole", 7, 9, 5, 12, 1, ("audit-000001.jsonl:3: <b>",))


class Integrity:
    """A log with records of two projects, and the pages about it."""

    def __init__(self, folder: Path, place: Any) -> None:
        self.folder, self.place = folder, place
        self.log = AuditLog(folder, "veil", key=AuditKey(bytes(range(32))))

    async def open(self) -> None:
        await self.log.open()
        events = [AuditEvent("held", project=("research", "other")[n % 2], object={"id": str(n)}) for n in range(6)]
        await self.log.record(AuditEvent("clock-step", object={"kind": "clock"}), *events)
        self.verification = Verification(self.folder, lambda: self.log.position, KEY, self.log, None)
        reading = AuditReading(
            Lookup(self.folder, lambda: self.log.position.seq),
            LiveStream(self.folder, lambda: self.log.position.seq),
            self.log,
        )
        export = AuditExport(self.folder, lambda: self.log.position, SIGNER, self.log)
        self.standing = Log(
            lambda: (self.log.position.seq, self.log.position.hash), lambda: log_state(self.folder), self.place.status,
            KEY, 365, True, 24, self.verification, reading, export,
        )  # fmt: skip
        self.show(self.standing)

    def show(self, log: Log) -> None:
        self.place.parts = [IntegrityPages(log, ["research", "other"])]

    def types(self) -> list[str]:
        lines = (self.folder / "audit-000001.jsonl").read_text().splitlines()
        return [json.loads(line)["type"] for line in lines]


@pytest.fixture
async def integrity(tmp_path: Path, place: Any) -> AsyncIterator[Integrity]:
    made = Integrity(tmp_path / "audit", place)
    await made.open()
    yield made
    await made.log.close()


def _before_the_form(text: str) -> str:
    return text.partition('aria-labelledby="export"')[0]


async def test_an_officer_sees_how_the_log_stands(integrity: Integrity, place: Any) -> None:
    async with asyncio.timeout(20):
        while newest_note(integrity.folder) is None:
            await asyncio.sleep(0.02)
    async with place.open() as person:
        await person.sign_in("officer")
        status, text, _ = await person.get("/integrity")
    assert status == 200
    for said in (KEY, "legal hold", "not verified yet", "92", "seconds ago", "every 24 hours", "whole site"):
        assert said in text
    assert "The clock was changed" not in _before_the_form(text)  # the site's, and this officer's is a project
    assert "audit-read" in integrity.types()


async def test_who_may_audit_everything_sees_what_happened_to_the_log(integrity: Integrity, place: Any) -> None:
    async with place.open() as person:
        await person.sign_in("administrator")
        _, text, _ = await person.get("/integrity")
    assert "The clock was changed" in _before_the_form(text)


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_nobody_else_does(integrity: Integrity, place: Any, role: str) -> None:
    before = integrity.types()
    async with place.open() as person:
        await person.sign_in(role)
        assert (await person.get())[0] == 200
        assert (await person.get("/integrity"))[0] == 403
        for path in ("/integrity/verify", "/audit/export"):
            assert (await person.post(path))[0] == 403
    assert [kind for kind, _, _ in place.said()].count("denied") == 3
    assert integrity.types() == before


async def test_a_log_that_is_not_whole_is_told_in_words_and_as_text(integrity: Integrity, place: Any) -> None:
    integrity.verification.last = FAILED
    async with place.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get("/integrity")
    assert "Not whole" in text
    assert "audit-000001.jsonl:3: &lt;b&gt;" in text


async def test_a_log_that_is_not_whole_is_told_on_the_overview(place: Any) -> None:
    place.verified = FAILED
    for name, told in (("officer", True), ("viewer", False)):
        async with place.open() as person:
            await person.sign_in(name)
            assert ("The audit log is not whole" in (await person.get())[1]) == told


async def test_who_asks_for_a_verification_gets_one(integrity: Integrity, place: Any) -> None:
    async with place.open() as person:
        await person.sign_in("officer")
        await person.get("/integrity")
        status, _, headers = await person.post("/integrity/verify")
        assert (status, headers["Location"]) == (303, "/console/integrity")
        async with asyncio.timeout(60):
            while integrity.verification.running:
                await asyncio.sleep(0.02)
        _, text, _ = await person.get("/integrity")
    assert '<span class="good">Whole</span>' in text
    assert integrity.types().count("audit-verified") == 1


async def test_an_export_holds_what_was_asked_for_and_may_be_seen(
    integrity: Integrity, place: Any, tmp_path: Path
) -> None:
    async with place.open() as person:
        await person.sign_in("officer")
        await person.get("/integrity")
        headers = {"Origin": person.root}
        data = {
            "token": person.token,
            "type": "held",
            "project": "",
            "format": "fhir",
            "since": "2026-01-01T00:00",
            "until": "",
        }
        async with person.http.post(f"{person.root}/console/audit/export", data=data, headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].endswith('.tar.gz"')
            (tmp_path / "x").write_bytes(await answer.read())
        assert (await person.post("/audit/export", since="yesterday"))[0] == 400
        assert (await person.post("/audit/export", format="../x"))[0] == 400
        assert (await person.post("/audit/export", token="0" * 64))[0] == 403
        assert (await person.post("/audit/export", origin="https://evil.example"))[0] == 403
    checked = verify_bundle(tmp_path / "x", Keys.read(KEY))
    assert (checked.problems, checked.records) == ([], 3)
    assert checked.manifest["by"]["peer"]["caller"] == "user:officer"
    assert checked.manifest["selection"]["visible"] == ["research"]
    assert integrity.types().count("audit-exported") == 1


async def test_a_site_without_a_key_hands_nothing_out(integrity: Integrity, place: Any) -> None:
    export = AuditExport(integrity.folder, lambda: integrity.log.position, None, integrity.log)
    integrity.show(replace(integrity.standing, key="", export=export))
    async with place.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get("/integrity")
        assert "no audit key" in text
        assert (await person.post("/audit/export"))[0] == 409
