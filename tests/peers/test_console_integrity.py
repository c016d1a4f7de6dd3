"""Officers in Chromium: the day in plots, whether the audit log is whole, and records to take away and check."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.audit.trail import AuditLog
from proxy.audit.watch import Watch
from proxy.config import load_config
from proxy.service.ports import AuditEvent
from proxy.site import audit_key
from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.system.harness import Site

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]
HOURS = 23


async def _yesterday(site: Site) -> int:
    """A day's records, as a site writes them; returns how many instances came in."""
    hour = 0
    start = datetime.now(UTC) - timedelta(hours=HOURS)
    watch = Watch(lambda: start + timedelta(hours=hour), lambda: 3600.0 * hour)
    log = AuditLog(site.data / "audit", "veil", key=audit_key(load_config(site.config)), watch=watch)
    await log.open()
    came = 0
    for hour in range(HOURS):
        count = 4 + round(30 * math.sin(math.pi * hour / HOURS))
        came += count
        one = {"kind": "instance"}
        events = [AuditEvent("received", project="research", object=one)] * count
        events += [AuditEvent("released", project="research", object=one)] * (count - 3)
        events += [AuditEvent("delivered", project="research", object=one | {"destination": "archive"})] * (count - 3)
        events += [AuditEvent("held", "failure", "research", object=one, reason="no-codec")] * (3 if hour > 18 else 0)
        events += [AuditEvent("refused", "failure", "research", object=one, reason="spool-full")] * (hour == 5)
        await log.record(*events)
    await log.close()
    return came


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    people = {"anna": "research:officer", "otto": "research:operator", "ada": "*:administrator"}
    with console_site(tmp_path_factory.mktemp("integrity"), program("chromium"), people) as made:
        site, _ = made
        site.data.mkdir(exist_ok=True)
        with ThreadPoolExecutor(1) as apart:  # Playwright's event loop runs in this one
            apart.submit(lambda: asyncio.run(_yesterday(site))).result()
        site.start()
        yield made
        assert site.stop() == 0
        assert site.exposed() == []


def test_the_overview_shows_the_day_in_plots_and_as_a_table(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    figure = web.page.locator("figure", has_text="Received")
    web.until(lambda: web.page.reload() is not None and figure.inner_text().split()[1] != "0", "the log was read")
    assert web.page.get_by_role("img", name="Received", exact=True).locator("rect").count() >= HOURS - 1
    look(web, "overview-day")
    web.page.get_by_text("The same as a table").click()
    look(web, "overview-table")


def test_whoever_may_audit_everything_has_the_log_verified(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "ada")
    web.page.get_by_role("heading", name="Overview").wait_for()
    visit(site, web, "/integrity")
    look(web, "integrity-before")
    web.page.get_by_role("button", name="Verify now").click()
    whole = web.page.get_by_text("Whole", exact=True)
    what = web.page.get_by_role("table", name="What happened to it")

    def verified() -> bool:
        web.page.goto(web.page.url)
        return whole.count() == 1 and "Audit log verified" in what.inner_text()

    web.until(verified, "the log was verified, and that is in it")
    look(web, "integrity")


def test_an_officer_takes_records_away_and_they_can_be_checked(seen: tuple[Site, Browser], tmp_path: Path) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    visit(site, web, "/integrity")
    web.page.get_by_label("What happened", exact=True).select_option("held")
    web.page.get_by_label("Project", exact=True).select_option("research")
    with web.page.expect_download() as download:
        web.page.get_by_role("button", name="Export").click()
    web.failed.clear()  # Chromium says of a download that the page was not left
    bundle, key = tmp_path / "bundle.tar.gz", tmp_path / "audit.pub"
    download.value.save_as(bundle)
    key.write_text(site.veil("audit", "pubkey", "-c", str(site.config), check=True).stdout)
    said = site.veil("audit", "verify-export", str(bundle), "--pubkey", str(key), check=True).stdout
    assert "12 records; whole" in said
    assert "user:anna" in said
    asked = ("--type", "received", "--format", "fhir", "--project", "research", "-c", str(site.config))
    site.veil("audit", "export", str(tmp_path / "cli.tar.gz"), *asked, check=True)
    told = site.veil("audit", "verify-export", str(tmp_path / "cli.tar.gz"), "--pubkey", str(key), check=True).stdout
    assert "records; whole" in told


def test_an_operator_is_not_let_in_and_that_is_on_record(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "otto")
    web.page.get_by_role("heading", name="Overview").wait_for()
    assert web.page.get_by_role("link", name="Integrity").count() == 0
    visit(site, web, "/integrity")
    assert "Your role does not allow this" in web.page.get_by_role("alert").inner_text()
    web.failed.clear()  # Chromium says that there was a 403
    denied = site.veil("audit", "tail", str(site.data / "audit"), "--type", "denied", check=True).stdout
    assert "user:otto" in denied
