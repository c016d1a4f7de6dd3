"""A disk that takes no more: senders hear "later" (A700, 503), nothing acknowledged is lost, then it goes on."""

from __future__ import annotations

import json
import resource

import pytest

from proxy.config import load_config
from proxy.site import load_policies
from tests.system.harness import Site, until
from tests.system.killing import recorded
from tests.system.modality import c_echo, c_store
from tests.system.planting import Planted, fresh
from tests.system.stow import stow
from tests.system.watch import tree

_ENDLESS = resource.RLIM_INFINITY


@pytest.fixture
def full(site: Site) -> Site:
    """A site whose audit file has grown until the next records do not fit below the limit of a file's size."""
    for _ in range(4):
        assert stow(site.http_port, *(fresh().part10 for _ in range(10))).status == 200
    site.drain()
    (audit,) = (site.data / "audit").glob("*.jsonl")
    assert audit.stat().st_size > 50_000, "an instance must still fit"
    resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (audit.stat().st_size + 2000, _ENDLESS))
    return site


def lift(site: Site) -> None:
    for pid in tree(site.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_ENDLESS, _ENDLESS))


def test_without_an_audit_record_nothing_is_acknowledged(full: Site) -> None:
    acknowledged: list[Planted] = []
    statuses: set[int] = set()
    for _ in range(12):
        one, other = fresh(), fresh()
        status = c_store(full.dimse_port, one.part10).status
        answer = stow(full.http_port, other.part10)
        statuses |= {status, answer.status}
        acknowledged += [one] * (status == 0) + [other] * (answer.status == 200)
    assert statuses <= {0, 0xA700, 200, 503}
    assert {0xA700, 503} <= statuses, "the disk was never full"
    assert c_echo(full.dimse_port).status == 0
    assert full.running

    lift(full)
    until(lambda: c_store(full.dimse_port, fresh().part10).status == 0, 60, "it stores again")
    until(lambda: stow(full.http_port, fresh().part10).status == 200, 60, "it stores again")
    full.drain()
    pseudonyms = load_policies(load_config(full.config))["research"].pseudonyms()
    assert {pseudonyms.uid(one.sop_instance_uid) for one in acknowledged} <= set(full.archived())
    assert set(full.archived()) <= recorded(full)
    assert full.stop() == 0
    verified = full.veil("audit", "verify", str(full.data / "audit"))
    assert verified.returncode == 0, verified.stdout


def test_a_held_instance_that_cannot_be_sealed_is_not_acknowledged(full: Site) -> None:
    held = [fresh("held") for _ in range(10)]
    statuses = [c_store(full.dimse_port, one.part10).status for one in held]
    assert set(statuses) <= {0, 0xA700}
    assert 0xA700 in statuses
    lift(full)
    until(lambda: c_store(full.dimse_port, fresh("held").part10).status == 0, 60, "it seals again")
    lines = [line for path in (full.data / "audit").glob("*.jsonl") for line in path.read_text().splitlines()]
    entries = {json.loads(line)["object"]["id"] for line in lines if json.loads(line)["type"] == "held"}
    assert len(full.held()) >= statuses.count(0) + 1
    assert len(entries) >= statuses.count(0) + 1
