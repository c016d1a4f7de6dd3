"""An alert is a record of the log, and Veil keeps counting after it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import yaml

from proxy.app import App
from proxy.commands.init import write_site
from proxy.config import load_config
from proxy.service.ports import AuditEvent

RULE = {
    "name": "failed-logins", "types": ["denied"], "outcome": "failure", "count": 3, "by": "peer",
    "hours": {"from": "00:00", "until": "23:59:59.999999", "days": ["mon"], "zone": "UTC"},
}  # fmt: skip


async def test_an_alert_is_recorded_with_what_it_is_about(tmp_path: Path) -> None:
    path = write_site(tmp_path / "site")
    document = yaml.safe_load(path.read_text())
    document["audit"]["alerts"] = [RULE]
    path.write_text(yaml.safe_dump(document))
    app = App(load_config(path))
    await app.start(servers=False)
    peer = {"transport": "dicomweb", "address": "192.0.2.7"}
    before = app.stores.audit.position.seq
    async with asyncio.timeout(10):
        while app.stores.audit.position.seq <= before + 3:  # three are enough, once it watches
            await app.stores.audit.record(*[AuditEvent("denied", "failure", peer=peer)] * 3)
            await asyncio.sleep(0.5)
    lines = (tmp_path / "site" / "data" / "audit" / "audit-000001.jsonl").read_text().splitlines()
    await app.stop()
    (alert,) = [record for record in map(json.loads, lines) if record["type"] == "alert"]
    assert (alert["outcome"], alert["reason"], alert["peer"]) == ("failure", "alert-failed-logins", peer)
    assert (alert["counts"], alert["object"]["rule"]) == ({"records": 3}, "failed-logins")
    assert alert["object"]["last"] - alert["object"]["first"] == 2


async def test_that_nothing_comes_is_recorded_though_nothing_comes(tmp_path: Path) -> None:
    path = write_site(tmp_path / "site")
    document = yaml.safe_load(path.read_text())
    document["audit"]["alerts"] = [{"name": "silent", "types": ["received"], "absent": True, "seconds": 1}]
    path.write_text(yaml.safe_dump(document))
    app = App(load_config(path))
    await app.start(servers=False)
    before = app.stores.audit.position.seq
    async with asyncio.timeout(30):
        while app.stores.audit.position.seq == before:
            await asyncio.sleep(0.05)
    await app.stop()
    lines = (tmp_path / "site" / "data" / "audit" / "audit-000001.jsonl").read_text().splitlines()
    (alert,) = [record for record in map(json.loads, lines) if record["type"] == "alert"]
    assert (alert["reason"], alert["counts"]) == ("alert-silent", {"records": 0})
