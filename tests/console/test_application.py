from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import pytest

from proxy.dicomweb.forwarded import Hops

FORMS = ("/sign-in", "/sign-out")


async def test_who_signs_in_sees_the_overview_until_signing_out(place: Any) -> None:
    async with place.open() as person:
        assert (await person.get(follow=False))[2]["Location"] == "/console/sign-in"
        assert await person.sign_in("officer") == 303
        status, text, _ = await person.get()
        assert (status, "Signed in as <strong>officer</strong>" in text) == (200, True)
        assert (await person.get("/sign-in", follow=False))[0] == 303
        assert (await person.post("/sign-out"))[0] == 303
        assert (await person.get(follow=False))[0] == 303
    assert place.said() == [("login", "user:officer", ""), ("logout", "user:officer", "")]


async def test_a_wrong_name_and_a_wrong_password_look_the_same(place: Any) -> None:
    async with place.open() as person:
        answers = []
        for name, password in (("officer", "wrong"), ("hunter2-my-secret", "wrong")):
            await person.get("/sign-in")
            status, text, headers = await person.post("/sign-in", name=name, password=password)
            headers = {key: value for key, value in headers.items() if key not in ("Date", "Set-Cookie")}
            answers.append((status, text, headers))
        assert answers[0] == answers[1]
        assert answers[0][0] == 401
        assert "wrong" in answers[0][1]
        assert set(person.cookies()) == {"veil-form"}
    assert place.said() == [("login", "user:officer", "wrong-password"), ("login", "", "wrong-name")]
    assert "hunter2" not in str(place.events)


async def test_whoever_tries_too_often_waits(place: Any) -> None:
    async with place.open() as person:
        statuses = [await person.sign_in("officer", "wrong") for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        await person.get("/sign-in")
        status, text, headers = await person.post("/sign-in", name="officer", password="correct horse battery")
        assert (status, "Too many attempts" in text, int(headers["Retry-After"]) > 0) == (429, True, True)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "0" * 64, "ä", "of another session"])
async def test_a_form_without_its_token_is_refused(place: Any, path: str, token: str) -> None:
    async with place.open() as other, place.open() as person:
        if path == "/sign-out":
            for each in (other, person):
                assert await each.sign_in("officer") == 303
        for each in (other, person):
            await each.get("" if path == "/sign-out" else path)
        person.token = other.token if token == "of another session" else token
        status, _, _ = await person.post(path, name="officer", password="correct horse battery")
        assert status == 403
        assert place.said()[-1] == ("denied", "user:officer" if path == "/sign-out" else "", "form-token")
        if path == "/sign-out":
            assert (await person.get(follow=False))[0] == 200


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "origin", [None, "null", "https://example.org", "http://127.0.0.1:1", "http://[", "http://127.0.0.1"]
)
async def test_a_form_from_elsewhere_is_refused(place: Any, path: str, origin: str | None) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        await person.get()
        assert (await person.post(path, origin))[0] == 403
        assert place.said()[-1] == ("denied", "user:officer", "foreign-origin")
        assert (await person.get(follow=False))[0] == 200


async def test_what_is_no_form_is_refused(place: Any) -> None:
    async with place.open() as person:
        await person.get("/sign-in")
        headers = {"Origin": person.root}
        url = f"{person.root}/console/sign-in"
        async with person.http.post(url, json={"token": person.token}, headers=headers) as response:
            assert response.status == 415
        status, _, _ = await person.post("/sign-in", name="x" * 20_000)
        assert status == 413
        async with person.http.post(url, data={"token": ""}, headers=headers | {"Cookie": ""}) as response:
            assert response.status == 403


async def test_cookies_are_out_of_reach(place: Any) -> None:
    async with place.open() as person:
        _, _, headers = await person.get("/sign-in")
        before = headers["Set-Cookie"]
        _, _, headers = await person.post("/sign-in", name="officer", password="correct horse battery")
        session, dropped = headers.getall("Set-Cookie")
        assert session.startswith("veil-session=")
        assert dropped.startswith('veil-form="";')
        for cookie in (before, session):
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert "Secure" not in cookie  # there is no TLS here
            assert "Domain" not in cookie
        assert len(person.cookies()["veil-session"]) == 43
        assert person.cookies()["veil-session"] not in before


async def test_behind_tls_cookies_stay_behind_tls(place: Any) -> None:
    place.hops = Hops([ip_network("127.0.0.1/32")])
    async with place.open() as person:
        person.headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "veil.example.org",
            "X-Forwarded-Prefix": "/v",
        }
        _, text, headers = await person.get("/sign-in")
        assert re.match(r"__Host-veil-form=\S{43}; HttpOnly; Path=/; SameSite=Strict; Secure$", headers["Set-Cookie"])
        assert 'action="/v/console/sign-in"' in text
        cookie = headers["Set-Cookie"].partition(";")[0]
        person.headers["Cookie"] = cookie
        fields = {"name": "officer", "password": "correct horse battery"}
        assert (await person.post("/sign-in", **fields))[0] == 403  # as from http
        status, _, headers = await person.post("/sign-in", "https://veil.example.org", **fields)
        assert (status, headers["Location"]) == (303, "/v/console")
        assert headers.getall("Set-Cookie")[0].startswith("__Host-veil-session=")


async def test_a_session_that_somebody_thought_up_is_none(place: Any) -> None:
    async with place.open() as person:
        for value in ("x" * 43, "", "x" * 5000, "ä"):
            person.headers = {"Cookie": f"veil-session={value}"}
            assert (await person.get(follow=False))[0] == 303
    assert place.said() == []


async def test_signing_in_again_begins_another_session_and_ends_the_first(place: Any) -> None:
    async with place.open() as person:
        await person.get("/sign-in")
        form, token = person.cookies(), person.token
        assert await person.sign_in("officer") == 303
        first = person.cookies()["veil-session"]
        person.http.cookie_jar.update_cookies(form)
        person.token = token
        assert (await person.post("/sign-in", name="viewer", password="correct horse battery"))[0] == 303
        second = person.cookies()["veil-session"]
        assert first != second
        assert (await person.get(follow=False))[0] == 200
        person.http.cookie_jar.clear()
        person.headers = {"Cookie": f"veil-session={first}"}
        assert (await person.get(follow=False))[0] == 303


async def test_a_session_ends_by_itself(place: Any) -> None:
    async with place.open() as person:
        assert await person.sign_in("officer") == 303
        place.now = 61
        assert (await person.get(follow=False))[0] == 303
    assert place.said()[-1] == ("logout", "user:officer", "idle")


async def test_pages_reach_nothing_but_this_console(place: Any) -> None:
    async with place.open() as person:
        pages = [await person.get("/sign-in")]
        assert await person.sign_in("administrator") == 303
        pages += [await person.get(), await person.get("/nothing"), await person.get("/console.css")]
        assert [status for status, _, _ in pages] == [200, 200, 404, 200]
        for _, text, headers in pages:
            assert headers["Content-Security-Policy"].startswith(
                "default-src 'none'; script-src 'self'; style-src 'self';"
            )
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "same-origin"
            assert not re.search(r"<script|<style|\son\w+=|\sstyle=|https?://", text.replace('xmlns="http://www', ""))
        assert pages[1][2]["Cache-Control"] == "private, no-store"


async def test_nothing_but_the_way_in_is_shown_to_strangers(place: Any) -> None:
    async with place.open() as person:
        for path in ("", "/", "/nothing", "/sign-out"):
            status, text, headers = await person.get(path, follow=False)
            assert (status, text, headers["Location"]) == (303, "", "/console/sign-in")
        for path in ("/console.css", "/icon.svg", "/sign-in"):
            assert (await person.get(path, follow=False))[0] == 200
    assert place.said() == []


async def test_without_an_audit_log_nobody_gets_in(place: Any) -> None:
    async with place.open() as person:
        await person.get("/sign-in")
        place.full = True
        status, text, headers = await person.post("/sign-in", name="officer", password="correct horse battery")
        assert (status, headers["Retry-After"], "audit log" in text) == (503, "5", True)
        assert "veil-session" not in person.cookies()
