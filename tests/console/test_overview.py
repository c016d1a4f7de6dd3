from __future__ import annotations

from typing import Any


async def seen(place: Any, name: str) -> str:
    async with place.open() as person:
        assert await person.sign_in(name) == 303
        status, text, _ = await person.get()
        assert status == 200
        return str(text)


async def test_an_officer_sees_the_project_and_where_the_audit_stands(place: Any) -> None:
    text = await seen(place, "officer")
    row = '<tr><th scope="row">archive</th><td class="number">3</td><td class="number">0</td>'
    assert row + '<td class="number">14</td><td class="number">0</td><td>open</td><td>–</td></tr>' in text
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
