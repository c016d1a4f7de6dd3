"""Dry run: for operators of the project, with a file; pictures are for who asked, once and not for long."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import aiohttp
import pytest

from proxy.console.trying import TryingPages
from proxy.deid.pixels.shown import WHOLE, Masked
from proxy.deid.previewed import Previewed, Row, Table
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.service.effective_rules import EffectiveRules
from proxy.service.ports import Peer
from proxy.service.trying import MOST_RULES, Difference, Tried
from proxy.store.rulebook import load_profile, load_tables

SPECS = {name: PolicySpec(name, load_profile("basic"), b"k" * 32) for name in ("research", "other")}
ROWS = tuple(Row("", f"(0018,{n:04X})", "", "DS", "keep", f"rule {n}", "") for n in range(250))
NOW = Previewed(pixels="nothing blanked", table=Table(250, ROWS), picture=Masked(WHOLE, "", 1, 1, (), b"PNG 1"))
THEN = Previewed("refused-by-rule", "rule <2>", "(0018,0060)", picture=Masked(WHOLE, "", 1, 1, (), b"PNG 2"))
MOST = 1000


@cache
def policies() -> dict[str, Policy]:
    return {name: compile_policy(load_tables(), spec) for name, spec in SPECS.items()}


class Tries:
    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, bytes, int, str]] = []
        self.now = 0.0

    async def run(self, project: str, data: bytes, rules: bytes, frame: int, peer: Peer) -> Tried:
        self.asked.append((project, data, rules, frame, peer.name))
        if rules == b"wrong":
            raise ConfigError("profile <mine>", "this key is not known")
        if not rules:
            return Tried(NOW)
        found = tuple(Difference("", row.tag, "", "keep", row.rule, "remove", "mine 1") for row in ROWS[:3])
        return Tried(NOW, THEN, "c" * 64, found)


@pytest.fixture
def tries(place: Any) -> Tries:
    made = Tries()
    rules = EffectiveRules(lambda: SPECS, policies)
    place.parts.append(TryingPages(rules, made, MOST, lambda: made.now))
    return made


async def sent(person: Any, path: str = "/rules/research/try", frame: str = "1", **files: bytes) -> tuple[int, str]:
    await person.get("/rules/research/try")
    form = aiohttp.FormData({"token": person.token, "frame": frame})
    for name, value in files.items():
        form.add_field(name, value, filename="any", content_type="application/octet-stream")
    headers = {"Origin": person.root}
    async with person.http.post(f"{person.root}/console{path}", data=form, headers=headers) as response:
        return response.status, await response.text()


async def picture(person: Any, path: str) -> tuple[int, bytes, str]:
    async with person.http.get(person.root + path) as response:
        return response.status, await response.read(), response.headers.get("Cache-Control", "")


async def test_an_operator_sees_both_outcomes_and_what_differs(place: Any, tries: Tries) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        status, text = await sent(person, frame="2", file=b"DICM", rules=b"name: mine")
        assert status == 200
        assert tries.asked == [("research", b"DICM", b"name: mine", 2, "user:operator")]
        assert '<span class="good">released</span>' in text
        assert '<span class="bad">held</span>: refused-by-rule' in text
        assert "rule &lt;2&gt;" in text
        assert text.count("<td>mine 1</td>") == 3
        assert "c" * 64 in text
        pictures = re.findall(r'<img src="([^"]+)"', text)
        assert [(await picture(person, each))[:2] for each in pictures] == [(200, b"PNG 1"), (200, b"PNG 2")]
        assert (await picture(person, pictures[0]))[0] == 404  # it was there once


async def test_pictures_are_for_who_asked_and_do_not_stay(place: Any, tries: Tries) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        _, text = await sent(person, file=b"DICM")
        assert "250 elements, 1 to 200 are shown" in text
        (path,) = re.findall(r'<img src="([^"]+)"', text)
        person.http.cookie_jar.clear()
        await person.sign_in("administrator")
        assert (await picture(person, path))[0] == 404
        person.http.cookie_jar.clear()
        await person.sign_in("operator")
        tries.now = 119.0
        assert await picture(person, path) == (200, b"PNG 1", "no-store")
        _, text = await sent(person, file=b"DICM")
        (path,) = re.findall(r'<img src="([^"]+)"', text)
        tries.now = 500.0
        assert (await picture(person, path))[0] == 404


async def test_what_is_wrong_is_said_on_the_form(place: Any, tries: Tries) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        status, text = await sent(person, file=b"DICM", rules=b"wrong")
        assert (status, "profile &lt;mine&gt;: this key is not known" in text, 'role="alert"' in text) == (
            422,
            True,
            True,
        )
        status, text = await sent(person, file=b"", rules=b"")
        assert (status, "Choose a DICOM file" in text) == (400, True)
        assert (await sent(person, file=b"x" * (MOST + 1)))[0] == 413
        assert (await sent(person, file=b"x" * (MOST + MOST_RULES + (20 << 10))))[0] == 413
        assert (await sent(person, file=b"x", rules=b"x" * (MOST_RULES + 1)))[0] == 413
        assert len(tries.asked) == 1


async def test_it_is_for_operators_of_the_project_alone(place: Any, tries: Tries) -> None:
    for name, status in (("officer", 403), ("viewer", 403)):
        async with place.open() as person:
            await person.sign_in(name)
            await person.get()
            assert (await person.get("/rules/research/try"))[0] == status
            assert (await sent(person, file=b"DICM"))[0] == status
            assert ("denied", f"user:{name}", "role") in place.said()
    async with place.open() as person:
        await person.sign_in("operator")
        assert (await sent(person, "/rules/other/try", file=b"DICM"))[0] == 404
    assert tries.asked == []
