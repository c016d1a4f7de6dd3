"""Every instance that arrives has exactly one verdict in the audit log, whatever breaks meanwhile.

`make test` takes a small share; ``VEIL_MISHAPS=200 python -m pytest -s tests/system/test_completeness.py`` is long.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.system.completeness import Run
from tests.system.faulty_pacs import faulty_pacs
from tests.system.harness import Site

MISHAPS = int(os.environ.get("VEIL_MISHAPS", "4"))
SEED = int(os.environ.get("VEIL_SEED", "20261121"))


@pytest.mark.timeout(300 + 40 * MISHAPS)
def test_each_instance_that_arrived_has_one_end(make_site: Callable[..., Site]) -> None:
    with faulty_pacs() as pacs:
        destination = {"type": "dicomweb", "url": f"http://127.0.0.1:{pacs.port}"}
        changes = {"destinations.pacs": destination, "projects.research.destinations": ["archive", "pacs"]}
        site = make_site("site", changes)
        found = Run(site, pacs, random.Random(SEED)).go(MISHAPS)
    assert found.wrong == []
    assert found.verdicts["released"] > MISHAPS
    assert found.verdicts["held"] > 0
    assert bool(found.rejected) == bool(pacs.refused)
    verified = site.veil("audit", "verify", str(site.data / "audit"))
    assert verified.returncode == 0, verified.stdout
