"""What sends is counted beside the verdicts, which pass as they are; a store that is away costs no count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from proxy.deid.device import LONGEST, Device
from proxy.deid.types import Claimed
from proxy.errors import Reason, Unavailable
from proxy.service.devices import Devices, kind_of
from proxy.service.ports import Held, Verdict
from proxy.store.devices import OTHERS, Kind, Seen
from proxy.workers.arena import Arena
from tests.service.fakes import RELEASED, REPORT

MADE = Device("Acme", "Cart", "US", "1.2.4")
HELD = Held(Reason.BURNED_IN, device=MADE)


class Judge:
    def __init__(self) -> None:
        self.verdict: Verdict = HELD

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        return self.verdict


class Store:
    def __init__(self) -> None:
        self.away = False
        self.kept: Counter[Kind] = Counter()

    async def add(self, counts: Mapping[Kind, int], now: float) -> None:
        if self.away:
            raise Unavailable("away")
        self.kept.update(counts)

    async def of(self, project: str) -> list[Seen]:
        return [Seen(kind, count, 0.0) for kind, count in self.kept.items() if kind.project == project]


async def judged(devices: Devices, times: int = 1) -> Any:
    for _ in range(times):
        verdict = await devices.run("research", cast(Arena, None), Claimed())
    return verdict


def test_a_kind_is_the_device_and_what_answered_for_its_pixels() -> None:
    report = replace(REPORT, manufacturer="Acme", model="Cart", pixels_by="rule")
    good = replace(RELEASED, report=report)
    device = Device("Acme", "Cart", REPORT.modality, REPORT.sop_class_uid)
    assert kind_of("research", good) == Kind("research", device, "rule")
    assert kind_of("research", HELD) == Kind("research", MADE, "held", "burned-in-annotation")
    assert kind_of("research", Held(Reason.NOT_DICOM)) == Kind("research", Device(), "held", "not-dicom")
    assert len(kind_of("research", Held(Reason.FACE, device=Device("x" * 9999))).device.manufacturer) == LONGEST


async def test_verdicts_pass_and_are_counted_once_written_once() -> None:
    judge, store = Judge(), Store()
    devices = Devices(judge, store)
    assert await judged(devices, 3) is HELD
    assert store.kept == {}  # nobody waits for it
    assert [seen.instances for seen in await devices.of("research")] == [3]
    assert [seen.instances for seen in await devices.of("research")] == [3]
    assert await devices.of("other") == []


async def test_counts_wait_for_a_store_that_is_away_and_are_written_at_the_stop() -> None:
    store = Store()
    devices = Devices(Judge(), store)
    devices.start()
    await judged(devices, 2)
    store.away = True
    await devices.write()
    await judged(devices)
    store.away = False
    await devices.stop()
    assert list(store.kept.values()) == [3]


async def test_memory_is_bounded_whatever_devices_call_themselves() -> None:
    judge, store = Judge(), Store()
    devices = Devices(judge, store)
    store.away = True
    for n in range(1200):
        judge.verdict = replace(HELD, device=Device(f"maker {n}"))
        await judged(devices)
        if n == 600:
            await devices.write()  # in vain, and no reason to begin anew
    store.away = False
    await devices.write()
    assert len(store.kept) == 1001
    assert sum(count for kind, count in store.kept.items() if kind.device == OTHERS) == 200
