"""People in Chromium: sign in at the console, see what is running, sign out; nothing is asked of anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    with console_site(tmp_path_factory.mktemp("console"), program("chromium"), {"anna": "research:officer"}) as made:
        site, _ = made
        site.start()
        stow(site.http_port, fresh().part10)
        site.drain()
        yield made
        assert site.stop() == 0
        assert site.exposed() == []


def test_an_officer_signs_in_sees_the_overview_and_signs_out(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    row = web.page.get_by_role("row", name="archive")
    assert row.get_by_role("cell").all_inner_texts()[:4] == ["0", "0", "1", "0"]
    assert "Signed in as anna" in web.page.inner_text("header")
    look(web, "overview")
    web.page.get_by_role("button", name="Sign out").click()
    web.page.get_by_role("heading", name="Sign in").wait_for()
    look(web, "sign-in")
    visit(site, web)
    assert web.page.url.endswith("/console/sign-in")
    # who leaves a page breaks off what it was still fetching
    assert [what for what in web.failed if not what.endswith("net::ERR_ABORTED")] == []
    assert {url.split("/")[2] for url in web.asked} == {f"127.0.0.1:{site.http_port}"}


def test_a_wrong_password_is_told_to_screen_readers_too(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna", "wrong horse battery")
    assert "wrong" in web.page.get_by_role("alert").inner_text()
    assert web.page.get_by_label("Password").input_value() == ""
    assert web.page.locator(":focus").get_attribute("id") == "name"
    web.failed.clear()  # Chromium says that there was a 401


def test_a_form_whose_token_is_not_the_sessions_is_refused(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    sign_in(site, web, "anna")
    web.page.get_by_role("heading", name="Overview").wait_for()
    web.page.locator("input[name=token]").evaluate("field => field.value = '0'.repeat(64)")
    with web.page.expect_navigation() as answered:
        web.page.get_by_role("button", name="Sign out").click()
    assert answered.value is not None
    assert answered.value.status == 403
    web.page.get_by_role("link", name="To the overview").click()
    web.page.get_by_role("heading", name="Overview").wait_for()
    web.failed.clear()
