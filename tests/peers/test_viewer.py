"""The published OHIF build in Chromium reads an identified Orthanc through a view, and learns nobody's name.

Between browser and Veil stands a recorder, so what is searched for planted values is all that the browser was told, by
whatever part of it asked. Screenshots are kept below ``VEIL_SCREENSHOTS``.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.peers.browser import Browser, browser
from tests.peers.pacs import run_orthanc
from tests.peers.recording import Recording, recording
from tests.peers.viewer_build import CANVAS, ROW, build
from tests.peers.viewer_objects import BURNED, studies
from tests.system.harness import REPOSITORY, Site
from tests.system.planting import MARKERS, forms

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::UserWarning")]
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
        assert self.browser.failed == []
        here = (f"http://127.0.0.1:{self.heard.port}/", "blob:http://127.0.0.1:", "data:")
        assert [url for url in self.browser.asked if not url.startswith(here)] == []
        assert [(each.status, each.path) for each in self.heard.exchanges if each.status >= 400] == []
        for each in self.heard.exchanges:
            assert planted_in(each.told()) == [], each.path
        self.heard.exchanges.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cleaned(site: Site) -> None:
    """The site's own profile: research, with the Clean Structured Content Option, so that reports keep structure."""
    profile = yaml.safe_load((REPOSITORY / "rules" / "profiles" / "research.yaml").read_text())
    profile |= {"name": "reading", "options": [*profile["options"], "clean_struct"]}
    folder = site.folder / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / "reading.yaml").write_text(yaml.safe_dump(profile))
    site.edit({"projects.research.profile": "reading"})


def planted_in(content: bytes) -> list[str]:
    lower = content.lower()
    return [secret for secret in SECRETS for form in forms(secret) if form in lower]


@pytest.fixture(scope="module")
def viewing(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    ohif, chromium, folder = build(), program("chromium"), tmp_path_factory.mktemp("viewer")
    with ExitStack() as stack:
        site = Site(folder / "site")
        site.secrets.update(SECRETS)
        stack.callback(site.end)
        (folder / "pacs").mkdir()
        pacs = stack.enter_context(run_orthanc(program("orthanc"), (free_port(), free_port()), folder / "pacs"))
        for data in (each for files in studies().values() for each in files):
            urllib.request.urlopen(f"{pacs.rest}/instances", data, timeout=30).read()
        with urllib.request.urlopen(f"{pacs.dicomweb}/studies", timeout=30) as identified:
            assert planted_in(identified.read())
        cleaned(site)
        source = {"type": "dicomweb", "url": pacs.dicomweb}
        site.edit({"upstreams.pacs": source, "projects.research.read": {"from": "pacs", "mode": "view"}})
        site.edit({"http.viewer_dir": str(ohif)})
        site.start()
        heard = stack.enter_context(recording(site.http_port))
        made = Viewing(site, heard, stack.enter_context(browser(chromium)))
        made.greeted()
        yield made
        site.stop()
        assert site.exposed() == []


@pytest.fixture(autouse=True)
def nothing_goes_wrong(viewing: Viewing) -> Iterator[None]:
    yield
    viewing.check()


def test_the_study_list_opens_a_study(viewing: Viewing) -> None:
    page, study = viewing.browser.page, viewing.studies["CT"]
    page.goto(f"{viewing.base}/")
    row = page.locator(ROW, has_text=viewing.patients[study])
    row.click()
    page.get_by_text("Basic Viewer").wait_for()
    viewing.shoot("study-list")
    row.dblclick()
    viewing.browser.until(viewing.drawn, "an image of the study that was clicked")
    assert study in page.url


def test_the_list_finds_pseudonyms_and_no_names(viewing: Viewing) -> None:
    page, patient = viewing.browser.page, viewing.patients[viewing.studies["MR"]]
    page.goto(f"{viewing.base}/")
    viewing.browser.until(lambda: page.locator(ROW).count() == 4, "all studies")
    page.locator("input").first.fill(patient)
    viewing.browser.until(lambda: page.locator(ROW).count() == 2, "the patient alone")
    page.locator(ROW, has_text=patient).wait_for()
    page.locator("input").first.fill("N100000002")  # a part of the name that the PACS has of that patient
    page.get_by_text("No studies available").wait_for()
    page.get_by_text("Reset").click()
    viewing.browser.until(lambda: page.locator(ROW).count() == 4, "all studies again")


def test_ct(viewing: Viewing) -> None:
    picture = viewing.show("CT")
    assert picture.std() > 20
    viewing.browser.page.get_by_text("Patient", exact=True).click()
    viewing.shoot("ct")


def test_mr_of_many_frames(viewing: Viewing) -> None:
    first = viewing.show("MR")
    viewing.shoot("mr")
    viewing.browser.page.locator(CANVAS).first.hover()
    viewing.browser.page.mouse.wheel(0, 100)
    viewing.browser.until(lambda: (viewing.browser.picture() != first).any(), "another frame")
    assert viewing.drawn()


def test_ultrasound_loop_without_what_was_burned_in(viewing: Viewing) -> None:
    picture = viewing.show("US")
    viewing.shoot("us")
    scale = min(picture.shape[0] / 480, picture.shape[1] / 640)
    top = int((picture.shape[0] - 480 * scale) / 2 + BURNED * scale) - 2
    assert not picture[:top].any()
    assert picture[top:].std() > 5


def test_segmentation(viewing: Viewing) -> None:
    red = reddish(viewing.show("SEG"))
    viewing.series("SEG")
    viewing.browser.page.get_by_role("button", name="Yes", exact=True).click()
    viewing.browser.until(lambda: reddish(viewing.browser.picture()) > red + 10_000, "a segment on the image")
    viewing.shoot("seg")


def test_structured_report(viewing: Viewing) -> None:
    viewing.show("SR")
    viewing.series("SR")
    viewing.browser.page.get_by_text("41.80 mm").wait_for()
    assert viewing.drawn()
    viewing.shoot("sr")


def reddish(picture: np.ndarray) -> int:
    """Pixels that are more red than green."""
    return int((picture[..., 0].astype(int) - picture[..., 1] > 40).sum())
