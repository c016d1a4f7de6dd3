"""Same input, policy and key: the same bytes, whoever makes them and however often. Another key: nothing is shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from proxy import IMPLEMENTATION_CLASS_UID
from tests.system.harness import Site
from tests.system.modality import c_store
from tests.system.planting import planted
from tests.system.stow import stow

#: explicit, implicit and big-endian VR, encapsulated pixels, waveforms, deep sequences
FILES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "liver_expb_1frame.dcm", "rtdose_rle.dcm", "693_J2KI.dcm",
    "waveform_ecg.dcm",
)  # fmt: skip


def instances() -> list[bytes]:
    return [Path(str(get_testdata_file(name))).read_bytes() for name in FILES] + [planted(1).part10]


def by_dimse(site: Site) -> None:
    for instance in instances():
        assert c_store(site.dimse_port, instance).status == 0


def by_web(site: Site) -> None:
    assert stow(site.http_port, *instances()).status == 200


def contents(site: Site) -> dict[str, bytes]:
    """What the archive holds, after everything has arrived there."""
    site.drain()
    found = {str(p.relative_to(site.data / "archive")): p.read_bytes() for p in site.archived().values()}
    assert len(found) == len(instances())
    return found


def test_two_processes_two_transports_and_a_resend_give_the_same_bytes(make_site: Callable[..., Site]) -> None:
    one, other = make_site("one"), make_site("other", {"workers.count": 2}, afresh=True)
    one.start()
    other.start()
    by_dimse(one)
    first = contents(one)
    by_web(other)
    assert contents(other) == first

    before = {path: path.stat().st_ino for path in one.archived().values()}
    by_web(one)
    by_dimse(one)
    assert contents(one) == first
    assert {path: path.stat().st_ino for path in one.archived().values()} == before, "a resend rewrote a file"


def test_the_offline_twin_gives_the_same_bytes(site: Site, tmp_path: Path) -> None:
    by_web(site)
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number, instance in enumerate(instances()):
        (source / f"{number}.dcm").write_bytes(instance)
    done = site.veil("deid", str(source), "--out", str(out), "-c", str(site.config), "--project", "research")
    assert done.returncode == 0, done.stdout + done.stderr
    offline = {f"research/{p.relative_to(out)}": p.read_bytes() for p in out.rglob("*.dcm")}
    assert offline == contents(site)


def test_a_restart_changes_nothing(site: Site) -> None:
    by_web(site)
    first = contents(site)
    assert site.stop() == 0
    site.start()
    by_dimse(site)
    assert contents(site) == first


@pytest.fixture
def under_two_keys(make_site: Callable[..., Site]) -> tuple[list[Path], list[Path]]:
    made = []
    for key in ("a", "b"):
        site = make_site(f"key-{key}", key=key)
        site.start()
        by_web(site)
        contents(site)
        made.append(list(site.archived().values()))
    return made[0], made[1]


def test_another_key_shares_no_identifier_and_no_date(under_two_keys: tuple[list[Path], list[Path]]) -> None:
    shared = [seen(paths) for paths in under_two_keys]
    for kind in ("uid", "patient", "date"):
        assert shared[0][kind], f"no {kind} in the output: nothing was compared"
        assert not shared[0][kind] & shared[1][kind], kind


def seen(paths: list[Path]) -> dict[str, set[str]]:
    """Mapped UIDs, Patient IDs, and dates per instance (by SOP class and modality, which do not change)."""
    found: dict[str, set[str]] = {"uid": set(), "patient": set(), "date": set()}
    for path in paths:
        ds = dcmread(path)
        found["uid"] |= {uid.decode() for uid in re.findall(rb"2\.25\.[0-9]{30,39}", path.read_bytes())}
        found["patient"].add(ds.PatientID)
        dates = [e for e in ds if e.VR == "DA" and e.value]
        found["date"] |= {f"{ds.SOPClassUID} {len(ds)} {e.tag} {e.value}" for e in dates}
    found["uid"].discard(IMPLEMENTATION_CLASS_UID)
    return found
