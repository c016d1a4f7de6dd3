"""Certificates that are replaced while a proxy runs: by a look every now and then, and when told to."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from proxy.certificates import Certificates
from proxy.config_tls import DimseTls, HttpTls
from proxy.errors import AuditUnavailable, ConfigError
from proxy.tls import Renewable
from tests.authorities import keep, leaf, trust
from tests.service.fakes import Audit

PAIRS = [leaf(f"veil{number}") for number in range(3)]
PRINTS = [pair.certificate.fingerprint(SHA256()).hex() for pair in PAIRS]


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """The log."""
    with capture_logs() as entries:
        yield entries


class Site:
    """Two ports, each with files of its own."""

    def __init__(self, folder: Path, poll: float = 0.01) -> None:
        self.folder, self.trail = folder, Audit()
        self.replace("dimse", 0)
        self.replace("http", 1)
        self.dimse = DimseTls(**keep(folder, "dimse", PAIRS[0]), ca_file=trust(folder))
        self.http = HttpTls(**keep(folder, "http", PAIRS[1]))
        self.certificates = Certificates({"dimse.tls": self.dimse, "http.tls": self.http}, self.trail, poll)

    def replace(self, name: str, number: int) -> None:
        keep(self.folder, name, PAIRS[number])

    def context(self, where: str) -> ssl.SSLContext:
        """What handshakes are made of now."""
        found = self.certificates.get(where)
        assert isinstance(found, Renewable)
        return found.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).context

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await asyncio.sleep(0.005)


async def test_what_the_document_does_not_name_is_not_there(tmp_path: Path) -> None:
    assert Certificates({}, Audit()).get("dimse.tls") is None
    empty = Certificates({}, Audit())
    empty.start()
    await empty.renew()
    await empty.stop()


async def test_changed_files_are_noticed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    before, untouched = site.context("dimse.tls"), site.context("http.tls")
    site.certificates.start()
    try:
        site.replace("dimse", 2)
        await site.until(lambda: site.context("dimse.tls") is not before)
        assert site.context("http.tls") is untouched
        (event,) = site.trail.events
        assert (event.type, event.outcome, event.reason) == ("certificates-reloaded", "success", "")
        assert event.object == {"kind": "certificates", "sha256": {"dimse.tls": PRINTS[2]}}
        after = site.context("dimse.tls")
        await asyncio.sleep(0.1)
        assert site.context("dimse.tls") is after
        assert len(site.trail.events) == 1
    finally:
        await site.certificates.stop()


async def test_files_that_are_no_good_leave_the_old_in_force_and_are_told_once(tmp_path: Path, said: list[Any]) -> None:
    site = Site(tmp_path)
    before = site.context("dimse.tls")
    site.certificates.start()
    try:
        (tmp_path / "dimse.key").write_bytes(PAIRS[2].key_pem)  # the certificate has not come yet
        await site.until(lambda: site.trail.events)
        await asyncio.sleep(0.1)
        assert site.context("dimse.tls") is before
        (event,) = site.trail.events
        assert (event.type, event.outcome) == ("certificates-refused", "failure")
        assert event.reason == "this is not the key of the certificate"
        assert str(tmp_path) not in str(event)
        assert [entry["event"] for entry in said if entry["log_level"] == "error"] == ["certificates-refused"]
        assert str(tmp_path) not in str(said)
        site.replace("dimse", 2)
        await site.until(lambda: site.context("dimse.tls") is not before)
    finally:
        await site.certificates.stop()


async def test_files_that_are_being_written_are_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, poll=3600)
    certificates, kept = site.certificates, site.certificates._kept["dimse.tls"]
    assert not kept.quiet((await certificates._look())["dimse.tls"])
    site.replace("dimse", 2)
    assert not kept.quiet((await certificates._look())["dimse.tls"])
    os.utime(tmp_path / "dimse.key", (1, 1))
    assert not kept.quiet((await certificates._look())["dimse.tls"])
    assert kept.quiet((await certificates._look())["dimse.tls"])


async def test_told_to_all_are_taken_at_once_or_none(tmp_path: Path) -> None:
    site = Site(tmp_path)
    before = site.context("dimse.tls"), site.context("http.tls")
    site.replace("dimse", 2)
    (tmp_path / "http.pem").write_text("nothing")
    for _ in range(2):  # it stays an error for as long as it is one
        with pytest.raises(ConfigError, match="no certificate in PEM"):
            await site.certificates.renew()
    assert (site.context("dimse.tls"), site.context("http.tls")) == before
    site.replace("http", 0)
    await site.certificates.renew()
    assert site.trail.events[-1].object["sha256"] == {"dimse.tls": PRINTS[2], "http.tls": PRINTS[0]}
    assert before[0] is not site.context("dimse.tls")
    assert before[1] is not site.context("http.tls")
    count = len(site.trail.events)
    await site.certificates.renew()
    assert len(site.trail.events) == count


async def test_no_record_no_change(tmp_path: Path) -> None:
    site = Site(tmp_path)
    before = site.context("dimse.tls")
    site.replace("dimse", 2)
    site.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await site.certificates.renew()
    assert site.context("dimse.tls") is before
    site.certificates.start()
    await asyncio.sleep(0.05)
    assert site.context("dimse.tls") is before
    site.trail.broken = False
    await site.until(lambda: site.context("dimse.tls") is not before)
    await site.certificates.stop()


async def test_a_certificate_that_ends_soon_is_said(tmp_path: Path, said: list[Any]) -> None:
    Site(tmp_path)  # with certificates that are good for ten days
    found = [(entry["event"], entry["where"]) for entry in said]
    assert found == [("certificate-ends", "dimse.tls"), ("certificate-ends", "http.tls")]
