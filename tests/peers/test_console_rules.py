"""Rules and devices in Chromium: history for officers, a dry run for operators, a reload for who may; nobody's name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.system.harness import Site
from tests.system.planting import MARKERS, fresh
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore::UserWarning")]

PEOPLE = {
    "otto": "research:operator",
    "olga": "research:officer",
    "vera": "research:viewer",
    "alice": "*:administrator",
}
MINE = "version: 1\nname: mine\nextends: research\nnames: [Petiolatum]\n"
RULE = MINE + "rules:\n  - {match: {keyword: KVP}, do: remove, note: Not needed here.}\n"


@pytest.fixture(scope="module")
def seen(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Browser]]:
    folder, config = tmp_path_factory.mktemp("rules"), {"projects.research.profile": "mine"}
    with console_site(folder, program("chromium"), PEOPLE, **config) as made:
        site, _ = made
        (site.folder / "profiles").mkdir()
        profile(site, MINE)
        site.start()
        assert stow(site.http_port, fresh().part10, fresh().part10, fresh("held").part10).status in (200, 202)
        yield made
        assert site.stop() == 0
        assert site.exposed() == []


def profile(site: Site, text: str) -> None:
    (site.folder / "profiles" / "mine.yaml").write_text(text)


def enter(site: Site, web: Browser, name: str) -> None:
    sign_in(site, web, name)
    web.page.get_by_role("heading", name="Overview").wait_for()


def records(site: Site, kind: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for line in lines if (record := json.loads(line))["type"] == kind]


def test_rules_are_taken_by_who_may_and_a_broken_file_says_what_is_wrong(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    enter(site, web, "alice")
    web.page.get_by_role("link", name="Rules").click()
    profile(site, RULE.replace("remove", "forget"))
    web.page.get_by_role("button", name="Reload rules from disk").click()
    assert "rule 1.do" in web.page.get_by_role("alert").inner_text()
    look(web, "rules-refused")
    web.failed.clear()  # Chromium says that there was a 422
    profile(site, RULE)
    web.page.get_by_role("button", name="Reload rules from disk").click()
    web.page.get_by_role("status").wait_for()
    (taken,) = records(site, "rules-reloaded")
    digests = taken["object"]["policies"]["research"]
    assert taken["peer"]["caller"] == "user:alice"
    assert digests["after"][:16] in web.page.get_by_role("row", name="research").inner_text()
    assert [record["peer"]["caller"] for record in records(site, "rules-refused")] == ["user:alice"]
    look(web, "rules")


def test_an_officer_sees_what_the_rules_say_and_how_they_changed(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    enter(site, web, "olga")
    visit(site, web, "/rules")
    assert web.page.get_by_role("button", name="Reload rules from disk").count() == 0
    web.page.get_by_role("link", name="research", exact=True).click()
    web.page.get_by_role("heading", name="Rules of research").wait_for()
    rows = web.page.get_by_role("table", name="Changes").get_by_role("row").all_inner_texts()[1:]
    assert [row.split("\t")[1:3] for row in rows] == [
        ["taken into force", "alice"],
        ["refused", "alice"],
        ["Veil started", "Veil itself"],
    ]
    assert "Not needed here." in web.page.get_by_role("table", name="Rules of the site").inner_text()
    assert "(1 names, not shown)" in web.page.locator("pre").inner_text()
    page = look(web, "rules-project")
    assert not any(marker in page for marker in (*MARKERS, "Petiolatum"))


def test_an_operator_sees_which_devices_send(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    enter(site, web, "otto")
    web.page.get_by_role("link", name="Devices").click()
    web.page.get_by_role("heading", name="By device").wait_for()
    rows = web.page.get_by_role("table", name="By device").get_by_role("row").all_inner_texts()[1:]
    assert len(rows) == 2
    assert rows[0].startswith("GE MEDICAL SYSTEMS RHAPSODE\tCT\tSurface Scan Mesh Storage\t1\t1 pixels-uninspected")
    assert rows[1].split("\t")[1:5] == ["CT", "CT Image Storage", "2", "–"]
    page = look(web, "coverage")
    assert not any(marker in page for marker in MARKERS)


def test_an_operator_tries_a_changed_profile_on_a_file(seen: tuple[Site, Browser], tmp_path: Path) -> None:
    site, web = seen
    enter(site, web, "otto")
    visit(site, web, "/rules/research")
    web.page.get_by_role("link", name="Dry run").click()
    received, instance = len(records(site, "received")), fresh()
    ds = dcmread(io.BytesIO(instance.part10))
    ds.DataSetTrailingPadding = bytes(3 << 20)  # more than a form without files may have
    ds.save_as(tmp_path / "file.dcm")
    (tmp_path / "wrong.yaml").write_text(RULE.replace("remove", "forget"))
    (tmp_path / "mine.yaml").write_text(RULE.replace("KVP", "[KVP, SliceThickness]"))
    web.page.get_by_label("DICOM file").set_input_files(tmp_path / "file.dcm")
    web.page.get_by_label("Changed profile").set_input_files(tmp_path / "wrong.yaml")
    web.page.get_by_role("button", name="Try").click()
    assert "rule 1.do" in web.page.get_by_role("alert").inner_text()
    web.failed.clear()  # Chromium says that there was a 422
    web.page.get_by_label("DICOM file").set_input_files(tmp_path / "file.dcm")
    web.page.get_by_label("Changed profile").set_input_files(tmp_path / "mine.yaml")
    web.page.get_by_role("button", name="Try").click()
    web.page.get_by_role("heading", name="Outcome").wait_for()
    (row,) = web.page.get_by_role("table", name="What differs").get_by_role("row").all_inner_texts()[1:]
    assert row.split("\t")[:3] == ["(0018,0050)", "SliceThickness", "keep"]
    assert row.split("\t")[4] == "remove"
    for picture in web.page.locator("figure.masked img").all():
        web.until(lambda each=picture: each.evaluate("img => img.complete && img.naturalWidth > 0"), "the picture")
    assert web.page.locator("figure.masked img").count() == 2
    web.page.get_by_role("heading", name="Outcome").scroll_into_view_if_needed()
    page = look(web, "dry-run")
    assert not any(marker in page for marker in MARKERS)
    refused, tried = records(site, "rules-tried")
    assert (refused["reason"], refused["peer"]["caller"]) == ("candidate-refused", "user:otto")
    assert tried["object"]["outcomes"] == {"now": "released", "then": "released"}
    assert tried["object"]["candidate"] != tried["policy_digest"]
    assert len(records(site, "received")) == received


def test_a_viewer_is_refused_on_record(seen: tuple[Site, Browser]) -> None:
    site, web = seen
    enter(site, web, "vera")
    assert web.page.get_by_role("link", name="Rules").count() == 0
    before = len(records(site, "denied"))
    for path in ("/rules", "/rules/research", "/rules/research/try", "/coverage"):
        visit(site, web, path)
        assert "Your role does not allow this" in web.page.inner_text("main")
    assert [each["peer"]["caller"] for each in records(site, "denied")[before:]] == ["user:vera"] * 4
    web.failed.clear()  # Chromium says that there was a 403
