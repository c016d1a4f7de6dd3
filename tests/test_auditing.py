"""A running proxy's sinks: what is recorded arrives, nobody waits for them, and status says how far they are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import yaml

from proxy.app import App
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from tests.peers.loopback import Quiet, serving


def site(folder: Path, url: str) -> Config:
    path = write_site(folder)
    document = yaml.safe_load(path.read_text())
    secret = folder / "secret"
    secret.write_text("Bearer sesame\n")
    document["audit"] |= {"sinks": ["file", {"type": "http", "url": url, "authorization_file": "secret"}]}
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


async def test_the_records_of_a_run_arrive_and_the_next_run_goes_on(tmp_path: Path) -> None:
    got: list[int] = []
    asked: set[str | None] = set()

    class Collector(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.extend(json.loads(line)["seq"] for line in body.splitlines())
            asked.add(self.headers["Authorization"])
            self.send_response(204)
            self.end_headers()

    with serving(Collector) as port:
        config = site(tmp_path / "site", f"http://127.0.0.1:{port}/audit")
        for _ in range(2):
            app = App(config)
            await app.start(servers=False)
            async with asyncio.timeout(10):
                while (await asyncio.to_thread(app.stores.sinks.status))["http"]["lag_records"]:
                    await asyncio.sleep(0.05)
            await app.stop()
        assert got == list(range(1, app.stores.audit.position.seq + 1))  # the record of the stop, too
        assert asked == {"Bearer sesame"}


async def test_a_receiver_that_is_away_is_recorded_and_stops_nothing(tmp_path: Path, free_port) -> None:
    app = App(site(tmp_path / "site", f"http://127.0.0.1:{free_port()}/audit"))
    await app.start(servers=False)
    async with asyncio.timeout(10):
        while app.stores.sinks.status()["http"]["state"] != "down":
            await asyncio.sleep(0.05)
    assert app.stores.sinks.status()["http"]["last_error"] == "connection"
    await app.stop()
    text = (tmp_path / "site" / "data" / "audit" / "audit-000001.jsonl").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    down = next(record for record in records if record["type"] == "audit-sink-down")
    assert (down["object"], down["reason"], down["outcome"]) == (
        {"kind": "audit-sink", "name": "http"},
        "connection",
        "failure",
    )
