"""Devices: each row says how it stands and what to do; strings of headers are text, other projects are not there."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.coverage import CoveragePage, todo
from proxy.deid.device import Device
from proxy.errors import Reason
from proxy.service.coverage import Covered


def device(name: str, answer: str, reason: str = "", held: int = 0, uid: str = "") -> Covered:
    by_reason = {reason: held} if held else {}
    return Covered(Device(name, "M1", "US", uid), "Ultrasound Image", answer, reason, 7, by_reason, 1_700_000_000.0)


class Found:
    def __init__(self) -> None:
        self.devices = [
            device("<script>Acme", "held", "burned-in-annotation", 3),
            device("Beta", "regions + full"),
            device("Gamma", "rule"),
        ]

    async def of(self, project: str) -> list[Covered]:
        return self.devices if project == "research" else [device("Foreign", "none")]


@pytest.fixture
def found(place: Any) -> Found:
    made = Found()
    place.parts.append(CoveragePage(made, ["research", "other"]))
    return made


async def seen(place: Any, name: str, path: str = "/coverage") -> tuple[int, str]:
    async with place.open() as person:
        assert await person.sign_in(name) == 303
        status, text, _ = await person.get(path)
        return status, str(text)


@pytest.mark.usefixtures("found")
async def test_each_device_says_how_it_stands(place: Any) -> None:
    for name in ("operator", "officer"):
        status, text = await seen(place, name)
        assert status == 200
        assert "&lt;script&gt;Acme M1" in text
        assert "<script>Acme" not in text
        assert "<td>3 burned-in-annotation</td>" in text
        assert '<span class="bad">held</span>, <time datetime="2023-11-14T22:13:20+00:00">2023-11-14 22:13' in text
        assert "<span>ultrasound regions + read for text in full</span>" in text
        assert '<span class="good">device rule</span>' in text
        assert "<dt>Without a device rule</dt><dd>2</dd>" in text
        assert "<dt>Of them held</dt><dd>3</dd>" in text
        assert "Foreign" not in text
        assert (await seen(place, name, "/coverage?project=other"))[0] == 404


@pytest.mark.usefixtures("found")
async def test_a_viewer_is_refused_on_record_and_an_administrator_chooses(place: Any) -> None:
    assert (await seen(place, "viewer"))[0] == 403
    assert ("denied", "user:viewer", "role") in place.said()
    status, text = await seen(place, "administrator", "/coverage?project=other")
    assert (status, "Foreign" in text, "Beta" in text) == (200, True, False)
    assert '<a href="/console/coverage?project=research">research</a>' in text


async def test_many_devices_come_page_by_page(place: Any, found: Found) -> None:
    found.devices = [device(f"maker-{n:03d}", "full") for n in range(250)]
    _, text = await seen(place, "operator")
    assert ("maker-099" in text, "maker-100" in text, "start=100" in text, 'rel="prev"' in text) == (
        True,
        False,
        True,
        False,
    )
    _, text = await seen(place, "operator", "/coverage?start=200")
    assert ("maker-199" in text, "maker-249" in text, 'rel="next"' in text) == (False, True, False)
    assert (await seen(place, "operator", "/coverage?start=-1"))[0] == 200
    found.devices = []
    assert "Nothing has come yet" in (await seen(place, "operator"))[1]


def test_there_is_something_to_do_for_every_answer() -> None:
    for reason in Reason:
        assert len(todo(device("Acme", "held", reason))) > 15
    assert "quarantine" in todo(device("Acme", "held", "of a newer version"))
    words = {answer: todo(device("Acme", answer)) for answer in ("rule", "none", "unseen", "full", "rule + full")}
    assert len(set(words.values())) == len(words)
    assert words["rule"].startswith("Nothing")
    assert "as one" in todo(device("(other devices)", "full"))
