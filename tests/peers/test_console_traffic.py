"""Destinations in Chromium: an operator pauses one, sends, sees what waits, resumes; an officer sees and may not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in
from tests.system.harness import Site
from tests.system.planting import fresh, planted
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]
PEOPLE = {"anna": "research:officer", "otto": "research:operator"}


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    with console_site(tmp_path_factory.mktemp("console"), program("chromium"), PEOPLE) as made:
        site, _ = made
        site.start()
        stow(site.http_port, fresh().part10)
        site.drain()
        yield made
        assert site.stop() == 0
        assert site.exposed() == []


def figure(web: Browser, name: str) -> str:
    """What stands under ``name`` of the one destination."""
    return web.page.locator("dl.cards div", has=web.page.get_by_text(name, exact=True)).locator("dd").inner_text()


def records(site: Site, *types: str) -> list[tuple[str, str, str]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    found = [record for record in map(json.loads, lines) if record["type"] in types]
    return [(each["type"], each["peer"].get("caller", ""), each["reason"]) for each in found]


def test_an_operator_pauses_sends_sees_it_wait_and_resumes(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "otto")
    web.page.get_by_role("link", name="Destinations").click()
    web.page.get_by_role("heading", name="archive sends").wait_for()
    assert [figure(web, name) for name in ("Waiting", "Delivered", "Failed")] == ["0", "1", "0"]
    look(web, "destinations")
    web.page.get_by_text("Pause archive …").click()
    web.page.get_by_label("Why").select_option("Trouble at the destination")
    web.page.get_by_label("Ticket").fill("CHG-4711")
    web.page.get_by_role("button", name="Pause archive").press("Enter")
    web.page.get_by_role("heading", name="archive paused").wait_for()
    assert "by user:otto: Trouble at the destination (CHG-4711)" in web.page.inner_text("main")
    for _ in range(3):
        stow(site.http_port, fresh().part10)
    assert site.queue() == {"waiting": 3, "delivered": 1}
    web.until(lambda: web.page.reload() is not None and figure(web, "Waiting") == "3", "three wait")
    look(web, "destinations-paused")
    web.page.get_by_role("button", name="Resume archive").click()
    web.page.get_by_role("heading", name="archive sends").wait_for()
    site.drain()
    web.until(lambda: web.page.reload() is not None and figure(web, "Delivered") == "4", "all are delivered")
    assert records(site, "destination-paused", "destination-resumed") == [
        ("destination-paused", "user:otto", "trouble"), ("destination-resumed", "user:otto", "finished"),
    ]  # fmt: skip
    assert web.failed == []


def test_an_officer_sees_it_has_no_buttons_and_a_forged_form_is_refused_on_record(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("link", name="Destinations").click()
    web.page.get_by_role("heading", name="archive sends").wait_for()
    assert web.page.locator("main button").count() == 0
    look(web, "destinations-officer")
    web.page.locator("form.who").evaluate("form => form.action = '/console/destinations/archive/pause'")
    with web.page.expect_navigation() as answered:
        web.page.get_by_role("button", name="Sign out").click()
    assert answered.value is not None
    assert answered.value.status == 403
    assert records(site, "denied") == [("denied", "user:anna", "role")]
    assert len(records(site, "destination-paused")) == 1
    web.failed.clear()  # Chromium says that there was a 403


def test_studies_add_up_over_held_ones_and_a_replay_and_are_taken_along(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    instance = planted(1, "held")
    stow(site.http_port, instance.part10)
    stow(site.http_port, instance.part10)
    sign_in(site, web, "anna")
    web.page.get_by_role("link", name="Studies").click()
    web.page.get_by_role("heading", name="Studies").wait_for()
    rows = web.page.locator("table.studies tbody tr")
    first = rows.first.get_by_role("cell").all_inner_texts()
    assert first[1:6] == ["2", "1", "0", "1", "0"]
    assert first[7] == "yes"
    look(web, "studies")
    assert all(row.get_by_role("cell").all_inner_texts()[7] == "yes" for row in rows.all())
    web.page.get_by_role("row", name="1 delivered").first.get_by_role("link").first.click()
    web.page.get_by_role("heading", name="Instances").wait_for()
    web.page.get_by_role("button", name="Compare with destinations").click()
    web.page.get_by_text("all there").wait_for()
    look(web, "study")
    uid = web.page.get_by_role("row", name="delivered").get_by_role("link").first.inner_text()
    web.page.get_by_role("link", name=uid).click()
    web.page.get_by_role("heading", name="One instance").wait_for()
    assert uid in web.page.inner_text("main") or web.page.get_by_role("textbox").first.input_value() == uid
    web.page.get_by_role("link", name="Studies").click()
    web.page.get_by_label("Show").select_option("does not add up")
    web.page.get_by_role("button", name="Show").click()
    web.page.get_by_text("No study is like that.").wait_for()
    with web.page.expect_download() as taken:
        web.page.get_by_role("link", name="Download as a table").click()
    assert Path(taken.value.path()).read_text().startswith('"project","study_instance_uid"')
    assert records(site, "exported") == [("exported", "user:anna", "")]
    assert web.failed == []
