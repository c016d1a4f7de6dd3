"""Malformed instances over the wire: a clear answer, sealed for a reason, bounded memory, a service that goes on."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.broken import ROOT, Broken, body, broken, element, head
from tests.system.harness import Site
from tests.system.modality import Modality, Refused, c_store, split
from tests.system.planting import fresh
from tests.system.stow import PATH, multipart, post, stow
from tests.system.watch import Memory

MIB = 1 << 20
#: of the whole process tree above its rest: twice the inflated bound, the instance, and a parser's working memory
ALLOWANCE = 128 * MIB
CASES = broken()


def newly_held(site: Site, before: list[dict[str, str]]) -> list[str]:
    known = {entry["id"] for entry in before}
    return [entry["reason"] for entry in site.held() if entry["id"] not in known]


@pytest.mark.parametrize("case", [case for case in CASES if case.dimse], ids=lambda case: case.name)
def test_c_store_of_a_malformed_instance(able: Site, case: Broken) -> None:
    before = able.held()
    with Memory(able.pid) as memory:
        answer = c_store(able.dimse_port, case.part10)
    assert answer.status == 0xA900 or answer.status >> 12 == 0xC, hex(answer.status)
    assert len(answer.comment) <= 64
    reasons = newly_held(able, before)
    assert len(reasons) == 1
    assert reasons[0] in case.reasons
    assert memory.peak - memory.before < ALLOWANCE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_stow_of_a_malformed_instance(able: Site, case: Broken) -> None:
    before = able.held()
    with Memory(able.pid) as memory:
        answer = stow(able.http_port, case.part10)
    assert (answer.status, answer.stored) == (409, ())
    assert len(answer.failures) == 1
    assert answer.failures[0] == 0xA900 or answer.failures[0] >> 12 == 0xC, hex(answer.failures[0])
    reasons = newly_held(able, before)
    assert len(reasons) == 1
    assert reasons[0] in case.reasons
    assert memory.peak - memory.before < ALLOWANCE


def test_one_bad_part_does_not_spoil_the_others(able: Site) -> None:
    good = [fresh() for _ in range(3)]
    answer = stow(able.http_port, good[0].part10, CASES[0].part10, good[1].part10, b"", good[2].part10)
    assert answer.status == 202
    assert set(answer.stored) == {one.sop_instance_uid for one in good}
    assert len(answer.failures) == 2


def test_the_command_set_names_another_instance(able: Site) -> None:
    one, other = fresh(), fresh()
    before = able.held()
    with Modality(able.dimse_port, [(one.sop_class_uid, [one.transfer_syntax_uid])]) as modality:
        answer = modality.store(one.sop_class_uid, other.sop_instance_uid, split(one.part10)[3])
        assert answer.status == 0xA900
        modality.release()
    assert newly_held(able, before) == ["uid-mismatch"]


def test_the_presentation_context_is_of_another_sop_class(able: Site) -> None:
    one, mr = fresh(), "1.2.840.10008.5.1.4.1.1.4"
    with Modality(able.dimse_port, [(mr, [one.transfer_syntax_uid])]) as modality:
        assert modality.store(one.sop_class_uid, one.sop_instance_uid, split(one.part10)[3], context=1).status == 0xA900
        # and when command and context agree, but not the data set
        assert modality.store(mr, one.sop_instance_uid, split(one.part10)[3], context=1).status == 0xA900
        modality.release()


def test_the_resource_names_another_study(able: Site) -> None:
    before = able.held()
    answer = post(able.http_port, multipart([fresh().part10]), path=PATH + "/1.2.3.4")
    assert (answer.status, answer.failures) == (409, (0xA900,))
    assert newly_held(able, before) == ["uid-mismatch"]


@pytest.mark.parametrize("size", [9 * MIB, 40 * MIB])
def test_an_instance_above_the_limit_is_refused_in_bounded_memory(able: Site, size: int) -> None:
    uid = f"{ROOT}5.{size}"
    large = head(uid) + body(uid, end=element(0x7FE00010, "OW", bytes(size)))
    before = able.held()
    with Memory(able.pid) as memory:
        assert c_store(able.dimse_port, large).status == 0xA700
        answer = stow(able.http_port, large)
        assert answer.status == 413
    assert able.held() == before
    assert memory.peak - memory.before < ALLOWANCE


def test_an_instance_just_below_the_limit_passes(able: Site) -> None:
    uid = f"{ROOT}5.1"
    large = head(uid) + body(uid, end=element(0x7FE00010, "OW", bytes(8 * MIB - 1024)))
    assert c_store(able.dimse_port, large).status == 0


def test_many_large_instances_at_once_stay_within_the_configured_memory(able: Site) -> None:
    def large(number: int) -> bytes:
        uid = f"{ROOT}6.{number}"
        return head(uid) + body(uid, end=element(0x7FE00010, "OW", bytes(7 * MIB)))

    def by_dimse(number: int) -> int:
        try:
            return c_store(able.dimse_port, large(number)).status
        except Refused:  # already at the door: a limit of this moment
            return 0xA700

    def by_web(number: int) -> int:
        return stow(able.http_port, large(number)).status

    with ThreadPoolExecutor(24) as pool, Memory(able.pid) as memory:
        dimse = [pool.submit(by_dimse, number) for number in range(12)]
        web = [pool.submit(by_web, number) for number in range(100, 124)]
        statuses = Counter(future.result() for future in dimse + web)
    assert set(statuses) <= {0, 200, 0xA700, 503}
    assert statuses[0] > 0
    assert statuses[200] > 0
    # limits.memory_bytes is 64 MiB for each transport, and what is mapped is counted twice
    assert memory.peak - memory.before < 2 * 2 * 64 * MIB + ALLOWANCE
    able.drain()
