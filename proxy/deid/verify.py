"""The gate: an independent second reading of what the engine made. Only this module constructs a `Release`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """What lets bytes leave: their SHA-256 and length, under a MAC that only a `Gate` of this run can make."""

    sha256: str
    size: int
    mac: bytes
