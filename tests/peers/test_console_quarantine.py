"""Held instances in Chromium: seen, previewed, replayed after the rule was mended, purged by who may; nobody's name."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread, dcmwrite
from pydicom.uid import UID

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.system.harness import Site
from tests.system.planting import MARKERS, fresh
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore::UserWarning")]

PEOPLE = {"otto": "research:operator", "alice": "research:administrator", "olga": "research:officer"}
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UNREAD = 'version: 1\nname: mine\nextends: research\npixels: {text: "off"}\n'
MENDED = "version: 1\nname: mine\nextends: research\n"
WIDE, HIGH = 320, 240
_SHOWN = """async img => { await img.decode();
  const canvas = document.createElement('canvas');
  canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
  canvas.getContext('2d').drawImage(img, 0, 0);
  return canvas.toDataURL('image/png'); }"""


@cache
def letters() -> NDArray[np.bool_]:
    """Where the name is burned in."""
    canvas = Image.new("L", (WIDE, HIGH), 0)
    ImageDraw.Draw(canvas).text((24, 60), "ZQXPLANT NORA", 255, font=ImageFont.load_default(26))
    return np.array(canvas) > 100


def captured(**attributes: str) -> bytes:
    """A secondary capture with a name in its header and in its pixels, and stripes in its lower half."""
    ds = dcmread(io.BytesIO(fresh().part10))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(CAPTURE)
    frame = np.full((HIGH, WIDE), 70, np.uint8)
    frame[HIGH // 2 :] = np.where(np.arange(WIDE) % 4 < 2, 0, 200)
    frame[letters()] = 240
    ds.Rows, ds.Columns, ds.PixelData = HIGH, WIDE, frame.tobytes()
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "RescaleIntercept"):
        ds.pop(name, None)
    for name, value in attributes.items():
        setattr(ds, name, value)
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    folder, config = tmp_path_factory.mktemp("held"), {"projects.research.profile": "mine"}
    with console_site(folder, program("chromium"), PEOPLE, **config) as made:
        site, _ = made
        (site.folder / "profiles").mkdir()
        (site.folder / "profiles" / "mine.yaml").write_text(UNREAD)
        site.secrets |= set(MARKERS)
        site.start()
        for part10 in (captured(), captured(), captured(BurnedInAnnotation="YES"), captured(SOPInstanceUID="1.2.3")):
            stow(site.http_port, part10)
        yield made
        assert site.stop() == 0
        assert site.exposed() == []


def records(site: Site, *types: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["type"] in types]


def come(site: Site, web: Browser, name: str) -> None:
    """Sign in, and be there."""
    sign_in(site, web, name)
    web.page.get_by_role("heading", name="Overview").wait_for()


def read(web: Browser, name: str) -> None:
    """Keep pictures of the page; no planted value stands in it."""
    text = look(web, name)
    assert [marker for marker in MARKERS if marker.lower() in text.lower()] == []


def shown(web: Browser) -> NDArray[np.uint8]:
    """The picture of a preview as the browser shows it, as large as the image, in greys."""
    url = web.page.locator(".masked img").evaluate(_SHOWN)
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")
    return np.array(picture.resize((WIDE, HIGH), Image.Resampling.NEAREST))


def preview(site: Site, web: Browser, reason: str) -> NDArray[np.uint8]:
    """Of the newest that is held for ``reason``, by the links."""
    visit(site, web, f"/quarantine?reason={reason}")
    web.page.locator("#entries a").first.click()
    web.page.get_by_role("heading", name="Held instance").wait_for()
    web.page.get_by_role("link", name="Preview").click()
    web.page.get_by_role("heading", name="Preview").wait_for()
    return shown(web)


def contrast(picture: NDArray[np.uint8]) -> int:
    """Of the stripes."""
    row = picture[HIGH - 30, 100:200]
    return int(row.max()) - int(row.min())


def test_an_operator_sees_what_is_held_and_why(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    come(site, web, "otto")
    web.page.get_by_role("link", name="Held").click()
    web.page.get_by_role("heading", name="4 held").wait_for()
    row = web.page.get_by_role("table", name="By reason").get_by_role("row", name="pixels-uninspected")
    assert row.get_by_role("cell").first.inner_text() == "2"
    read(web, "held-list")
    web.page.get_by_role("combobox", name="Reason").select_option("burned-in-annotation")
    web.page.get_by_role("button", name="Show").click()
    web.page.get_by_role("heading", name="1 held").wait_for()
    web.page.locator("#entries a").click()
    web.page.get_by_role("heading", name="Held instance").wait_for()
    assert "device rule" in web.page.inner_text("main")
    assert web.page.get_by_role("link", name="Purge").count() == 0
    read(web, "held-one")
    assert records(site, "quarantine-viewed") == []


def test_a_preview_shows_no_name_neither_in_words_nor_in_pixels(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    come(site, web, "otto")
    black = preview(site, web, "burned-in-annotation")
    assert black[letters()].max() < 30
    assert contrast(black) == 0
    read(web, "held-preview-black")
    coarse = preview(site, web, "pixels-uninspected")
    assert coarse[letters()].max() < 30
    assert 0 < coarse[HIGH - 30, 150] < 200
    assert contrast(coarse) < 60
    read(web, "held-preview-coarse")
    web.page.locator("#elements").scroll_into_view_if_needed()
    web.shoot("console-held-preview-elements")
    row = web.page.get_by_role("row", name="(0010,0010) PatientName")
    assert "pseudonym" in row.inner_text()
    viewed = records(site, "quarantine-viewed")
    assert [(each["peer"]["caller"], each["reason"]) for each in viewed] == [
        ("user:otto", "burned-in-annotation"),
        ("user:otto", "pixels-uninspected"),
    ]


def test_who_may_not_operate_is_refused_on_record(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    come(site, web, "olga")
    assert web.page.get_by_role("link", name="Held").count() == 0
    visit(site, web, "/quarantine")
    assert "Your role does not allow this" in web.page.inner_text("main")
    come(site, web, "otto")
    visit(site, web, f"/quarantine/{site.held()[0]['id']}/purge")
    assert "Your role does not allow this" in web.page.inner_text("main")
    said = [(each["peer"]["caller"], each["object"].get("verb", "")) for each in records(site, "denied")]
    assert said == [("user:olga", ""), ("user:otto", "admin")]
    web.failed.clear()  # Chromium says that there was a 403


def test_after_the_rule_was_mended_the_chosen_leave(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    (site.folder / "profiles" / "mine.yaml").write_text(MENDED)
    assert site.veil("reload", "-c", str(site.config)).returncode == 0
    come(site, web, "otto")
    whole = preview(site, web, "pixels-uninspected")
    assert "released" in web.page.get_by_role("region", name="Outcome").inner_text()
    assert whole[letters()].max() < 30
    assert contrast(whole) > 150
    read(web, "held-preview-released")
    visit(site, web, "/quarantine")
    web.page.get_by_label("Choose all on this page").check()
    assert web.page.locator("#entries tbody input:checked").count() == 4
    web.page.get_by_role("button", name="Replay those chosen").click()
    web.page.get_by_role("heading", name="Replayed").wait_for()
    assert "3 of 4 released" in web.page.get_by_role("status").inner_text()
    read(web, "held-replayed")
    site.drain()
    assert len(site.archived()) == 3
    assert {each["peer"]["caller"] for each in records(site, "replayed")} == {"user:otto"}
    assert len(site.held()) == 1


def test_an_administrator_purges_what_nobody_needs(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    (left,) = site.held()
    come(site, web, "alice")
    visit(site, web, f"/quarantine/{left['id']}")
    web.page.get_by_role("link", name="Purge").click()
    web.page.get_by_role("heading", name="Purge this original?").wait_for()
    read(web, "held-purge")
    web.page.get_by_label("Why").select_option("not-needed")
    web.page.get_by_label("Ticket").fill("CHG-17")
    web.page.get_by_role("button", name="Purge for good").click()
    web.page.get_by_text("Nothing is held in your projects").wait_for()
    assert "was purged" in web.page.get_by_role("status").inner_text()
    (purged,) = records(site, "purged")
    assert (purged["object"]["why"], purged["object"]["ticket"], purged["peer"]["caller"]) == (
        "not-needed", "CHG-17", "user:alice",
    )  # fmt: skip
    assert site.held() == []
    assert web.failed == []
