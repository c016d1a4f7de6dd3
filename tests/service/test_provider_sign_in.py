from __future__ import annotations

import contextlib

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.callers import CannotJudge, Unknown
from proxy.service.people import Role
from proxy.service.rate import Rates
from proxy.service.sign_in import TooOften
from tests.service.signing_in import BACK, CLIENT, HERE, ISSUER, Place, turned_away


async def test_who_comes_back_from_the_provider_has_the_roles_of_the_groups() -> None:
    place = Place()
    session = await place.finish(code="c", state=await place.begin())
    guest = await place.desk.guest(session, HERE)
    assert guest is not None
    assert guest.account.name == "alice"
    assert guest.account.roles == {
        "research": frozenset({Role.OFFICER, Role.VIEWER}),
        "*": frozenset({Role.OPERATOR}),
    }
    assert place.said() == [("login", "success", "oidc:alice", "")]
    await place.desk.sign_out(session, HERE)
    assert place.said()[-1] == ("logout", "success", "oidc:alice", "")


async def test_what_the_provider_is_asked() -> None:
    place = Place()
    first, second = await place.begin(), await place.begin()
    asked = place.login.asked
    assert first != second
    assert asked | {"state": "", "nonce": "", "code_challenge": ""} == {
        "tenant": "7", "response_type": "code", "scope": "openid", "client_id": CLIENT, "redirect_uri": BACK,
        "state": "", "nonce": "", "code_challenge": "", "code_challenge_method": "S256",
    }  # fmt: skip
    secrets = [asked[name] for name in ("state", "nonce", "code_challenge")]
    assert [len(each) for each in secrets] == [43] * 3
    assert len(set(secrets)) == 3


async def test_a_session_ends_with_its_token() -> None:
    place = Place()
    session = await place.finish(code="c", state=await place.begin())
    place.now = 295
    assert await place.desk.guest(session, HERE) is not None
    place.now = 340
    assert await place.desk.guest(session, HERE) is None
    assert place.said()[-1] == ("logout", "success", "oidc:alice", "expired")


async def test_a_state_is_good_once_for_the_browser_that_began() -> None:
    place = Place()
    state = await place.begin()
    assert await turned_away(place, "b" * 43, code="c", state=state) == "wrong-state"
    assert await turned_away(place, code="c", state=state) == "wrong-state"  # what was tried is gone
    state = await place.begin("")
    assert await turned_away(place, "", code="c", state=state) == "wrong-state"
    state = await place.begin()
    for wrong in ({}, {"state": "x"}, {"state": [state, state]}, {"state": ""}):
        assert await turned_away(place, code="c", **wrong) == "wrong-state"  # type: ignore[arg-type]
    assert place.login.exchanges == 0
    await place.finish(code="c", state=state)
    assert await turned_away(place, code="c", state=state) == "wrong-state"
    assert place.login.exchanges == 1


async def test_whoever_takes_too_long_begins_again() -> None:
    place = Place()
    state = await place.begin()
    place.now = 600
    assert await turned_away(place, code="c", state=state) == "expired-state"


async def test_an_answer_of_another_provider_is_refused_before_its_code_is_sent_anywhere() -> None:
    place = Place()
    for iss in ("https://evil.example.org", ["", ISSUER], [ISSUER, ISSUER]):
        assert await turned_away(place, code="c", state=await place.begin(), iss=iss) == "wrong-issuer"
    place.login.names_itself = True
    assert await turned_away(place, code="c", state=await place.begin()) == "wrong-issuer"
    assert place.login.exchanges == 0
    await place.finish(code="c", state=await place.begin(), iss=ISSUER)


async def test_what_the_provider_refuses() -> None:
    place = Place()
    state = await place.begin()
    assert await turned_away(place, code="c", state=state, error="access_denied") == "provider-refused"
    for code in ("", ["a", "b"], "x" * 5000):
        assert await turned_away(place, state=await place.begin(), code=code) == "no-code"
    assert place.login.exchanges == 0
    place.login.refuses = True
    assert await turned_away(place, code="replayed", state=await place.begin()) == "code-refused"


async def test_a_provider_that_is_down_is_recorded_and_lets_nobody_in() -> None:
    place = Place()
    state = await place.begin()
    place.login.down = True
    with pytest.raises(CannotJudge):
        await place.begin()
    with pytest.raises(CannotJudge):
        await place.finish(code="c", state=state)
    assert place.said() == [("login", "failure", "", "provider-unavailable")] * 2


async def test_attempts_are_limited() -> None:
    place = Place(by_address=Rates(0.001, 3))
    for _ in range(3):
        await place.begin()
    with pytest.raises(TooOften):
        await place.begin()
    with pytest.raises(TooOften):
        await place.finish(code="c", state="x")
    assert place.said() == [("login", "failure", "", "too-often")]


async def test_no_record_no_session() -> None:
    place = Place()
    state = await place.begin()
    place.trail.broken = True
    with pytest.raises(AuditUnavailable):
        await place.finish(code="c", state=state)
    assert not place.desk._sessions._kept


async def test_nothing_of_a_sign_in_is_recorded_but_who_and_why() -> None:
    place = Place()
    for changes in ({}, {"nonce": "x"}, {"groups": None}):
        place.login.changes = changes
        state = await place.begin()
        with contextlib.suppress(Unknown):
            await place.finish(code="the-code", state=state)
        for secret in ("the-code", state, place.login.asked["nonce"], place.login.asked["code_challenge"], "eyJ"):
            assert secret not in str(place.trail.events)
