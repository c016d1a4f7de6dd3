"""OpenTelemetry log records of many records (OTLP/HTTP, JSON encoding): one request body per batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from proxy import __version__
from proxy.audit.formats.entry import Entry

_INFO, _WARN = 9, 13  # SeverityNumber


def render(entry: Entry) -> dict[str, Any]:
    """One LogRecord. 64-bit integers are strings, as proto3 JSON has them."""
    return {
        "timeUnixNano": str(entry.microseconds * 1000),
        "severityNumber": _WARN if entry.failed else _INFO,
        "severityText": "WARN" if entry.failed else "INFO",
        "eventName": f"veil.audit.{entry.type}",
        "body": {"stringValue": entry.type},
        "attributes": [_attribute(key, value) for key, value in _told(entry)],
    }


def request(entries: Iterable[Entry]) -> dict[str, Any]:
    """An ExportLogsServiceRequest; a resource for each node."""
    nodes: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        nodes.setdefault(entry.node, []).append(render(entry))
    return {"resourceLogs": [_resource(node, records) for node, records in nodes.items()]}


def _resource(node: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    named = [_attribute("service.name", "veil"), _attribute("service.instance.id", node)]
    scope = {"name": "veil.audit", "version": __version__}
    return {"resource": {"attributes": named}, "scopeLogs": [{"scope": scope, "logRecords": records}]}


def _told(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "veil.seq", str(entry.seq)
    for key in ("hash", "outcome", "reason", "project"):
        if value := getattr(entry, key):
            yield f"veil.{key}", value
    yield from ((f"veil.{key}", value) for key, value in entry.told.items())


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}
