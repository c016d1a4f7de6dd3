"""A batch is taken when the answer is 2xx and says nothing against it; what is not taken is sent again as it was."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.follow import Line
from proxy.audit.forward import Forwarder, SinkDown
from proxy.audit.selection import Selection
from proxy.audit.sink_http import HttpPush
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent
from tests.audit.formats.records import EVENTS, record_of
from tests.peers.loopback import Quiet, serving

LINES = [
    Line(n, json.dumps(record_of(event) | {"seq": n}, separators=(",", ":")).encode())
    for n, event in enumerate(EVENTS[:5], 7)
]
Answer = Callable[[int], tuple[int, Any]]


def collector(answer: Answer, got: list[tuple[dict[str, str], bytes]]) -> type[Quiet]:
    """A handler that keeps each request; ``answer``: its number → status and JSON."""

    class Collector(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            status, said = answer(len(got))
            body = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

    return Collector


def test_a_webhook_is_told_of_what_it_wants_only() -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    wanted = json.loads(LINES[2].data)["type"]
    expected = [line for line in LINES if json.loads(line.data)["type"] == wanted]
    assert 0 < len(expected) < len(LINES)
    with serving(collector(lambda n: (204, None), got)) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/", "json", {}, selection=Selection(frozenset({wanted})))
        to.send(LINES)
        to.send([line for line in LINES if line not in expected])
        to.close()
    ((headers, body),) = got
    assert body.splitlines() == [line.data for line in expected]
    assert headers["Veil-Audit-Sequence"] == f"{expected[0].seq}-{expected[-1].seq}"


def test_a_request_names_its_records(tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    with serving(collector(lambda n: (204, None), got)) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/a/b?c=d", "json", {"X-Token": "t"})
        to.send(LINES)
        to.send(LINES[:1])
        to.close()
    headers, body = got[0]
    assert body.splitlines() == [line.data for line in LINES]
    assert headers["Veil-Audit-Sequence"] == "7-11"
    assert headers["Idempotency-Key"] == '"veil:7-11"'
    assert (headers["X-Token"], headers["Content-Type"]) == ("t", "application/x-ndjson")


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 429, 500, 503, 507])
def test_any_other_status_is_not_taken(status: int) -> None:
    with serving(collector(lambda n: (status, None), [])) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/", "json", {})
        with pytest.raises(SinkDown, match=f"http-{status}"):
            to.send(LINES)
        to.close()


def bundle(*states: str) -> Any:
    return {"resourceType": "Bundle", "entry": [{"response": {"status": each}} for each in states]}


@pytest.mark.parametrize(
    ("form", "said", "taken", "rejected"),
    [
        ("fhir", bundle("201 Created", "200 OK"), True, 0),
        ("fhir", bundle("201 Created", "422"), False, 0),
        ("fhir", bundle("201 Created"), False, 0),
        ("fhir", "nonsense", False, 0),
        ("otlp", {}, True, 0),
        ("otlp", {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "x"}}, True, 2),
        ("json", {"partialSuccess": {"rejectedLogRecords": "2"}}, True, 0),
    ],
)
def test_what_the_body_says(form: str, said: Any, taken: bool, rejected: int) -> None:
    with serving(collector(lambda n: (200, said), [])) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/", form, {})
        if taken:
            to.send(LINES[:2])
        else:
            with pytest.raises(SinkDown, match="entry-refused"):
                to.send(LINES[:2])
        assert to.rejected == rejected
        to.close()


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("201"),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["entry", "response", "status", "partialSuccess", "rejectedLogRecords"]), each
        )
    ),
)


@settings(max_examples=100, deadline=None)
@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=20), st.sampled_from(["fhir", "otlp"]))
def test_no_answer_is_too_strange(answer: bytes, form: str) -> None:
    with contextlib.suppress(SinkDown):
        HttpPush("http://127.0.0.1/", form, {})._judge(answer, 1)


def test_silence_and_absence(free_port) -> None:
    release = threading.Event()
    with serving(collector(lambda n: (200, release.wait(5) and None), [])) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/", "json", {}, patience=0.3)
        with pytest.raises(SinkDown, match="timeout"):
            to.send(LINES)
        release.set()
        to.close()
    with pytest.raises(SinkDown, match="connection"):
        HttpPush(f"http://127.0.0.1:{free_port()}/", "json", {}).send(LINES)


async def test_a_full_collector_gets_the_same_batches_later(tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    log = AuditLog(tmp_path / "audit", "veil")
    await log.open()
    for n in range(40):
        await log.record(AuditEvent("received", object={"size": n}))
    with serving(collector(lambda n: (507 if n in (2, 3) else 204, None), got)) as port:
        to = HttpPush(f"http://127.0.0.1:{port}/", "json", {}, batch=10)
        sink = Forwarder("one", tmp_path / "audit", tmp_path / "cursors", lambda: log.position.seq, to, backoff=0.01)
        sink.start()
        end = time.monotonic() + 10
        while sink.status().lag_records and time.monotonic() < end:
            time.sleep(0.02)
        sink.stop(2)
    await log.close()
    keys = [headers["Idempotency-Key"] for headers, _ in got]
    assert keys[1] == keys[2] == keys[3]
    assert sorted({*keys}) == sorted(f'"veil:{n}-{n + 9}"' for n in (1, 11, 21, 31))
    bodies = dict(zip(keys, [body for _, body in got], strict=True))
    assert all(bodies[key] == body for key, (_, body) in zip(keys, got, strict=True))
