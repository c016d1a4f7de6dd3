"""What is measured can be read by a collector, and by nobody who may not know of every project."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.metrics import rendered
from proxy.dicomweb.server import DicomwebServer
from proxy.errors import Reason
from proxy.service.callers import EVERY, Verb
from proxy.service.flow import Key
from proxy.service.measures import Measured, Measures
from proxy.service.ports import HeldInstance
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.service.verification import Verified
from tests.dicomweb.door import PROJECTS, Door

MOMENT = datetime(2026, 11, 21, tzinfo=UTC)
STATUS = {
    "version": "1.2", "ready": True, "checks": {"audit": True, "spool": False},
    "queue": {"pacs": {"waiting": 3, "failed": 1}}, "destinations": {"pacs": {"state": "paused"}},
    "audit_sinks": {"siem": {"lag_records": 92, "lag_seconds": 4.5}},
}  # fmt: skip
TOTALS = {Key("received", "research", ""): 7, Key("delivered", "research", 'p"a\\cs\n'): 5}


async def status() -> Any:
    return STATUS


async def held() -> list[HeldInstance]:
    return [HeldInstance("id", "research", Reason.FACE, "", MOMENT, 1, "dimse", "00")] * 2


def measures() -> Measures:
    return Measures(status, held, lambda: TOTALS, lambda: 653, lambda: Verified(MOMENT, "not-whole", 1, 1, 1, 1))


def read(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


async def test_a_collector_reads_what_was_measured() -> None:
    found = read(rendered(await measures().now()))
    assert found["veil_queue_instances"] == {("pacs", "waiting"): 3, ("pacs", "failed"): 1}
    assert found["veil_check"] == {("audit",): 1, ("spool",): 0}
    assert found["veil_destination_state"] == {("pacs", "paused"): 1}
    assert found["veil_held_instances"] == {("research", str(Reason.FACE)): 2}
    totals = found["veil_instances_total"]
    assert totals == {("", "received", "research"): 7, ('p"a\\cs\n', "delivered", "research"): 5}
    assert found["veil_audit_sink_lag_records"] == {("siem",): 92}
    assert found["veil_audit_sink_lag_seconds"] == {("siem",): 4.5}
    assert (found["veil_audit_position"], found["veil_audit_whole"]) == ({(): 653}, {(): 0})
    assert found["veil_audit_verified_timestamp_seconds"] == {(): MOMENT.timestamp()}


def test_what_was_never_verified_says_nothing_of_it() -> None:
    assert "veil_audit_whole" not in read(rendered(Measured(STATUS, {}, {}, 1, None)))


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ({EVERY: frozenset({Verb.AUDIT})}, 200),
        ({EVERY: frozenset({Verb.ADMIN})}, 200),
        ({EVERY: frozenset({Verb.OPERATE})}, 403),
        ({"research": frozenset(Verb)}, 403),
        (None, 401),
    ],
)
async def test_a_caller_has_to_know_of_every_project(site: Any, grants: Any, expected: int) -> None:
    door = Door(site)
    async with door.open(measures=measures()):
        token = door.grant(grants) if grants is not None else ""
        code, body, headers = await door.ask("GET", "/metrics", token)
    assert code == expected
    assert (b"veil_" in body) == (expected == 200)
    if expected == 200:
        assert headers["Content-Type"].startswith("text/plain; version=")
    else:
        assert door.events[-1].type == "denied"


@pytest.mark.parametrize(("client", "expected"), [("127.0.0.1", 200), ("192.0.2.7", 403)])
async def test_where_nobody_is_asked_for_a_name_only_this_machine_reads_it(
    site: Any, client: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.dicomweb.metrics.address", lambda request: client)

    async def ready() -> dict[str, Any]:
        return {"ready": True}

    server = DicomwebServer(
        "127.0.0.1", 0, None, PROJECTS, site.ingest, Search(site.archive, site.audit),
        Retrieve(site.archive, site.audit), site.audit, ready, 1 << 20, 1 << 24,
        access=Access(None, site.audit, PROJECTS), hops=Hops(), measures=measures(),
    )  # fmt: skip
    await server.start()
    try:
        async with site.http.get(f"http://127.0.0.1:{server.port}/metrics") as response:
            assert response.status == expected
    finally:
        await server.stop(1.0)
    assert [event.type for event in site.audit.events] == (["denied"] if expected == 403 else [])


async def test_it_is_off_unless_somebody_wants_it(site: Any) -> None:
    async with site.http.get(f"http://127.0.0.1:{site.server.port}/metrics") as response:
        assert response.status == 404
