"""The Common Event Format (version 0) of one record: one line. ``\\`` is escaped, ``|`` in the header, ``=`` in values.

Line ends cannot occur: `entry.plain` has spelled them out. Keys are ours, never a peer's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from proxy import __version__
from proxy.audit.formats.entry import Entry
from proxy.audit.formats.events import MEANINGS, kind_of

#: members of a record's object with a key of their own; custom strings (cs1 ...) come with a label
_CUSTOM = (
    ("cs1", "project"), ("cs2", "study_instance_uid"), ("cs3", "sop_instance_uid"), ("cs4", "destination"),
    ("cs5", "hash"), ("cs6", "more"),
)  # fmt: skip


def render(entry: Entry) -> str:
    """The line."""
    name = MEANINGS[kind_of(entry.type).event]
    severity = "7" if entry.failed else "3"
    header = "|".join(map(_header, ("Veil", "Veil", __version__, entry.type, name, severity)))
    return f"CEF:0|{header}|" + " ".join(f"{key}={_value(value)}" for key, value in _extension(entry) if value)


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=")


def _extension(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "rt", str(entry.microseconds // 1000 or "")
    yield "dvchost", entry.node
    yield "externalId", str(entry.seq)
    yield "outcome", entry.outcome
    yield "reason", entry.reason
    yield "suser", entry.who
    if (ip := entry.ip) is not None:
        key = "src" if ip.version == 4 else "c6a2"
        yield key, str(ip)
        yield ("c6a2Label", "Source IPv6 Address") if key == "c6a2" else ("", "")
    yield "app", entry.peer.get("transport", "")
    for key, member in _CUSTOM:
        if value := _member(entry, member):
            yield key, value
            yield f"{key}Label", member


def _member(entry: Entry, name: str) -> str:
    if name in ("project", "hash"):
        return str(getattr(entry, name))
    if name != "more":
        return entry.object.get(name, "")
    shown = {f"object.{member}" for _, member in _CUSTOM}
    more = {key: value for key, value in entry.told.items() if key not in shown}
    return json.dumps(more, sort_keys=True, separators=(",", ":"))
