"""``make_site`` makes sites, ends them, and afterwards looks in every file of theirs for what they were to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Site
from tests.system.planting import MARKERS


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """``make_site("name", {"workers.count": 2}, key="b")``; the planted markers are secret in each."""
    sites: list[Site] = []

    def make(name: str = "site", changes: dict[str, Any] | None = None, key: str = "a") -> Site:
        site = Site(tmp_path / name, changes, key)
        site.secrets.update(MARKERS)
        sites.append(site)
        return site

    yield make
    for site in sites:
        site.end()
    assert [hit for site in sites for hit in site.exposed()] == []


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A running site with the default settings."""
    made = make_site()
    made.start()
    return made
