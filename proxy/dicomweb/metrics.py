"""``GET /metrics``: what is measured, in the text format of Prometheus. Off unless `http.metrics` is set.

For callers that may audit or administer every project; where nobody is asked for a name, for this machine alone. Names
of projects, destinations and sinks, counts and codes; nothing of an instance, and of nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from ipaddress import ip_address

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import address
from proxy.dicomweb.projects import CALLER, peer
from proxy.dicomweb.status import Refused
from proxy.service.callers import EVERY, Verb
from proxy.service.events import denied
from proxy.service.measures import Measured, Measures
from proxy.service.ports import AuditTrail


class Metrics:
    """One route."""

    def __init__(self, measures: Measures, access: Access, audit: AuditTrail) -> None:
        self._measures, self._access, self._audit = measures, access, audit

    def add_to(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_get("/metrics", self.serve)

    async def serve(self, request: web.Request) -> web.Response:
        """All of it."""
        await self._may(request)
        body = rendered(await self._measures.now())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _may(self, request: web.Request) -> None:
        if not self._access.asks:
            allowed, why = ip_address(address(request)).is_loopback, "not-local"
        elif Verb.ADMIN in request[CALLER].grants.get(EVERY, ()):
            return
        else:
            allowed, why = await self._access.where(request, Verb.AUDIT) is None, "insufficient-scope"
        if not allowed:
            await self._audit.record(denied(peer(request), why))
            raise Refused(HTTPStatus.FORBIDDEN, "forbidden")


def rendered(found: Measured) -> bytes:
    """In the text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(found))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, found: Measured) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """Each metric with all its values."""
        yield from _running(self._found)
        yield from _instances(self._found)
        yield from _audit(self._found)


def _gauge(name: str, words: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    found = GaugeMetricFamily(f"veil_{name}", words, labels=labels)
    for told, value in values:
        found.add_metric(told, value)
    return found


def _running(found: Measured) -> Iterator[Metric]:
    status = found.status
    yield _gauge("info", "The version that runs.", ("version",), [((str(status["version"]),), 1)])
    yield _gauge("ready", "Whether new instances are taken.", (), [((), status["ready"])])
    checks = [((name,), float(good)) for name, good in sorted(status["checks"].items())]
    yield _gauge("check", "What being ready depends on.", ("check",), checks)


def _instances(found: Measured) -> Iterator[Metric]:
    status = found.status
    queue = [((at, state), rows) for at, states in sorted(status["queue"].items()) for state, rows in states.items()]
    yield _gauge("queue_instances", "Instances for a destination.", ("destination", "state"), queue)
    lanes = [((name, str(lane["state"])), 1.0) for name, lane in sorted(status["destinations"].items())]
    yield _gauge("destination_state", "1 for the state in which it is.", ("destination", "state"), lanes)
    held = [((project, reason), count) for (project, reason), count in sorted(found.held.items())]
    yield _gauge("held_instances", "Instances in quarantine.", ("project", "reason"), held)
    labels = ("event", "project", "destination")
    totals = CounterMetricFamily("veil_instances", "What became of instances since the start.", labels=labels)
    for key, count in sorted(found.totals.items()):
        totals.add_metric(key, count)
    yield totals


def _audit(found: Measured) -> Iterator[Metric]:
    yield _gauge("audit_position", "Number of the last audit record.", (), [((), found.position)])
    sinks = sorted(found.status["audit_sinks"].items())
    records = [((name,), sink["lag_records"]) for name, sink in sinks]
    yield _gauge("audit_sink_lag_records", "Records that a sink has yet to send.", ("sink",), records)
    seconds = [((name,), sink["lag_seconds"]) for name, sink in sinks]
    yield _gauge("audit_sink_lag_seconds", "Since a sink last had sent all there was.", ("sink",), seconds)
    last = found.verified
    if last is not None:
        yield _gauge("audit_whole", "Whether the last verification found nothing.", (), [((), float(last.whole))])
        yield _gauge("audit_verified_timestamp_seconds", "When that was.", (), [((), last.moment.timestamp())])
