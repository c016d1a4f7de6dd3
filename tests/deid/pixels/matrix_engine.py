"""The whole way of one instance of the matrix: device rule, engine, gate. What it blanks is in the rules made here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.pixels.matrix import REGIONS, SIZES, place

GATE = Gate(bytes(range(32)))


def rules() -> dict[str, Any]:
    """A device rule for each region, matched by Station Name; frames there are counted from 1."""
    listed = []
    for region, areas in REGIONS.items():
        for number, (box, frames) in enumerate(areas):
            sizes = {
                f"{columns}x{rows}": {"blank": [list(place(box, columns, rows))]}
                | ({"frames": [frame + 1 for frame in frames]} if frames is not None else {})
                for columns, rows in SIZES
            }
            listed.append({"name": f"{region}-{number}", "match": {"StationName": region}, "sizes": sizes})
    return {"version": 1, "name": "matrix", "rules": listed}


@lru_cache(maxsize=1)
def policy() -> Policy:
    """Blanks by these rules and reads nothing for text."""
    profile = {**load_profile("basic"), "pixels": {"text": "off", "devices": ["matrix"]}}
    key, devices = bytes(range(32)), {"matrix": rules()}
    spec = PolicySpec("research", profile, key, uninspected_pixels="forward", pixel_rules=devices)
    return compile_policy(load_tables(), spec)


def through(file: bytes) -> bytes:
    """``file`` de-identified and released; raises `InstanceHeld`."""
    result = deidentify(memoryview(file), Claimed(), policy())
    GATE.verify(memoryview(file), result, policy())
    return materialise(result.chunks, file)
