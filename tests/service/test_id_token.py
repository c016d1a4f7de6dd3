from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.service.signing_in import CLIENT, Place, turned_away


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": "of another sign-in"}, "wrong-nonce"),
        ({"nonce": None}, "missing-claim"),
        ({"nonce": 7}, "wrong-nonce"),
        ({"nonce": "\udc80"}, "wrong-nonce"),
        ({"aud": "others"}, "wrong-audience"),
        ({"aud": [CLIENT, "others"]}, "wrong-party"),
        ({"azp": "others"}, "wrong-party"),
        ({"iss": "https://evil.example.org"}, "wrong-issuer"),
        ({"exp": time.time() - 61}, "expired-token"),
        ({"iat": time.time() + 36_000}, "token-not-yet-valid"),
        ({"iat": None}, "missing-claim"),
        ({"sub": None}, "missing-claim"),
        ({"sub": "a\nb"}, "no-name"),
        ({"groups": None}, "no-role"),
        ({"groups": ["others"]}, "no-role"),
        ({"groups": {"it": 1}}, "no-role"),
        ({"groups": "Radiology Research it"}, "no-role"),
    ],
)
async def test_tokens_that_let_nobody_in(changes: dict[str, Any], reason: str) -> None:
    place = Place()
    place.login.changes = changes
    assert await turned_away(place, code="c", state=await place.begin()) == reason
    assert place.said()[-1][2] == ("oidc:alice" if reason == "no-role" else "")
    assert not place.desk._sessions._kept


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
async def test_tokens_that_the_provider_has_not_signed(algorithm: str) -> None:
    place = Place()
    place.login.algorithm = algorithm
    place.login.signer = "k" * 32 if algorithm == "HS256" else rsa.generate_private_key(65537, 2048)  # type: ignore[assignment]
    reason = await turned_away(place, code="c", state=await place.begin())
    assert reason == ("bad-signature" if algorithm == "RS256" else "bad-algorithm")


@pytest.mark.parametrize("auth_time", [None, 0, "now", True, pytest.param(time.time() - 3600, id="an hour ago")])
async def test_who_was_signed_in_before_shows_again_who_he_is(auth_time: Any) -> None:
    place = Place(always_ask=True)
    place.login.changes = {"auth_time": auth_time}
    state = await place.begin()
    assert (place.login.asked["prompt"], place.login.asked["max_age"]) == ("login", "0")
    assert await turned_away(place, code="c", state=state) == "not-asked-again"
    state = await place.begin()
    place.login.changes = {"auth_time": int(time.time())}
    assert await place.finish(code="c", state=state)


async def test_one_group_may_be_a_text_and_parties_may_be_named() -> None:
    place = Place()
    place.login.changes = {"groups": "Radiology Research", "aud": [CLIENT, "others"], "azp": CLIENT}
    assert await place.finish(code="c", state=await place.begin())
