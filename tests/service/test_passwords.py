from __future__ import annotations

import time

import pytest
from argon2 import PasswordHasher

from proxy.service.passwords import LONGEST, Passwords, unfit

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def test_a_password_is_known_again_and_no_other() -> None:
    passwords = Passwords(CHEAP)
    kept = passwords.hashed("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert "horse" not in kept
    assert kept != passwords.hashed("correct horse battery")
    assert await passwords.match(kept, "correct horse battery")
    for wrong in ("", "correct horse batter", "Correct horse battery", "correct horse battery ", "\udc80", "x" * 9999):
        assert not await passwords.match(kept, wrong)


async def test_one_password_typed_on_two_keyboards_is_one() -> None:
    passwords = Passwords(CHEAP)
    assert await passwords.match(passwords.hashed("Münchner Straße"), "Mu\u0308nchner Straße")


async def test_nobody_has_no_password() -> None:
    passwords = Passwords(CHEAP)
    assert not await passwords.match(None, "anything at all")
    assert not await passwords.match("no hash at all", "anything at all")


async def test_a_wrong_name_costs_what_a_wrong_password_costs() -> None:
    passwords = Passwords()
    kept = passwords.hashed("correct horse battery")

    async def cost(encoded: str | None) -> float:
        best = 1e9
        for _ in range(3):
            before = time.process_time()
            await passwords.match(encoded, "wrong horse battery")
            best = min(best, time.process_time() - before)
        return best

    assert 0.5 < await cost(None) / await cost(kept) < 2


@pytest.mark.parametrize(
    "password", ["", "short", "elevencharr", "alice-123456", "aaaaaaaaaaaaaaaa", "x" * LONGEST + "y"]
)
def test_what_is_no_password(password: str) -> None:
    assert unfit(password, "alice")


def test_length_is_all_that_is_asked() -> None:
    assert not unfit("correct horse battery", "alice")
