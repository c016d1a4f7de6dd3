"""SIGTERM drains: what is under way is finished and acknowledged, what waits stays for the next start, the end is 0."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from proxy.config import load_config
from proxy.site import load_policies
from tests.system.harness import Site, quiet_port, until
from tests.system.killing import Load, recorded
from tests.system.modality import EXPLICIT, IMPLICIT, VERIFICATION, Modality, Refused, c_store, p_data, split, store_rq
from tests.system.planting import Planted, fresh
from tests.system.sealed import sealed_instances
from tests.system.stow import CONTENT_TYPE, PATH, multipart, stow
from tests.system.watch import tree

Make = Callable[..., Site]


def audited(site: Site) -> list[str]:
    """Types of audit records, in order."""
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line)["type"] for line in lines]


def begun_store(site: Site, one: Planted) -> tuple[Modality, list[bytes]]:
    """An association that has sent the first half of a C-STORE; and the PDUs of the second half."""
    dataset = split(one.part10)[3]
    pieces = [dataset[at : at + 8000] for at in range(0, len(dataset), 8000)]
    pdus = [p_data(1, 2 * (number == len(pieces) - 1), piece) for number, piece in enumerate(pieces)]
    modality = Modality(site.dimse_port, [(one.sop_class_uid, [EXPLICIT])])
    modality.socket.sendall(p_data(1, 3, store_rq(one.sop_class_uid, one.sop_instance_uid)) + b"".join(pdus[:2]))
    return modality, pdus[2:]


def test_a_c_store_under_way_is_finished(site: Site) -> None:
    one = fresh()
    modality, rest = begun_store(site, one)
    time.sleep(0.3)
    os.kill(site.pid, signal.SIGTERM)
    time.sleep(0.7)
    assert site.running, "it did not wait for the instance under way"
    with pytest.raises((Refused, OSError)):
        Modality(site.dimse_port, [(VERIFICATION, [IMPLICIT])])
    modality.socket.sendall(b"".join(rest))
    assert modality.answer().status == 0
    modality.socket.close()
    until(lambda: not site.running, 60, "the end")
    assert site.stop() == 0
    assert audited(site)[-1] == "stopped"
    if not site.archived():  # released and durable, but not yet sent on: the next start does
        site.start()
        site.drain()
    assert len(site.archived()) == 1


def test_a_stow_request_under_way_is_finished(site: Site) -> None:
    body = multipart([fresh().part10, fresh().part10])
    with socket.create_connection(("127.0.0.1", site.http_port), 20) as peer:
        head = f"POST {PATH} HTTP/1.1\r\nHost: v\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
        peer.sendall(head.encode() + body[: len(body) // 2])
        time.sleep(0.3)
        os.kill(site.pid, signal.SIGTERM)
        time.sleep(0.7)
        assert site.running, "it did not wait for the request under way"
        peer.sendall(body[len(body) // 2 :])
        answer = http.client.HTTPResponse(peer)
        answer.begin()
        assert answer.status == 200
        answer.read()
    until(lambda: not site.running, 60, "the end")
    assert site.stop() == 0
    site.start()
    site.drain()
    assert len(site.archived()) == 2


def test_silent_peers_do_not_delay_the_end(site: Site) -> None:
    silent = [socket.create_connection(("127.0.0.1", port)) for port in (site.dimse_port, site.http_port)]
    with Modality(site.dimse_port, [(VERIFICATION, [IMPLICIT])]):
        started = time.monotonic()
        assert site.stop() == 0
        assert time.monotonic() - started < 15
    for peer in silent:
        peer.close()


def test_sigterm_under_load_loses_nothing_acknowledged(make_site: Make) -> None:
    site = make_site()
    site.start()
    acknowledged: list[Planted] = []
    over = threading.Event()

    def send(store: Callable[[Planted], bool]) -> None:
        while not over.is_set():
            one = fresh()
            try:
                if store(one):
                    acknowledged.append(one)
            except (OSError, Refused, http.client.HTTPException):
                time.sleep(0.05)

    stores: list[Callable[[Planted], bool]] = [
        lambda one: c_store(site.dimse_port, one.part10).status == 0,
        lambda one: stow(site.http_port, one.part10).status == 200,
    ]
    threads = [threading.Thread(target=send, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.7)
        assert site.stop() == 0
        site.start()
    over.set()
    for thread in threads:
        thread.join()
    site.drain()
    assert len(acknowledged) > 10
    assert len(site.archived()) >= len(acknowledged)
    assert set(site.archived()) <= recorded(site)
    assert audited(site).count("started") == 4


def test_workers_that_die_cost_no_acknowledged_instance(make_site: Make) -> None:
    site = make_site("site", {"workers.count": 2})
    site.start()
    load = Load(site)
    load.start()
    chance = random.Random(3)
    for _ in range(12):
        time.sleep(chance.uniform(0.05, 0.3))
        workers = [pid for pid in tree(site.pid) if pid != site.pid]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
    until(lambda: site.ready, 60, "ready again")
    until(lambda: len(site.archived()) > 10, 60, "some have arrived, however slow the machine")
    load.stop()
    site.drain()
    assert load.surprises == []
    pseudonyms = load_policies(load_config(site.config))["research"].pseudonyms()
    sealed = {split(content)[1] for _, content in sealed_instances(site)}
    there = site.archived()
    lost = [one for one in load.acknowledged if pseudonyms.uid(one.sop_instance_uid) not in there]
    assert {one.sop_instance_uid for one in lost} <= sealed
    reasons = {entry["reason"] for entry in site.held()}
    assert reasons <= {"worker-crashed", "pixels-uninspected"}
    assert site.stop() == 0


@pytest.fixture
def unreachable(make_site: Make) -> tuple[Site, int]:
    """A site whose only destination does not listen, and the destination's port."""
    port = quiet_port()
    pacs: dict[str, Any] = {
        "type": "dimse",
        "host": "127.0.0.1",
        "port": port,
        "called_ae": "PACS",
        "timeout_seconds": 5,
    }
    site = make_site("site", {"destinations.pacs": pacs, "projects.research.destinations": ["pacs"]})
    return site, port


def test_an_unreachable_destination_keeps_rows_and_readiness(unreachable: tuple[Site, int], make_site: Make) -> None:
    site, port = unreachable
    site.start()
    assert stow(site.http_port, *(fresh().part10 for _ in range(4))).status == 200
    time.sleep(1)
    assert site.ready
    assert site.queue().get("delivered", 0) == 0
    assert site.stop() == 0
    site.start()
    counts = site.queue()
    assert counts.get("waiting", 0) + counts.get("in_flight", 0) == 4
    # the destination is a Veil of its own, which comes up at last
    pacs = make_site("pacs", {"dimse.port": port, "projects.research.ae_titles": ["PACS"]}, key="b")
    pacs.start()
    site.drain(90)
    until(lambda: len(pacs.archived()) == 4, 60, "all four have arrived")
    assert site.queue()["delivered"] == 4
