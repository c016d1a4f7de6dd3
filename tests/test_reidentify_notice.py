"""Both officers are told of each step, and an alert of many refusals, by the example in docs/reidentification.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import yaml

from proxy.app import App
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from proxy.service.reidentify_words import REQUEST, Message, Refused, written
from proxy.store.crosswalk import Key
from proxy.store.identities import Identities
from proxy.store.officers import sign
from tests.peers.loopback import Quiet, serving
from tests.security_officers import person

PAGE = Path(__file__).parent.parent / "docs" / "reidentification.md"

ALERT = "alert-reidentification-refused"


def site(folder: Path, url: str) -> Config:
    """As `veil init` makes one, with the audit section of the page."""
    path = write_site(folder)
    (folder / "keys" / "messages.secret").write_text("Bearer sesame\n")
    for name in ("anna", "ben"):
        (folder / "keys" / f"{name}.pem").write_text(person(name).certificate)
    document = yaml.safe_load(path.read_text())
    example = yaml.safe_load(
        PAGE.read_text().partition("## Telling the officers")[2].split("```yaml\n")[1].split("```")[0]
    )
    example["audit"]["sinks"][1]["url"] = url
    document["audit"] |= example["audit"]
    officers = {name: f"keys/{name}.pem" for name in ("anna", "ben")}
    document["projects"]["research"]["identity_drawer"] = {"officers": officers}
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def asking(pseudonym: str) -> Message:
    said = {"pseudonyms": [pseudonym], "purpose": "safety", "ticket": "INC-17", "hours": 4}
    common = {"project": "research", "by": "anna", "at": int(time.time()), "nonce": secrets.token_hex(16)}
    statement = written(REQUEST, **said, **common)
    return Message(statement, sign(person("anna").private, statement))


async def test_a_webhook_gets_each_step_and_the_alert(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    class Webhook(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.extend(json.loads(line) for line in body.splitlines())
            self.send_response(204)
            self.end_headers()

    with serving(Webhook) as port:
        app = App(site(tmp_path / "site", f"http://127.0.0.1:{port}/veil"))
        await app.start(servers=False)
        officers = [person(name).officer for name in ("anna", "ben")]
        await Identities(app.stores.database).put(Key("research", 1, "patient", "P1"), ("", "original"), officers)
        async with asyncio.timeout(60):
            await app.works.officers.take(REQUEST, asking("P1"))
            while not any(record["reason"] == ALERT for record in got):  # three refusals are enough, once it watches
                with contextlib.suppress(Refused):
                    await app.works.officers.take(REQUEST, asking("nobody"))
                await asyncio.sleep(0.1)
        await app.stop()
    types = [record["type"] for record in got]
    assert types[0] == "reidentification-asked"
    assert set(types) == {"reidentification-asked", "reidentification-refused", "alert"}
    assert got[0]["object"]["officers"] == ["anna", "ben"]
    alert = next(record for record in got if record["reason"] == ALERT)
    assert (alert["outcome"], alert["project"]) == ("failure", "research")
