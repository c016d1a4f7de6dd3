"""Acknowledged means durable: SIGKILL of every Veil process at random moments while instances arrive, again and again.

`make test` takes a small share; ``VEIL_KILLS=300 python -m pytest -s tests/system/test_kill.py`` is the long run.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.system import killing
from tests.system.harness import Site

KILLS = int(os.environ.get("VEIL_KILLS", "10"))
SEED = int(os.environ.get("VEIL_SEED", "20261120"))


@pytest.mark.timeout(60 + 20 * KILLS)
def test_every_acknowledged_instance_is_delivered_after_kills(make_site: Callable[..., Site]) -> None:
    # planted values in clear, anywhere below the folder, fail the fixture's teardown
    site = make_site()
    killing.run(site, KILLS, SEED, site.archived)
    verified = site.veil("audit", "verify", str(site.data / "audit"))
    assert verified.returncode == 0, verified.stdout
    assert "whole" in verified.stdout
