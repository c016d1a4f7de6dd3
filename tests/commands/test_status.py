"""``veil status`` says of each sink of the audit log how far it is, and why it is not further."""

from __future__ import annotations

from dataclasses import asdict

from proxy.audit.forward import SinkStatus
from proxy.commands.status import _sinks


def test_a_line_for_each_sink() -> None:
    found = {
        "siem": asdict(SinkStatus("down", 40, 2, 61.4, 3, 0, "timeout")),
        "otel": asdict(SinkStatus("up", 42, 0, 0.0, 0, 7, "")),
    }
    assert list(_sinks(found)) == [
        "audit sink otel: up, level, 7 records rejected",
        "audit sink siem: down (timeout), 2 records behind for 61 s",
    ]
