from __future__ import annotations

import re
from typing import Any

import pytest

from proxy.console.frame import Entry, may
from proxy.service.callers import Verb


async def seen(place: Any, name: str) -> str:
    async with place.open() as person:
        assert await person.sign_in(name) == 303
        status, text, _ = await person.get()
        assert status == 200
        return str(text)


async def test_an_officer_sees_the_project_and_where_the_audit_stands(place: Any) -> None:
    text = await seen(place, "officer")
    row = '<tr><th scope="row">archive</th><td class="number">3</td><td class="number">0</td>'
    assert row + '<td class="number">14</td><td class="number">0</td><td>open</td><td>–</td>' in text
    assert '<td>burned-in-annotation</td><td class="number">2</td>' in text
    assert "<dd>653</dd>" in text
    assert "ab" * 32 in text
    assert "92 records behind" in text
    for foreign in ("pacs", "recognizable-face", "broken"):
        assert foreign not in text


async def test_a_viewer_sees_the_own_project_alone(place: Any) -> None:
    text = await seen(place, "viewer")
    assert "A700" in text
    assert "recognizable-face" in text
    for foreign in ("archive", "burned-in", "653", "ab" * 32, "siem", "research"):
        assert foreign not in text


async def test_whoever_has_a_role_everywhere_sees_everything(place: Any) -> None:
    text = await seen(place, "administrator")
    for all_of_it in ("archive", "pacs", "burned-in", "recognizable-face", "(broken entries)", "653"):
        assert all_of_it in text


def totals(text: str) -> dict[str, int]:
    return {title: int(n) for title, n in re.findall(r"<figcaption>([^<]+) <strong>(\d+)</strong>", text)}


async def test_plots_show_what_went_in_and_out_of_the_projects_that_somebody_sees(place: Any) -> None:
    nothing = {"De-identified": 0, "Refused": 0, "Rejected by destination": 0}
    for name, own in {
        "officer": {"Received": 141, "Delivered": 141, "Held": 0},
        "viewer": {"Received": 0, "Delivered": 141, "Held": 141},
        "administrator": {"Received": 141, "Delivered": 282, "Held": 141},
    }.items():
        assert totals(await seen(place, name)) == nothing | own


async def test_a_plot_is_said_in_words_and_stands_in_a_table(place: Any) -> None:
    text = await seen(place, "officer")
    assert '<desc id="received-words">141 in all, at most 3 in 30 min, from 00:30 UTC on.</desc>' in text
    assert '<desc id="refused-words">None.</desc>' in text
    assert '<tr><th scope="row">00:30</th><td class="number">3</td><td class="number">0</td>' in text
    assert "style=" not in text


@pytest.mark.parametrize(("span", "step"), [("hour", 1), ("day", 30), ("", 30), ("%22%3E", 30)])
async def test_the_last_hour_is_shown_by_the_minute(place: Any, span: str, step: int) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        _, text, _ = await person.get(f"?span={span}")
    assert f"in {step} min, from" in text
    assert f'href="/console?span={"hour" if step == 1 else "day"}#flow" aria-current="true"' in text


async def test_who_reloads_does_not_make_it_count_again(place: Any) -> None:
    async with place.open() as person:
        assert await person.sign_in("operator") == 303
        for _ in range(5):
            assert (await person.get())[0] == 200
    assert place.counted == 1


async def test_what_a_destination_says_is_text(place: Any, monkeypatch: Any) -> None:
    said = {"pacs": {"state": "paused", "last_code": '<script>"&'}}
    status = await place.status() | {"destinations": said}
    monkeypatch.setattr(place, "status", lambda: _given(status))
    text = await seen(place, "viewer")
    assert "<script" not in text
    assert "&lt;script&gt;&#34;&amp;" in text


async def _given(status: Any) -> Any:
    return status


class HeldElsewhere:
    """A page for whoever may operate, by name only."""

    entries = (Entry("/quarantine", "Held", may(Verb.OPERATE, ["research", "other"])),)
    routes = ()


async def test_links_go_where_somebody_may_go(place: Any) -> None:
    place.parts = [HeldElsewhere()]
    link = 'href="/console/quarantine">Which they are'
    assert link in await seen(place, "operator")
    assert link not in await seen(place, "viewer")


@pytest.mark.parametrize(("query", "seconds"), [("", None), ("?every=15", "15"), ("?every=60&span=hour", "60")])
async def test_a_page_that_is_watched_is_shown_anew_by_itself(place: Any, query: str, seconds: str | None) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        _, text, headers = await person.get(query)
    assert headers.get("Refresh") == seconds
    span = "hour" if "hour" in query else "day"
    assert re.findall(r'<a href="([^"]+)" aria-current="true">(?:no|every)', text) == [
        f"/console?span={span}" + (f"&amp;every={seconds}" if seconds else "")
    ]
    assert ('href="/console?span=hour&amp;every=60#flow"' in text) == (seconds == "60")  # it stays so with another span


@pytest.mark.parametrize("every", ["1", "015", "15;url=//elsewhere.example", "-1", "15%0d%0aX-Injected:1"])
async def test_nobody_else_says_how_often(place: Any, every: str) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        _, text, headers = await person.get(f"?every={every}")
    assert "Refresh" not in headers
    assert "X-Injected" not in headers
    assert "elsewhere.example" not in text


async def test_a_page_that_is_left_open_keeps_nobody_signed_in(place: Any) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        place.now = 50.0
        assert (await person.get("?every=15"))[0] == 200
        place.now = 70.0  # 60 seconds without a person
        assert (await person.get("?every=15", follow=False))[2]["Location"] == "/console/sign-in"
    assert place.said()[-1] == ("logout", "user:officer", "idle")
