"""Watches the log as it grows and raises alerts: each is a record, so every sink of the log carries it on.

Counting begins anew at a start. Nothing waits for it, and what cannot be recorded is not an alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from proxy.audit.alerts import ALERT, Alert, Alerts, Rule
from proxy.audit.follow import Line
from proxy.audit.live import LiveStream, SlowReader, Subscription
from proxy.audit.watch import now
from proxy.errors import VeilError
from proxy.service.ports import AuditEvent, AuditTrail

#: seconds before the log is read on after it could not be, or went faster than its records were judged
_AGAIN = 1.0


class Alerting:
    """The rules of a site over its log."""

    def __init__(
        self, rules: Sequence[Rule], live: LiveStream, audit: AuditTrail, clock: Callable[[], datetime] = now
    ) -> None:
        self._rules, self._live, self._audit, self._clock = rules, live, audit, clock

    async def run(self) -> None:
        """Until the stream is closed; at once where there are no rules."""
        alerts = Alerts(self._rules, self._clock())
        after = None
        while self._rules:
            try:
                subscription = await self._live.subscribe(after)
                while (line := await self._next(subscription, alerts)) is not None:
                    after = line.seq
                    for alert in alerts.see(line.data):
                        await self._raise(alert)
                return
            except (SlowReader, OSError):
                await asyncio.sleep(_AGAIN)

    async def _next(self, subscription: Subscription, alerts: Alerts) -> Line | None:
        """None at the end. While nothing comes, alerts about just that are raised."""
        while True:
            try:
                async with asyncio.timeout(alerts.every):
                    return await anext(subscription, None)
            except TimeoutError:
                for alert in alerts.tick(self._clock()):
                    await self._raise(alert)

    async def _raise(self, alert: Alert) -> None:
        try:
            await self._audit.record(raised(alert))
        except VeilError:
            return  # the log cannot be written, which refuses every operation and is told everywhere


def raised(alert: Alert) -> AuditEvent:
    """The record of an alert. ``first`` and ``last``: numbers of the records that it is about."""
    about = {"kind": "alert", "rule": alert.rule, "first": alert.first, "last": alert.last}
    counts = {"records": alert.count}
    return AuditEvent(ALERT, "failure", alert.project, alert.peer, about, f"alert-{alert.rule}", counts=counts)
