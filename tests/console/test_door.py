from __future__ import annotations

from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from proxy.console.door import Door
from proxy.dicomweb.forwarded import Hops
from proxy.service.id_token import Trust
from proxy.service.provider_sign_in import ProviderDesk
from tests.service.signing_in import BACK, CLIENT, GROUPS, ISSUER, Login


class Way:
    """``place`` with a door, and the provider behind it."""

    def __init__(self, place: Any) -> None:
        self.login = Login()
        trust = Trust(ISSUER, CLIENT, GROUPS)
        place.door = lambda desk: Door(ProviderDesk(self.login, trust, BACK, desk, place), "Hospital <login>")

    async def away(self, person: Any) -> str:
        status, _, headers = await person.get("/oidc", follow=False)
        assert status == 303
        url = urlsplit(headers["Location"])
        assert (url.scheme, url.netloc, url.path) == ("https", "login.example.org", "/authorize")
        self.login.asked = {name: value for name, (value,) in parse_qs(url.query).items()}
        return self.login.asked["state"]

    async def back(self, person: Any, **answer: str) -> tuple[int, str, Any]:
        return await person.get(f"/oidc/callback?{urlencode(answer)}", follow=False)


@pytest.fixture
def way(place: Any) -> Way:
    return Way(place)


async def test_who_signs_in_at_the_provider_sees_the_overview(place: Any, way: Way) -> None:
    async with place.open() as person:
        _, text, _ = await person.get("/sign-in")
        assert '<a href="/console/oidc">Sign in with Hospital &lt;login&gt;</a>' in text
        assert 'name="password"' in text
        status, text, headers = await way.back(
            person, code="c", state=await way.away(person), next="https://evil.test/"
        )
        assert status == 200
        assert 'http-equiv="refresh" content="0; url=/console"' in text
        assert "evil" not in text
        assert headers["Referrer-Policy"] == "no-referrer"
        session, dropped = headers.getall("Set-Cookie")
        assert session.startswith("veil-session=")
        assert "SameSite=Strict" in session
        assert dropped.startswith('veil-oidc="";')
        assert "Signed in as <strong>alice</strong>" in (await person.get())[1]
        assert (await person.get("/oidc", follow=False))[2]["Location"] == "/console"
        assert (await person.post("/sign-out"))[0] == 303
    assert place.said() == [("login", "oidc:alice", ""), ("logout", "oidc:alice", "")]


async def test_the_way_is_known_to_the_browser_that_began_it_only(place: Any, way: Way) -> None:
    async with place.open() as victim, place.open() as attacker:
        state = await way.away(attacker)
        status, text, headers = await way.back(victim, code="of the attacker", state=state)
        assert (status, "begun in another browser" in text) == (403, True)
        assert "veil-session" not in str(headers.getall("Set-Cookie"))
        await way.away(victim)
        assert (await way.back(victim, code="of the attacker", state=state))[0] == 403
    assert place.said() == [("login", "", "wrong-state")] * 2
    assert way.login.exchanges == 0


async def test_a_state_is_good_once_and_looking_ahead_spends_nothing(place: Any, way: Way) -> None:
    async with place.open() as person:
        state = await way.away(person)
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies().items())
        url = f"{person.root}/console/oidc/callback?{urlencode({'code': 'c', 'state': state})}"
        async with person.http.head(url, allow_redirects=False) as response:
            assert response.status == 303
        assert (await way.back(person, code="c", state=state))[0] == 200
        person.http.cookie_jar.clear()
        person.headers = {"Cookie": cookies}  # of somebody who has copied all that there was
        assert (await way.back(person, code="c", state=state))[0] == 403
    assert place.said() == [("login", "oidc:alice", ""), ("login", "", "wrong-state")]


@pytest.mark.parametrize(
    ("changes", "answer", "words", "record"),
    [
        ({"groups": []}, {"code": "c"}, "you have no role here", ("login", "oidc:alice", "no-role")),
        ({"nonce": "x"}, {"code": "c"}, "cannot be trusted", ("login", "", "wrong-nonce")),
        ({}, {"code": "c", "iss": "https://evil.test"}, "cannot be trusted", ("login", "", "wrong-issuer")),
        ({}, {"error": "<script>"}, "did not let you in", ("login", "", "provider-refused")),
    ],
)
async def test_who_is_not_let_in_is_told_and_recorded(
    place: Any, way: Way, changes: dict[str, Any], answer: dict[str, str], words: str, record: tuple[str, str, str]
) -> None:
    way.login.changes = changes
    async with place.open() as person:
        status, text, headers = await way.back(person, state=await way.away(person), **answer)
        assert (status, words in text, "script>" in text) == (403, True, False)
        assert "veil-session" not in str(headers.getall("Set-Cookie"))
        assert (await person.get(follow=False))[0] == 303
    assert place.said() == [record]


async def test_a_provider_that_is_down_keeps_nobody_else_out(place: Any, way: Way) -> None:
    way.login.down = True
    async with place.open() as person:
        status, text, headers = await person.get("/oidc", follow=False)
        assert (status, "cannot be reached" in text, "Location" in headers) == (503, True, False)
        assert (await person.post("/sign-in", name="officer", password="correct horse battery"))[0] == 303
    assert place.said() == [("login", "", "provider-unavailable"), ("login", "user:officer", "")]


async def test_whoever_tries_too_often_waits(place: Any, way: Way) -> None:
    async with place.open() as person:
        answers = [await way.back(person, code="c", state="x") for _ in range(60)]
        assert {status for status, _, _ in answers} == {403, 429}
        assert all(int(headers["Retry-After"]) > 0 for status, _, headers in answers if status == 429)


async def test_no_record_no_session(place: Any, way: Way) -> None:
    async with place.open() as person:
        state = await way.away(person)
        place.full = True
        status, _, headers = await way.back(person, code="c", state=state)
        assert (status, "Set-Cookie" in headers) == (503, False)


async def test_without_accounts_of_this_site_there_is_no_form_for_them(place: Any, way: Way) -> None:
    place.local, place.accounts = False, []
    async with place.open() as person:
        _, text, _ = await person.get("/sign-in")
        assert "/console/oidc" in text
        assert "password" not in text
        assert await person.sign_in("officer") != 303


async def test_behind_tls_the_cookie_of_the_way_stays_behind_tls(place: Any, way: Way) -> None:
    place.hops = Hops([ip_network("127.0.0.1/32")])
    async with place.open() as person:
        person.headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "veil.example.org"}
        _, _, headers = await person.get("/oidc", follow=False)
        name, _, rest = headers["Set-Cookie"].partition("=")
        assert name == "__Host-veil-oidc"
        assert rest[43:] == "; HttpOnly; Path=/; SameSite=Lax; Secure"


async def test_without_a_provider_there_is_no_way_to_it(place: Any) -> None:
    async with place.open() as person:
        assert "oidc" not in (await person.get("/sign-in"))[1]
        assert (await person.get("/oidc/callback?code=c&state=s", follow=False))[2]["Location"] == "/console/sign-in"
    assert place.said() == []
