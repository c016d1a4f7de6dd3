"""Devices are counted by kind, over restarts; strings from outside cannot fill the table."""

from __future__ import annotations

from pathlib import Path

from proxy.deid.device import Device
from proxy.store.database import Database
from proxy.store.devices import MOST, OTHERS, DeviceRows, Kind, Seen

CT = Kind("research", Device("Acme", "Scanner", "CT", "1.2.3"), "screen")
HELD = Kind("research", Device("Acme", "Cart", "US", "1.2.4"), "held", "burned-in-annotation")


async def test_counts_are_added_up_and_outlive_the_process(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    rows = DeviceRows(database)
    await rows.add({CT: 3, HELD: 1}, 60.0)
    await rows.add({CT: 2, Kind("other", CT.device, "full"): 7}, 120.0)
    await database.close()
    database = await Database.open(tmp_path / "veil.db")
    found = await DeviceRows(database).of("research")
    assert sorted(found, key=lambda seen: seen.instances) == [Seen(HELD, 1, 60.0), Seen(CT, 5, 120.0)]
    assert await DeviceRows(database).of("nobody") == []
    await database.close()


async def test_devices_beyond_so_many_are_counted_as_one(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    rows = DeviceRows(database)
    await rows.add({Kind("research", Device(f"maker {n}"), "full"): 1 for n in range(MOST - 2)}, 1.0)
    await rows.add({Kind("research", Device(f"other {n}"), "full"): 1 for n in range(300)}, 2.0)
    await rows.add({Kind("small", Device("one"), "full"): 1}, 3.0)
    found = {seen.kind.device: seen.instances for seen in await rows.of("research")}
    assert len(found) == MOST + 1
    assert found[OTHERS] == 298
    assert sum(found.values()) == MOST - 2 + 300
    await rows.add({Kind("research", Device("maker 7"), "full"): 4}, 4.0)  # a known one is still told apart
    assert {seen.kind.device: seen.instances for seen in await rows.of("research")}[Device("maker 7")] == 5
    assert [seen.kind.device.manufacturer for seen in await rows.of("small")] == ["one"]
    await database.close()
