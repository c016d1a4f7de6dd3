"""Rules change without a restart: all or nothing, audited, and what is under way ends under the rules it began with."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from pydicom import dcmread

from tests.system.harness import Site, until
from tests.system.modality import c_store
from tests.system.planting import fresh

Make = Callable[..., Site]

_PROFILE = "version: 1\nname: mine\nextends: research\n"
_MACHINE = _PROFILE + "rules:\n  - match: {keyword: KVP}\n    do: remove\n"


def records(site: Site) -> list[dict[str, Any]]:
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def started(make_site: Make) -> Site:
    site = make_site()
    (site.folder / "profiles").mkdir()
    (site.folder / "profiles" / "mine.yaml").write_text(_PROFILE)
    site.edit({"projects.research.profile": "mine"})
    site.start()
    return site


def digests(site: Site) -> list[str]:
    return [r["policy_digest"] for r in records(site) if r["type"] == "released"]


def test_a_changed_profile_is_taken_and_audited(make_site: Make) -> None:
    site = started(make_site)
    c_store(site.dimse_port, fresh().part10)
    (site.folder / "profiles" / "mine.yaml").write_text(_MACHINE)
    done = site.veil("reload", "-c", str(site.config))
    assert done.returncode == 0, done.stderr
    c_store(site.dimse_port, fresh().part10)
    site.drain()
    before, after = digests(site)
    assert before != after
    (changed,) = [r for r in records(site) if r["type"] == "rules-reloaded"]
    assert changed["object"]["policies"]["research"] == {"before": before, "after": after}
    assert changed["peer"] == {"transport": "cli"}
    assert after[:16] in done.stdout
    has_kvp = {"KVP" in dcmread(path, stop_before_pixels=True) for path in site.archived().values()}
    assert has_kvp == {True, False}


def test_a_broken_file_leaves_the_old_rules_in_force(make_site: Make) -> None:
    site = started(make_site)
    (site.folder / "profiles" / "mine.yaml").write_text(
        _PROFILE + "rules:\n  - match: {keyword: KVP}\n    do: forget\n"
    )
    done = site.veil("reload", "-c", str(site.config))
    assert done.returncode == 1
    assert "rule 1.do" in done.stderr
    c_store(site.dimse_port, fresh().part10)
    site.drain()
    assert len(site.archived()) == 1
    types = [r["type"] for r in records(site)]
    assert "rules-refused" in types
    assert "rules-reloaded" not in types


def test_sighup_reloads_under_load_and_nothing_is_lost(make_site: Make) -> None:
    site = started(make_site)
    instances = [fresh() for _ in range(24)]

    def send() -> None:
        for one in instances:
            c_store(site.dimse_port, one.part10)

    sender = threading.Thread(target=send)
    sender.start()
    (site.folder / "profiles" / "mine.yaml").write_text(_MACHINE)
    os.kill(site.pid, signal.SIGHUP)
    sender.join(60)
    until(lambda: any(r["type"] == "rules-reloaded" for r in records(site)), 30, "the new rules")
    site.drain()
    assert len(site.archived()) == len(instances)
    assert len(set(digests(site))) <= 2
    assert site.ready
