"""``make_site`` makes sites, ends them, and afterwards looks in every file of theirs for what they were to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Site, until
from tests.system.modality import Refused, c_echo, c_store
from tests.system.planting import MARKERS, fresh
from tests.system.stow import stow


@contextmanager
def _sites(folder: Path) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(name: str = "site", changes: dict[str, Any] | None = None, key: str = "a", afresh: bool = False) -> Site:
        site = Site(folder / name, changes, key, afresh)
        site.secrets.update(MARKERS)
        made.append(site)
        return site

    yield make
    for site in made:
        site.end()
    assert [hit for site in made for hit in site.exposed()] == []
    assert [site.log for site in made if site.log.exists() and "Traceback" in site.log.read_text()] == []


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """``make_site("name", {"workers.count": 2}, key="b")``; the planted markers are secret in each."""
    with _sites(tmp_path) as make:
        yield make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A running site with the default settings."""
    made = make_site()
    made.start()
    return made


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One running site with tight bounds for all tests of a module: they must leave it as able as they found it."""
    with _sites(tmp_path_factory.mktemp("bounded")) as make:
        site = make(
            "site",
            {
                "limits.instance_bytes": 8 << 20,
                "limits.inflated_bytes": 16 << 20,
                "limits.memory_bytes": 64 << 20,
                "workers.memory_mib": 512,
                "workers.seconds": 20,
                "dimse.associations": 12,
                "dimse.idle_seconds": 5,
            },
            afresh=True,  # what it has in memory is measured, and pages of a fork are shared
        )
        site.start()
        yield site
        assert site.stop() == 0


@pytest.fixture
def able(bounded: Site) -> Iterator[Site]:
    """`bounded`; after the test it must still answer, be ready and store, by both transports, without a restart."""
    pid = bounded.pid
    yield bounded
    until(lambda: _echoes(bounded), 30, "C-ECHO is answered")
    assert bounded.ready
    bounded.drain()
    before = bounded.archived().keys()
    assert c_store(bounded.dimse_port, fresh().part10).status == 0
    assert stow(bounded.http_port, fresh().part10).status == 200
    bounded.drain()
    assert len(bounded.archived().keys() - before) == 2
    assert bounded.pid == pid


def _echoes(site: Site) -> bool:
    """Twice, because a place that an aborted association had is free a moment after its peer saw the end."""
    try:
        return all(c_echo(site.dimse_port).status == 0 for _ in range(2))
    except (Refused, OSError):
        return False
