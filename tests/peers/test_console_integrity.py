"""People in Chromium who look rather than read: the day in plots."""

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
from tests.peers.console_walk import console_site, look, sign_in
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
