"""For notebooks and scripts: a `Deidentifier` from the name of a profile. The layer that may read rules and keys.

The core (`proxy.deid`) reads no files; this module puts rules and key together and hands the core a compiled policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from proxy.deid import Deidentifier
from proxy.deid.dictionary import register
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError, InstanceHeld, Reason
from proxy.store.keys import KEY_BYTES, load_key
from proxy.store.rulebook import load_pixel_rules, load_profile, load_tables
from proxy.workers.text_reader import make_reader

__all__ = ["Deidentifier", "InstanceHeld", "Reason", "load"]


def load(
    profile: str | Mapping[str, Any] = "research",
    *,
    key: bytes | str | Path,
    project: str = "notebook",
    key_epoch: int = 1,
    patient_id_prefix: str = "",
    blank_patient_id: Literal["hold", "per-study"] = "hold",
    uninspected_pixels: Literal["hold", "forward"] = "hold",
    date_shift_days: int = 365,
) -> Deidentifier:
    """A `Deidentifier` for a profile of ``rules/profiles``, or for one given as a mapping (rules/README.md).

    About 0.2 s; make one and use it again.
    ``key`` is 32 bytes, or the path of a key file as ``veil init`` makes it. With a project's own key file, epoch,
    prefix and date_shift_days the pseudonyms are those of that project. `ConfigError` for what is wrong.
    """
    tables = load_tables()
    register(tables.attributes)
    root_key = key if isinstance(key, bytes) else load_key(Path(key))
    if len(root_key) != KEY_BYTES:
        raise ConfigError("key", f"a key has {KEY_BYTES} bytes", "secrets.token_bytes(32), and keep it")
    document = load_profile(profile) if isinstance(profile, str) else profile
    spec = PolicySpec(
        project=project,
        profile=document,
        pixel_rules=load_pixel_rules(document),
        root_key=root_key,
        key_epoch=key_epoch,
        patient_id_prefix=patient_id_prefix,
        blank_patient_id=blank_patient_id,
        uninspected_pixels=uninspected_pixels,
        date_shift_days=date_shift_days,
    )
    return Deidentifier(compile_policy(tables, spec), make_reader())
