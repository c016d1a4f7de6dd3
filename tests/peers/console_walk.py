"""The console in Chromium: a site with accounts, signing in, and what axe-core says of a page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from tests.peers.browser import Browser, browser
from tests.system.harness import Site

SECRET = "correct horse battery"
#: The rules of axe-core that WCAG 2.2 AA means, and good practice.
_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


def add(site: Site, name: str, *roles: str) -> None:
    """`veil user add`, with `SECRET`."""
    given = [word for role in roles for word in ("--role", role)]
    subprocess.run(
        [sys.executable, "-m", "proxy.cli", "user", "add", name, *given, "--stdin", "-c", str(site.config)],
        input=SECRET + "\n",
        text=True,
        check=True,
        capture_output=True,
    )


@contextmanager
def console_site(
    folder: Path, chromium: Path, people: Mapping[str, str], **config: Any
) -> Iterator[tuple[Site, Browser]]:
    """A proxy whose console is on, not started, and a browser. ``people``: name → role, as ``research:officer``."""
    with ExitStack() as stack:
        site = Site(folder / "site", {"console.enabled": True, **config})
        site.secrets.add(SECRET)
        stack.callback(site.end)
        for name, role in people.items():
            add(site, name, role)
        yield site, stack.enter_context(browser(chromium))


def visit(site: Site, seen: Browser, path: str = "") -> None:
    """Open a page of the console."""
    seen.page.goto(f"http://127.0.0.1:{site.http_port}/console{path}")


def sign_in(site: Site, seen: Browser, name: str, password: str = SECRET) -> None:
    """As ``name``, whoever was signed in before."""
    seen.page.context.clear_cookies()
    visit(site, seen)
    seen.page.get_by_label("Name").fill(name)
    seen.page.get_by_label("Password").fill(password)
    with seen.page.expect_navigation(wait_until="load"):  # also where the answer is the form again
        seen.page.keyboard.press("Enter")


def look(seen: Browser, name: str) -> str:
    """Keep pictures of the page, light and dark, as ``console-NAME-SCHEME``; AssertionError for what axe-core finds.

    Returns all that stands in it.
    """
    text = ""
    for scheme in ("light", "dark"):
        seen.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        text += seen.shoot(f"console-{name}-{scheme}")
        found = violations(seen)
        assert found == [], f"{name}, {scheme}: {found}"
    seen.page.emulate_media(color_scheme="light")
    return text


def violations(seen: Browser) -> list[str]:
    """What axe-core says against the page: rule, impact, and where."""
    if not seen.page.evaluate("() => 'axe' in window"):
        seen.page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    told = seen.page.evaluate(_RUN)
    return [f"{each['id']} ({each['impact']}): {[node['target'] for node in each['nodes']][:3]}" for each in told]
