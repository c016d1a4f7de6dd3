"""Where a site asks for tokens, people sign in to the viewer with the site's OpenID provider, and then see images."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.browser import browser
from tests.peers.provider import provider
from tests.peers.recording import recording
from tests.peers.viewer_build import CANVAS, ROW, build
from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import CONTENT_TYPE, PATH, multipart

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::UserWarning")]
_SCOPE = "veil:research:search veil:research:retrieve"


def test_a_reader_signs_in_and_sees_an_image(program: Callable[[str], Path], tmp_path: Path) -> None:
    with ExitStack() as stack:
        folder, login = build(), stack.enter_context(provider("veil", _SCOPE))
        oidc = {"issuer": login.issuer, "audience": "veil", "jwks_url": f"{login.issuer}/keys"}
        told = {"http.auth": {"oidc": oidc}, "http.viewer_dir": str(folder), "http.viewer_client_id": "ohif"}
        site = Site(tmp_path / "site", told)
        stack.callback(site.end)
        site.start()
        stored = login.token("veil", scope="veil:research:store")
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {stored}"}
        url = f"http://127.0.0.1:{site.http_port}{PATH}"
        urllib.request.urlopen(urllib.request.Request(url, multipart([fresh().part10]), headers), timeout=60).close()
        site.drain()
        assert site.get(PATH)[0] == 401
        heard = stack.enter_context(recording(site.http_port))
        seen = stack.enter_context(browser(program("chromium")))
        seen.page.goto(f"http://127.0.0.1:{heard.port}/viewer/")
        seen.page.get_by_role("button", name="Confirm and hide").click()
        seen.until(lambda: seen.page.locator(ROW).count() == 2, "one study below the fields of a search")
        seen.failed.clear()  # leaving for the provider breaks off what the page was fetching
        seen.page.locator(ROW).nth(1).dblclick()
        seen.until(lambda: seen.page.locator(CANVAS).count() > 0 and seen.colours() > 30, "an image")
        assert seen.failed == []
        assert [(each.status, each.path) for each in heard.exchanges if each.status >= 400] == []
        origins = {url.partition("/viewer/")[0].partition("/dicomweb/")[0] for url in seen.asked if "127" in url[:12]}
        assert {url for url in origins if not url.startswith(login.issuer)} == {f"http://127.0.0.1:{heard.port}"}
        assert site.stop() == 0
