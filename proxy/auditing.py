"""What a running proxy does with its audit log besides writing it: sinks, the live stream, retention. Only wires."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from proxy.audit.alerts import Rule
from proxy.audit.forward import Forwarder, Outlet
from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.retention import Retention
from proxy.audit.selection import Selection
from proxy.audit.sink_http import HttpPush
from proxy.audit.sink_syslog import SyslogTls, SyslogUdp
from proxy.audit.trail import AuditLog
from proxy.certificates import Certificates
from proxy.config import Config
from proxy.config_audit import AlertRule, HttpSink, SyslogSink
from proxy.errors import VeilError
from proxy.logs import get_logger
from proxy.reading import authorization
from proxy.service.alerting import Alerting
from proxy.service.audit_export import AuditExport
from proxy.service.audit_reading import AuditReading
from proxy.service.flow import Flow
from proxy.service.measures import Measures
from proxy.service.ports import AuditEvent, HeldInstance
from proxy.service.verification import Verification
from proxy.site import audit_key

#: seconds that a stop waits for sinks to send what there is
_DRAIN = 3.0
_NOBODY = 1 << 62
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class AuditSinks:
    """Everything that reads the log of ``log``. `start` after the log is open, `stop` before it is closed."""

    def __init__(self, config: Config, log: AuditLog, certificates: Certificates) -> None:
        """`ConfigError` for a file that a sink needs and that cannot be read."""
        root, audit = config.data_dir, config.audit
        self._log = log
        self._loop: asyncio.AbstractEventLoop | None = None
        self._notices: set[asyncio.Task[None]] = set()
        self.live = LiveStream(root / "audit", self.durable)
        self.reading = AuditReading(Lookup(root / "audit", self.durable), self.live, log)
        key = audit_key(config)
        signer = key.signer("veil") if key is not None else None
        self.export = AuditExport(root / "audit", lambda: log.position, signer, log)
        self.key = signer.verifier.text() if signer is not None else ""
        self.verification = Verification(
            root / "audit", lambda: log.position, self.key, log, audit.verify_hours, audit.witness_notes
        )
        self._sinks = [
            Forwarder(s.name, root / "audit", root / "audit-sinks", self.durable, _outlet(s, certificates), self._told)
            for s in audit.others
        ]
        self._retention = Retention(root / "audit", log, audit.retention_days, audit.legal_hold, self._passed)
        self._alerting = Alerting([_rule(each) for each in audit.alerts], self.live, log)
        self.flow = Flow(root / "audit", self.durable, self.live)
        self._runs = [self._retention.run, self._alerting.run, self.verification.run]
        self._runs += [self.flow.run] if config.console.enabled or config.http.metrics else []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send and to sweep."""
        self._loop = asyncio.get_running_loop()
        for sink in self._sinks:
            sink.start()
        self._tasks = [asyncio.create_task(run()) for run in self._runs]

    async def stop(self) -> None:
        """Send what there is, for a few seconds; what is left is sent after the next start."""
        self.live.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(sink.stop, _DRAIN) for sink in self._sinks))

    def status(self) -> dict[str, dict[str, Any]]:
        """Sink → how far it is."""
        return {sink.name: asdict(sink.status()) for sink in self._sinks}

    def durable(self) -> int:
        """The number of the last record that is on disk."""
        return self._log.position.seq

    def _passed(self) -> int:
        return min((sink.confirmed_segment for sink in self._sinks), default=_NOBODY)

    def _told(self, name: str, code: str) -> None:
        """From a sink's thread: its receiver has failed, or is back."""
        if code:
            get_logger("audit").warning("audit-sink-down", where=name, reason=code)
        else:
            get_logger("audit").info("audit-sink-up", where=name)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._record, name, code)

    def _record(self, name: str, code: str) -> None:
        task = asyncio.get_running_loop().create_task(self._recorded(name, code))
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def _recorded(self, name: str, code: str) -> None:
        event, outcome = ("audit-sink-down", "failure") if code else ("audit-sink-up", "success")
        about = {"kind": "audit-sink", "name": name}
        try:
            await self._log.record(AuditEvent(event, outcome, object=about, reason=code))
        except VeilError:
            return  # the sink of record fails, which everybody is told


def make_measures(
    config: Config,
    status: Callable[[], Awaitable[Mapping[str, Any]]],
    held: Callable[[], Awaitable[Sequence[HeldInstance]]],
    sinks: AuditSinks,
) -> Measures | None:
    """What /metrics tells; None where it is off."""
    if not config.http.metrics:
        return None
    return Measures(status, held, lambda: sinks.flow.totals, sinks.durable, lambda: sinks.verification.last)


def _rule(rule: AlertRule) -> Rule:
    outcomes = frozenset({rule.outcome} if rule.outcome else ())
    of = (frozenset(rule.projects), frozenset(rule.reasons), frozenset(rule.peers))
    meant = Selection(frozenset(rule.types), outcomes, *of)
    found = Rule(rule.name, meant, rule.count, rule.seconds, rule.by or "", absent=rule.absent)
    if rule.hours is None:
        return found
    hours = rule.hours
    days = frozenset(_DAYS.index(day) for day in hours.days)
    return replace(
        found, quiet=(hours.start, hours.until), days=days, zone=UTC if hours.zone == "UTC" else ZoneInfo(hours.zone)
    )


def _outlet(sink: SyslogSink | HttpSink, certificates: Certificates) -> Outlet:
    tls = certificates.get(f"audit.sinks.{sink.name}.tls")
    if isinstance(sink, HttpSink):
        headers = dict(sink.headers)
        if sink.authorization_file is not None:
            headers["Authorization"] = authorization(sink.authorization_file)
        told = Selection(frozenset(sink.types))
        return HttpPush(sink.url, sink.format, headers, tls, sink.batch, sink.timeout_seconds, told)
    sender = socket.gethostname()
    if sink.transport == "udp":
        return SyslogUdp(sink.host, sink.port, sink.format, sender, sink.max_bytes)
    assert tls is not None  # `audit_tls` names every one of them
    return SyslogTls(sink.host, sink.port, sink.format, sender, sink.max_bytes, tls)
