from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.beginning import record_start
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from proxy.errors import AuditUnavailable
from proxy.store.keys import create_key
from proxy.store.last_start import FILE
from tests.service.trail import Trail


class Place:
    """A site that is edited between starts."""

    def __init__(self, folder: Path) -> None:
        self.path, self.trail = write_site(folder / "site"), Trail()
        self.data = folder / "site" / "data"
        self.data.mkdir(exist_ok=True)

    def edit(self, **changes: Any) -> None:
        document = yaml.safe_load(self.path.read_text())
        for path, value in changes.items():
            place = document
            *above, last = path.split("__")
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
        self.path.write_text(yaml.safe_dump(document))

    @property
    def config(self) -> Config:
        return load_config(self.path)

    async def start(self) -> list[tuple[str, dict[str, Any]]]:
        """The records besides that of the start."""
        self.trail.events.clear()
        await record_start(self.config, {}, self.trail)
        first, *others = self.trail.events
        assert first.type == "started"
        return [(event.type, dict(event.object)) for event in others]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_the_first_start_and_one_as_before_have_changed_nothing(place: Place) -> None:
    for _ in range(3):
        assert await place.start() == []
    assert (place.data / FILE).stat().st_mode & 0o777 == 0o600


async def test_what_was_changed_is_named_and_not_shown(place: Place) -> None:
    await place.start()
    headers = {"Authorization": "Bearer secret-of-the-site"}
    place.edit(
        destinations__pacs={"type": "dicomweb", "url": "https://pacs.example.org/dicom-web", "headers": headers},
        http__port=8043,
        projects__research__date_shift_days=90,
    )
    parts = ["destinations.pacs", "http", "projects.research"]
    assert await place.start() == [("configuration-changed", {"kind": "configuration", "parts": parts})]
    assert "secret-of-the-site" not in str(place.trail.events) + (place.data / FILE).read_text()
    assert await place.start() == []
    place.edit(destinations={"archive": {"type": "archive"}})
    assert await place.start() == [("configuration-changed", {"kind": "configuration", "parts": ["destinations.pacs"]})]


async def test_what_is_written_out_as_it_is_by_default_is_no_change(place: Place) -> None:
    await place.start()
    place.edit(limits__elements=200_000, console__enabled=False)
    assert await place.start() == []


async def test_a_key_of_a_new_epoch_is_on_record(place: Place) -> None:
    await place.start()
    create_key(place.path.parent / "keys" / "second.key")
    place.edit(projects__research__key_file="keys/second.key", projects__research__key_epoch=2)
    changed, keys = await place.start()
    assert changed[1]["parts"] == ["projects.research"]
    assert keys[0] == "keys-changed"
    assert list(keys[1]["added"]) == ["project/research/2"]
    assert keys[1]["removed"] == ["project/research/1"]
    assert (place.path.parent / "keys" / "second.key").read_text().strip() not in str(place.trail.events)


async def test_a_change_that_could_not_be_recorded_is_one_at_the_next_start(place: Place) -> None:
    await place.start()
    place.edit(http__port=8043)
    place.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await record_start(place.config, {}, place.trail)
    place.trail.broken = False
    assert [each[0] for each in await place.start()] == ["configuration-changed"]


@pytest.mark.parametrize("text", ["", "{}", "[" * 9999, '{"parts": 7, "keys": {}}'])
async def test_a_memory_that_is_not_in_order_stops_nothing(place: Place, text: str) -> None:
    await place.start()
    (place.data / FILE).write_text(text)
    place.edit(http__port=8043)
    assert await place.start() == []
    place.edit(http__port=8044)
    assert len(await place.start()) == 1
