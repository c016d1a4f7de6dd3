"""People in Chromium sign in to the console at an OpenID provider of another site; who has no role stays outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.peers.provider import Provider, provider
from tests.system.harness import Site

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]
_LINK = "Sign in with Hospital login"
Walk = tuple[Site, Browser, Provider]


@pytest.fixture(scope="module")
def walk(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    people = {"otto": "research:operator"}
    with ExitStack() as stack:
        # localhost and 127.0.0.1 are two sites to a browser, as a hospital's login and its Veil are
        login = stack.enter_context(provider("nobody", "", "localhost"))
        login.asks = True
        site, web = stack.enter_context(console_site(tmp_path_factory.mktemp("console"), program("chromium"), people))
        oidc = {"issuer": login.issuer, "client_id": "veil-console", "name": "Hospital login"}
        roles = {"privacy office": ["research:officer"]}
        where = f"http://127.0.0.1:{site.http_port}"
        site.edit({"http.public_url": where, "console.oidc": oidc | {"roles": roles}})
        site.start()
        yield site, web, login
        assert site.stop() == 0
        assert len(login.given) > 10
        site.secrets |= login.given
        assert site.exposed() == []


def logins(site: Site) -> list[tuple[str, str, str]]:
    """Who was let in or not, and why: the records of type ``login``."""
    lines = (site.data / "audit" / "audit-000001.jsonl").read_text().splitlines()
    found = [record for record in map(json.loads, lines) if record["type"] == "login"]
    return [(each["outcome"], each["peer"].get("caller", ""), each["reason"]) for each in found]


def go_by_the_provider(web: Browser) -> None:
    """Click there, and agree there: the way back is led by a page of another site."""
    web.page.get_by_role("link", name=_LINK).click()
    web.page.get_by_role("link", name="Continue as reader").click()


def test_an_officer_signs_in_at_the_provider_sees_the_overview_and_signs_out(walk: Walk) -> None:
    site, web, login = walk
    login.claims = {"groups": ["staff", "privacy office"]}
    visit(site, web)
    look(web, "sign-in-provider")
    go_by_the_provider(web)
    web.page.get_by_role("heading", name="Overview").wait_for()
    assert "Signed in as reader" in web.page.inner_text("header")
    assert "code=" not in web.page.url
    assert logins(site)[-1] == ("success", "oidc:reader", "")
    web.page.get_by_role("button", name="Sign out").click()
    web.page.get_by_role("heading", name="Sign in", exact=True).wait_for()
    visit(site, web)
    assert web.page.url.endswith("/console/sign-in")


def test_who_has_no_role_is_told_so_and_recorded(walk: Walk) -> None:
    site, web, login = walk
    login.claims = {"groups": ["staff"]}
    visit(site, web)
    go_by_the_provider(web)
    web.page.get_by_role("alert").wait_for()
    assert "Hospital login knows you, but you have no role here" in web.page.get_by_role("alert").inner_text()
    look(web, "sign-in-no-role")
    assert logins(site)[-1] == ("failure", "oidc:reader", "no-role")
    visit(site, web)
    assert web.page.url.endswith("/console/sign-in")
    web.failed.clear()  # Chromium says that there was a 403


def test_an_account_of_the_site_opens_the_door_beside_it(walk: Walk) -> None:
    site, web, _ = walk
    sign_in(site, web, "otto")
    web.page.get_by_role("heading", name="Overview").wait_for()
    assert logins(site)[-1] == ("success", "user:otto", "")


def test_a_way_back_that_somebody_else_began_leads_nowhere(walk: Walk) -> None:
    site, web, login = walk
    login.claims = {"groups": ["privacy office"]}
    web.page.context.clear_cookies()
    visit(site, web)
    with web.page.expect_request(lambda request: "/oidc/callback?" in request.url) as gone:
        go_by_the_provider(web)
    web.page.get_by_role("heading", name="Overview").wait_for()
    web.page.context.clear_cookies()
    web.page.goto(gone.value.url)
    assert "begun in another browser" in web.page.get_by_role("alert").inner_text()
    assert logins(site)[-1] == ("failure", "", "wrong-state")
    web.failed.clear()
