"""Identifiers in unlikely places: each instance leaves without them, or is held because one would remain.

Through ``veil deid``, the same engine and gate as the proxy's, and searched byte-wise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.harness import Site
from tests.system.planting import MARKERS, found_in
from tests.system.smuggled import Smuggled, smuggled

#: the gate's own words for "this would leave with the output"
CAUGHT = {"pixels-unreadable", "identifier-remains", "element-not-allowed"}


@dataclass(frozen=True)
class Fates:
    """Place → the output, or why there is none."""

    released: dict[str, Path]
    held: dict[str, str]


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> Fates:
    folder = tmp_path_factory.mktemp("smuggled")
    site = Site(folder / "site")
    (folder / "in").mkdir()
    names = {f"{number:02}.dcm": one.place for number, one in enumerate(smuggled())}
    for name, one in zip(names, smuggled(), strict=True):
        (folder / "in" / name).write_bytes(one.part10)
    options = ["--out", str(folder / "out"), "--layout", "mirrored", "-c", str(site.config), "--project", "research"]
    done = site.veil("deid", str(folder / "in"), *options)
    assert done.returncode in (0, 3), done.stderr
    held = dict(re.findall(r"^held  .*/(\d\d\.dcm): ([a-z-]+)", done.stdout, re.MULTILINE))
    released = {place: path for name, place in names.items() if (path := folder / "out" / name).exists()}
    return Fates(released, {names[name]: reason for name, reason in held.items()})


@pytest.mark.parametrize("one", smuggled(), ids=lambda one: one.place)
def test_an_identifier_in_an_unlikely_place_does_not_leave(fates: Fates, one: Smuggled) -> None:
    if one.place in fates.released:
        assert found_in(fates.released[one.place], MARKERS) == []
    else:
        assert fates.held[one.place] in CAUGHT


def test_most_of_them_are_released(fates: Fates) -> None:
    assert len(fates.released) > len(fates.held)
