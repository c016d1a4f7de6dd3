"""``veil deid``, ``quarantine``, ``audit verify`` and ``demo`` as an operator runs them, with a proxy and without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.harness import Site
from tests.system.modality import c_store
from tests.system.planting import MARKERS, found_in, fresh, planted
from tests.system.sealed import sealed_instances
from tests.system.stow import stow

Make = Callable[..., Site]


# ---- deid ----


def deid(site: Site, inputs: Path, out: Path, *options: str) -> tuple[int, str]:
    done = site.veil("deid", str(inputs), "--out", str(out), "-c", str(site.config), "--project", "research", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two instances that pass and two that do not, in folders."""
    (tmp_path / "in" / "first").mkdir(parents=True)
    (tmp_path / "in" / "second").mkdir()
    (tmp_path / "in" / "first" / "1.dcm").write_bytes(planted(1).part10)
    (tmp_path / "in" / "second" / "2.dcm").write_bytes(planted(2).part10)
    return tmp_path / "in"


def test_deid_of_what_passes_has_status_0_and_both_layouts(make_site: Make, folder: Path, tmp_path: Path) -> None:
    site = make_site()
    status, said = deid(site, folder, tmp_path / "tiers")
    assert status == 0, said
    tiers = sorted((tmp_path / "tiers").rglob("*.dcm"))
    assert [len(path.relative_to(tmp_path / "tiers").parts) for path in tiers] == [4, 4]
    status, said = deid(site, folder, tmp_path / "same", "--layout", "mirrored")
    assert status == 0, said
    mirrored = [tmp_path / "same" / name for name in ("first/1.dcm", "second/2.dcm")]
    assert {path.read_bytes() for path in mirrored} == {path.read_bytes() for path in tiers}
    for out in ("tiers", "same"):
        assert found_in(tmp_path / out, MARKERS) == []
        left = [path for path in (tmp_path / out).rglob("*") if path.is_file()]
        assert len(left) == 2, "something else than the released files was left"


def test_deid_leaves_no_copy_of_what_it_holds(make_site: Make, folder: Path, tmp_path: Path) -> None:
    (folder / "first" / "held.dcm").write_bytes(planted(3, "held").part10)
    (folder / "second" / "broken.dcm").write_bytes(planted(4).part10[:2000])
    site, out = make_site(), tmp_path / "out"
    status, said = deid(site, folder, out)
    assert status == 3
    assert "2 released, 2 held" in said
    held = [line for line in said.splitlines() if line.startswith("held")]
    assert [("held.dcm: pixels-uninspected" in line, "broken.dcm: " in line) for line in held] == [
        (True, False),
        (False, True),
    ]
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert found_in(out, MARKERS) == []
    inputs = [path for path in folder.rglob("*") if path.is_file()]
    assert len(inputs) == 4, "the inputs stay"


def test_deid_beside_a_running_proxy_is_the_same(site: Site, folder: Path, tmp_path: Path) -> None:
    assert stow(site.http_port, planted(1).part10, planted(2).part10).status == 200
    status, said = deid(site, folder, tmp_path / "out")
    assert status == 0, said
    site.drain()
    archived = {
        str(p.relative_to(site.data / "archive" / "research")): p.read_bytes() for p in site.archived().values()
    }
    assert {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.dcm")} == archived


def test_deid_overwrites_nothing(make_site: Make, folder: Path, tmp_path: Path) -> None:
    site, out = make_site(), tmp_path / "out"
    assert deid(site, folder, out, "--layout", "mirrored")[0] == 0
    (out / "first" / "1.dcm").write_bytes(b"somebody else's")
    status, said = deid(site, folder, out, "--layout", "mirrored")
    assert status == 3, said
    assert (out / "first" / "1.dcm").read_bytes() == b"somebody else's"


# ---- quarantine ----


def quarantine(site: Site, *arguments: str) -> tuple[int, str]:
    done = site.veil("quarantine", *arguments, "-c", str(site.config))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def listed(site: Site) -> dict[str, str]:
    status, said = quarantine(site, "list", "--json")
    assert status == 0, said
    return {entry["id"]: entry["reason"] for entry in json.loads(said)}


@pytest.mark.parametrize("running", [True, False], ids=["running", "at rest"])
def test_quarantine_list_show_replay_purge(site: Site, running: bool) -> None:
    kept, dropped, broken = planted(1, "held"), planted(2, "held"), fresh().part10[:3000]
    for one in (kept, dropped):
        assert c_store(site.dimse_port, one.part10).status == 0
    assert stow(site.http_port, broken).status == 409
    sealed = {content[132:]: entry.id for entry, content in sealed_instances(site)}
    by_uid = {
        uid: next(i for c, i in sealed.items() if uid.encode() in c)
        for uid in (kept.sop_instance_uid, dropped.sop_instance_uid)
    }

    def rest() -> None:
        if running and not site.running:
            site.start()
        if not running and site.running:
            assert site.stop() == 0

    rest()
    entries = listed(site)
    assert sorted(entries.values()) == ["length-beyond-buffer", "pixels-uninspected", "pixels-uninspected"]
    first, second = by_uid[kept.sop_instance_uid], by_uid[dropped.sop_instance_uid]
    status, said = quarantine(site, "show", first)
    assert (status, json.loads(said)["reason"]) == (0, "pixels-uninspected")
    unknown = [("show",), ("replay",), ("purge", "--yes")] if running else [("replay",)]
    for verb, *options in unknown:
        status, said = quarantine(site, verb, "a" * 24, *options)
        assert status == 1, said
        assert "no entry" in said

    status, said = quarantine(site, "replay", first)
    assert status == 3, said
    assert "still held" in said
    assert listed(site) == entries

    if site.running:
        assert site.stop() == 0
    site.edit({"projects.research.uninspected_pixels": "forward"})
    rest()
    status, said = quarantine(site, "replay", first)
    assert (status, "released" in said) == (0, True), said
    status, said = quarantine(site, "purge", second, "--yes")
    assert status == 0, said
    assert list(listed(site).values()) == ["length-beyond-buffer"]
    if not site.running:
        site.start()
    site.drain()
    assert len(site.archived()) == 1
    assert site.stop() == 0
    assert [content for _, content in sealed_instances(site) if dropped.sop_instance_uid.encode() in content] == []


# ---- audit ----


def test_audit_verify_finds_an_edited_byte_and_a_cut_tail(site: Site, tmp_path: Path) -> None:
    assert stow(site.http_port, *(fresh().part10 for _ in range(5))).status == 200
    site.drain()
    assert site.stop() == 0
    whole = site.veil("audit", "verify", str(site.data / "audit"))
    assert whole.returncode == 0, whole.stdout
    anchor = whole.stdout.split("last ")[1].split(";")[0]

    copy = tmp_path / "copy"
    shutil.copytree(site.data / "audit", copy)
    (log,) = copy.glob("*.jsonl")
    raw = log.read_bytes()
    place = raw.index(b'"released"') + 3
    log.write_bytes(raw[:place] + b"X" + raw[place + 1 :])
    edited = site.veil("audit", "verify", str(copy))
    assert edited.returncode == 1
    line = raw[:place].count(b"\n") + 1
    assert f"{log.name}:{line} (record {line}): " in edited.stdout

    log.write_bytes(b"".join(raw.splitlines(keepends=True)[:-2]))
    assert site.veil("audit", "verify", str(copy)).returncode == 1, "the checkpoints say that there was more"
    for notes in copy.glob("*.notes"):
        notes.unlink()
    assert site.veil("audit", "verify", str(copy)).returncode == 0, "a chain alone cannot show its own end"
    cut = site.veil("audit", "verify", str(copy), "--anchor", anchor)
    assert cut.returncode == 1
    assert "BROKEN" in cut.stdout


# ---- demo ----


def test_demo_once_ends_well(make_site: Make) -> None:
    done = make_site().veil("demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
