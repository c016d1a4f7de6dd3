"""``veil destination pause|resume`` as an operator runs it: instances wait, over a kill too, and then arrive."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import stow

Make = Callable[..., Site]


def test_a_paused_destination_waits_over_a_kill_until_it_is_resumed(make_site: Make) -> None:
    site = make_site()
    at = ("-c", str(site.config))
    # no proxy runs: on the data folder
    done = site.veil("destination", "pause", "archive", "--why", "maintenance", "--ticket", "CHG-4711", *at)
    assert (done.returncode, done.stdout) == (0, "archive: paused\n"), done.stderr
    site.start()
    stow(site.http_port, fresh().part10)
    assert site.queue() == {"waiting": 1}
    assert site.ready
    site.kill()
    site.start()
    said = site.veil("status", *at).stdout
    assert "archive is paused since" in said
    assert "(maintenance, CHG-4711) by cli" in said
    assert site.veil("destination", "pause", "archive", "--why", "test", *at).stdout == "archive: was paused already\n"
    assert "letters" in site.veil("destination", "resume", "archive", "--why", "test", "--ticket", "Mr X", *at).stderr
    assert site.queue() == {"waiting": 1}
    assert site.veil("destination", "resume", "archive", "--why", "finished", *at).stdout == "archive: resumed\n"
    site.drain()
    assert site.queue() == {"delivered": 1}
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    types = [json.loads(line)["type"] for line in lines]
    assert [kind for kind in types if kind.startswith("destination")] == ["destination-paused", "destination-resumed"]
    assert site.stop() == 0
