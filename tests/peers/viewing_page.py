"""What tests of the viewer do with its page, and what must hold of all that it asked and was told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.peers.browser import Browser
from tests.peers.recording import Recording
from tests.peers.viewer_build import CANVAS, ROW
from tests.system.harness import Site
from tests.system.planting import MARKERS, forms

SECRETS = (*MARKERS, "19470913", "13.09.1947")


@dataclass
class Viewing:
    """A browser before a running site."""

    site: Site
    heard: Recording
    browser: Browser
    #: modality that a study is known by → its pseudonymous Study Instance UID
    studies: dict[str, str] = field(default_factory=dict)
    #: Study Instance UID → Patient ID, both pseudonymous
    patients: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.heard.port}/viewer"

    def greeted(self) -> None:
        """See the study list and one study, and close what OHIF shows to those who see it for the first time."""
        page = self.browser.page
        page.goto(f"{self.base}/")
        page.get_by_role("button", name="Confirm and hide").click()
        self.browser.until(lambda: page.locator(ROW).count() == 4, "three studies below the fields of a search")
        for match in self.found("/studies"):
            uid = match["0020000D"]["Value"][0]
            self.patients[uid] = match["00100020"]["Value"][0]
            for series in self.found(f"/studies/{uid}/series"):
                self.studies.setdefault(series["00080060"]["Value"][0], uid)
        self.show("CT")
        page.get_by_text("Skip all").click()

    def found(self, path: str) -> list[dict[str, Any]]:
        """What a search says that nobody records."""
        matches: list[dict[str, Any]] = json.loads(self.site.get(f"/dicomweb/research{path}")[1])
        return matches

    def show(self, modality: str) -> np.ndarray:
        """Open the study of ``modality`` by its address; returns its first image, drawn."""
        self.browser.page.goto(f"{self.base}/viewer?StudyInstanceUIDs={self.studies[modality]}")
        self.browser.until(self.drawn, f"an image of {modality}")
        self.browser.page.wait_for_load_state("networkidle")
        return self.browser.picture()

    def drawn(self) -> bool:
        """Whether there are more than a few colours in the viewport."""
        return self.browser.page.locator(CANVAS).count() > 0 and self.browser.colours() > 30

    def series(self, modality: str) -> None:
        """Put a series without pictures of its own into the viewport."""
        self.browser.page.locator("[data-cy=study-browser-thumbnail-no-image]", has_text=modality).dblclick()

    def shoot(self, name: str) -> None:
        """Keep a screenshot; nothing of what stands in the page then was planted."""
        assert planted_in(self.browser.shoot(name).encode()) == []

    def check(self) -> None:
        """Of what was asked since the last time: none failed, none went elsewhere, no answer held what was planted."""
        self.browser.page.wait_for_load_state("networkidle")
        assert self.browser.failed == [], self.browser.failed
        here = (f"http://127.0.0.1:{self.heard.port}/", "blob:http://127.0.0.1:", "data:")
        assert [url for url in self.browser.asked if not url.startswith(here)] == []
        assert [(each.status, each.path) for each in self.heard.exchanges if each.status >= 400] == []
        for each in self.heard.exchanges:
            assert planted_in(each.told()) == [], each.path
        self.heard.exchanges.clear()


def planted_in(content: bytes) -> list[str]:
    lower = content.lower()
    return [secret for secret in SECRETS for form in forms(secret) if form in lower]
