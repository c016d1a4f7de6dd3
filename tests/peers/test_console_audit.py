"""The audit log in Chromium, by keyboard: filters, a record, its instance's life, live rows; an operator may not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]
PEOPLE = {"anna": "research:officer", "otto": "research:operator"}
#: the name of what has the focus: of its label, or its own words
_NAME = "() => { const it = document.activeElement; return (it.labels?.[0] ?? it).textContent.trim() }"


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    with console_site(tmp_path_factory.mktemp("console"), program("chromium"), PEOPLE) as made:
        site, web = made
        site.start()
        stow(site.http_port, fresh().part10, fresh("held").part10)
        site.drain()
        yield made
        watch(site, web, "/audit")
        assert site.stop(30) == 0  # which does not wait for who watches, and tells him
        web.page.get_by_role("status").filter(has_text="Not live any more: stopping").wait_for()
        assert site.exposed() == []


def watch(site: Site, web: Browser, path: str) -> None:
    """As an officer, until the page is live."""
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    visit(site, web, path)
    web.page.get_by_role("status").filter(has_text="Live.").wait_for()


def tab_to(web: Browser, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(150):
        web.page.keyboard.press("Tab")
        if web.page.evaluate(_NAME).startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def follow(web: Browser) -> None:
    """What has the focus, to another page."""
    with web.page.expect_navigation():
        web.page.keyboard.press("Enter")


def rows(web: Browser) -> list[str]:
    return web.page.locator("#records tr summary").all_inner_texts()


def records(site: Site, *types: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["type"] in types]


def test_an_officer_finds_a_record_and_the_life_of_its_instance(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    tab_to(web, "Audit log")
    follow(web)
    assert {"De-identified copy released", "Instance received"} <= {row.split("  ")[0] for row in rows(web)}
    look(web, "audit")
    tab_to(web, "What happened")
    web.page.keyboard.type("Deliv")
    tab_to(web, "Show")
    follow(web)
    assert [row.split(" ")[0] for row in rows(web)] == ["Delivered"]
    tab_to(web, "Delivered")
    web.page.keyboard.press("Enter")
    line = web.page.locator("#records pre").inner_text()
    assert json.loads(line) == records(site, "delivered")[0]
    look(web, "audit-record")
    tab_to(web, "The life of this instance")
    follow(web)
    web.page.get_by_role("heading", name="One instance", exact=True).wait_for()
    heads = web.page.get_by_role("heading", level=3).all_inner_texts()
    assert [head.split(":")[0] for head in heads] == ["Arrival", "Decision", "Delivery"]
    assert "committed, every destination has accepted it" in web.page.inner_text("main")
    look(web, "instance")
    (held,) = records(site, "held")
    visit(site, web, f"/instance?of={held['object']['id']}")
    assert "What to do" in web.page.inner_text("main")
    look(web, "instance-held")
    assert web.failed == []


def test_records_appear_as_they_are_written_until_somebody_pauses(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    watch(site, web, "/audit?type=released")
    before = len(rows(web))
    stow(site.http_port, fresh().part10)
    web.until(lambda: len(rows(web)) == before + 1, "the new record is shown")
    web.page.get_by_role("status").filter(has_text="New: 1, the last: De-identified copy released").wait_for()
    look(web, "audit-live")
    tab_to(web, "Pause")
    web.page.keyboard.press("Enter")
    stow(site.http_port, fresh().part10)
    web.page.get_by_role("status").filter(has_text="Waiting: 1.").wait_for()
    assert len(rows(web)) == before + 1
    web.page.keyboard.press("Enter")  # the button is called "Go on" by now
    web.until(lambda: len(rows(web)) == before + 2, "what waited is shown")
    newest = web.page.locator("#records tr th").first.inner_text()
    assert int(newest) == records(site, "released")[-1]["seq"]
    assert web.failed == []


def test_an_operator_is_refused_and_that_is_recorded(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "otto")
    web.page.get_by_role("heading", name="Overview").wait_for()
    assert web.page.get_by_role("link", name="Audit log").count() == 0
    for path in ("/audit", "/instance", "/audit/stream"):
        visit(site, web, path)
        assert "Your role does not allow this" in web.page.inner_text("main")
    denied = [(each["peer"]["caller"], each["reason"]) for each in records(site, "denied")]
    assert denied == [("user:otto", "role")] * 3
    web.failed.clear()  # Chromium says that there were answers of 403
