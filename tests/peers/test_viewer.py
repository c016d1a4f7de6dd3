"""The published OHIF build in Chromium reads an identified Orthanc through a view, and learns nobody's name.

Between browser and Veil stands a recorder, so what is searched for planted values is all that the browser was told, by
whatever part of it asked. Screenshots are kept below ``VEIL_SCREENSHOTS``.
"""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from playwright.sync_api import TimeoutError

from tests.peers.browser import browser
from tests.peers.pacs import run_orthanc
from tests.peers.recording import recording
from tests.peers.viewer_build import CANVAS, ROW, build
from tests.peers.viewer_objects import BURNED, studies
from tests.peers.viewing_page import SECRETS, Viewing, planted_in
from tests.system.harness import REPOSITORY, Site

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::UserWarning")]


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
    measured = viewing.browser.page.get_by_text("41.80 mm")
    for _ in range(6):  # a double click that comes while the page still puts itself together is lost
        viewing.series("SR")
        with suppress(TimeoutError):
            measured.wait_for(timeout=10_000)
            break
    assert measured.count()
    assert viewing.drawn()
    viewing.shoot("sr")


def reddish(picture: np.ndarray) -> int:
    """Pixels that are more red than green."""
    return int((picture[..., 0].astype(int) - picture[..., 1] > 40).sum())
