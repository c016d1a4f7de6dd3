"""What a worker is told once, before its first instance. Plain values: nothing of engine or gate is imported here."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.deid.profile import Policy
from proxy.deid.tables import Attribute

#: modules; tests name others
ENGINE, GATE = "proxy.deid.engine", "proxy.deid.verify"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker works with. ``attributes`` teach pydicom those that it is too old for."""

    policies: Mapping[str, Policy]
    gate_key: bytes
    memory_bytes: int
    attributes: tuple[Attribute, ...] = ()
    engine: str = ENGINE
    gate: str = GATE


def packed(setup: Setup) -> bytes:
    """For the socket: once for all workers, since it takes longer than sending it."""
    return pickle.dumps(setup, protocol=5)


def unpacked(data: bytes) -> Setup:
    """What `packed` made, by our parent."""
    setup: Setup = pickle.loads(data)  # noqa: S301 - our parent's bytes, by a socket pair nobody else has
    return setup
