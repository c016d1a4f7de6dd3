"""Any two shares give the secret back, one says nothing, and the arithmetic is that of FIPS 197."""

from __future__ import annotations

import itertools
import secrets

import pytest

from proxy.store import shares
from proxy.store.shares import MOST, join, split


@pytest.mark.parametrize("people", [2, 3, 5, MOST])
def test_any_two_shares_give_the_secret(people: int) -> None:
    secret = secrets.token_bytes(32)
    made = dict(enumerate(split(secret, people), 1))
    for one, two in itertools.permutations(made, 2):
        assert join({one: made[one], two: made[two]}) == secret


def test_one_share_alone_is_as_random_as_the_slope() -> None:
    seen = [{split(b"\0", 3)[at] for _ in range(6000)} for at in range(3)]
    assert [len(each) for each in seen] == [256] * 3


def test_shares_of_two_splits_do_not_give_it() -> None:
    secret = secrets.token_bytes(32)
    assert join({1: split(secret, 2)[0], 2: split(secret, 2)[1]}) != secret


@pytest.mark.parametrize("people", [0, 1, MOST + 1])
def test_nobody_shares_alone(people: int) -> None:
    with pytest.raises(ValueError, match="2 to 16"):
        split(b"secret", people)


def test_a_share_does_not_go_with_itself_or_with_another_length() -> None:
    for wrong in ({1: b"a"}, {1: b"a", 2: b"ab"}):
        with pytest.raises(ValueError):
            join(wrong)


def test_the_field_is_that_of_aes() -> None:
    assert shares._product(0x57, 0x83) == 0xC1  # FIPS 197 4.2
    assert shares._product(0x57, 0x13) == 0xFE  # FIPS 197 4.2.1
    assert all(shares._product(a, shares._inverse(a)) == 1 for a in range(1, 256))
