"""What the last start was made of, in `last-start.json` in the data folder (mode 0600): so that a change is noticed.

Digests and check values only. A file that is not there, or is not in order, is no start to compare with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from proxy.errors import ConfigError
from proxy.store.private_file import publish, read_private

FILE = "last-start.json"


@dataclass(frozen=True, slots=True)
class MadeOf:
    """``parts`` of veil.yaml → digest, ``keys`` → check value."""

    parts: Mapping[str, str]
    keys: Mapping[str, str]


_READ = TypeAdapter(MadeOf)


def last_start(data_dir: Path) -> MadeOf | None:
    """None where nothing is known of one."""
    try:
        return _READ.validate_json(read_private(data_dir / FILE, ""))
    except (ConfigError, ValidationError):
        return None


def keep_start(data_dir: Path, made_of: MadeOf) -> None:
    """Durable when it returns. OSError."""
    publish(data_dir / FILE, json.dumps(asdict(made_of), indent=1, sort_keys=True) + "\n")
