"""The OCSF event (schema 1.3) of one record, as a dictionary of JSON.

Transfers and searches are Datastore Activity (6005), who was not let in is Authentication (3002), start and stop are
Application Lifecycle (6002), changes are API Activity (6003) or Account Change (3001).
"""

from __future__ import annotations

from typing import Any

from proxy import __version__
from proxy.audit.formats.entry import Entry
from proxy.audit.formats.events import OCSF, kind_of

_SCHEMA = "1.3.0"
_PRODUCT = {"name": "Veil", "vendor_name": "Veil", "version": __version__}


def render(entry: Entry) -> dict[str, Any]:
    """The event."""
    number, activity = kind_of(entry.type).ocsf
    found: dict[str, Any] = {
        "class_uid": number,
        "class_name": OCSF[number],
        "category_uid": number // 1000,
        "activity_id": activity,
        "activity_name": entry.type or "unknown",
        "type_uid": number * 100 + activity,
        "time": entry.microseconds // 1000,
        "severity_id": 3 if entry.failed else 1,
        "status_id": 2 if entry.failed else 1,
        "metadata": {
            "version": _SCHEMA,
            "product": _PRODUCT,
            "uid": f"{entry.node}:{entry.seq}",
            "sequence": entry.seq,
            "log_name": "veil audit",
        },
        "unmapped": _unmapped(entry),
    }
    if entry.reason:
        found["status_detail"] = entry.reason
    return found | _about(entry, number)


def _endpoint(entry: Entry) -> dict[str, str]:
    found = {"name": entry.who or "veil"}
    if entry.ip is not None:
        found["ip"] = str(entry.ip)
    return found


def _about(entry: Entry, number: int) -> dict[str, Any]:
    """What its class asks for."""
    user = {"name": entry.who or entry.node or "veil"}
    if number == 6002:
        return {"app": _PRODUCT}
    found: dict[str, Any] = {"src_endpoint": _endpoint(entry)}
    if number == 6005:
        bucket = {"name": entry.project or "veil", "type_id": 99, "type": "project"}
        return found | {"actor": {"user": user}, "databucket": bucket, "type_id": 2}
    if number == 6003:
        return found | {"actor": {"user": user}, "api": {"operation": entry.type or "unknown"}}
    if number == 3002:
        return found | {"user": user, "service": {"name": "veil"}}
    return found | {"actor": {"user": user}, "user": {"name": entry.object.get("name") or "callers"}}


def _unmapped(entry: Entry) -> dict[str, str]:
    return {"hash": entry.hash, "project": entry.project} | entry.told
