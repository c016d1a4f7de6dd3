"""A start on record: what Veil is made of now, and what of that is not what it was at the last start.

Parts of veil.yaml are compared by digests under a key of the node's own: names of parts are recorded, never what stands
in them, and nobody can guess it from a digest.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.config import Config
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import hkdf
from proxy.service.ports import AuditEvent, AuditTrail
from proxy.site import key_values, started
from proxy.store.keys import load_key
from proxy.store.last_start import MadeOf, keep_start, last_start

#: Parts of the document that are many of a kind, each with a name.
_NAMED = frozenset({"projects", "destinations", "upstreams", "peers", "clinical", "move_destinations"})


async def record_start(config: Config, policies: Mapping[str, Policy], audit: AuditTrail) -> None:
    """Durable when it returns; `AuditUnavailable`. What was found is kept for the next start, and compared then."""
    now = made_of(config)
    before = await asyncio.to_thread(last_start, config.data_dir)
    await audit.record(started(config, policies), *changes(before, now))
    if now != before:
        await asyncio.to_thread(keep_start, config.data_dir, now)


def made_of(config: Config) -> MadeOf:
    """Of what a start with ``config`` is made."""
    key = hkdf(load_key(config.node_key_file), "configuration")
    document = config.model_dump(mode="json", exclude_defaults=True)  # a default that is new is no change of the site's
    parts = {name: hmac.digest(key, _canonical(part), "sha256").hex() for name, part in _parts(document)}
    return MadeOf(parts, key_values(config))


def changes(before: MadeOf | None, now: MadeOf) -> Iterator[AuditEvent]:
    """The records of what is not as it was; none where there is nothing to compare with."""
    if before is None:
        return
    parts = sorted(
        name for name in before.parts.keys() | now.parts.keys() if before.parts.get(name) != now.parts.get(name)
    )
    if parts:
        yield AuditEvent("configuration-changed", object={"kind": "configuration", "parts": parts})
    added = {name: value for name, value in now.keys.items() if before.keys.get(name) != value}
    removed = sorted(before.keys.keys() - now.keys.keys())
    if added or removed:
        yield AuditEvent("keys-changed", object={"kind": "keys", "added": added, "removed": removed})


def _parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, part in document.items():
        if name in _NAMED:
            yield from ((f"{name}.{each}", value) for each, value in part.items())
        else:
            yield name, part


def _canonical(part: Any) -> bytes:
    return json.dumps(part, sort_keys=True).encode()
