from __future__ import annotations

import asyncio
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.callers import ANYBODY, Caller, Unknown, Verb, grants_of, scope_of
from proxy.service.rate import Rates
from proxy.service.static_tokens import StaticCallers, StoredToken, digest_of, new_token
from tests.service.trail import Trail


def test_grants_add_up_and_nothing_else_is_granted() -> None:
    caller = Caller("a", {"x": frozenset({Verb.SEARCH}), "*": frozenset({Verb.AUDIT}), "none": frozenset()})
    assert caller.verbs("x") == {Verb.SEARCH, Verb.AUDIT}
    assert caller.verbs("y") == {Verb.AUDIT}
    bound = Caller("b", {"x": frozenset({Verb.SEARCH}), "none": frozenset()})
    assert (bound.sees("x"), bound.sees("y"), bound.sees("none"), bound.sees("")) == (True, False, False, False)
    assert ANYBODY.verbs("x") == frozenset(Verb)


@pytest.mark.parametrize("verb", list(Verb))
def test_a_scope_is_read_as_it_is_written(verb: Verb) -> None:
    for project in ("research", "*"):
        assert grants_of([scope_of(project, verb)]) == {project: {verb}}


async def test_a_static_token_is_known_whole_or_not_at_all() -> None:
    token, other = new_token(), new_token()
    stored = [
        StoredToken("a", digest_of(other), {"x": frozenset({Verb.AUDIT})}),
        StoredToken("b", digest_of(token), {"x": frozenset({Verb.SEARCH})}),
    ]
    callers = StaticCallers(lambda: stored, AsyncMock())
    assert callers.claims(token)
    assert not callers.claims("a.b.c")
    assert await callers.caller(token) == Caller("token:b", {"x": frozenset({Verb.SEARCH})})
    with pytest.raises(Unknown, match="unknown-certificate"):
        await callers.caller("certificate:" + digest_of(token))
    swapped = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (token[:-1], token + "A", swapped, token.upper(), digest_of(token), "veil_", "veil_" + "ä" * 43):
        with pytest.raises(Unknown):
            await callers.caller(wrong)


async def test_who_may_call_is_recorded_before_anybody_is_let_in() -> None:
    token, audit = new_token(), Trail()
    first = StoredToken("a", digest_of(token), {"x": frozenset({Verb.SEARCH})})
    other = StoredToken("b", digest_of(new_token()), {"*": frozenset({Verb.STORE, Verb.AUDIT})})
    stored = [first, other]
    callers = StaticCallers(lambda: stored, audit)
    await asyncio.gather(*(callers.caller(token) for _ in range(5)))
    (event,) = audit.events
    assert event.type == "callers-changed"
    added = {"a": ["veil:x:search"], "b": ["veil:*:store", "veil:*:audit"]}
    assert event.object == {"kind": "callers", "added": added, "changed": {}, "removed": []}
    assert digest_of(token) not in str(event)
    stored[:], audit.broken = [replace(first, grants={"x": frozenset({Verb.ADMIN})})], True
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await callers.caller(token)
    audit.broken = False
    assert (await callers.caller(token)).verbs("x") == {Verb.ADMIN}
    expected = {"kind": "callers", "added": {}, "changed": {"a": ["veil:x:admin"]}, "removed": ["b"]}
    assert [event.object for event in audit.events[1:]] == [expected]


def test_a_token_has_256_bits_and_a_known_beginning() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {len("veil_") + 43}


def test_rates_over_time() -> None:
    now = [0.0]
    rates = Rates(2, 3, lambda: now[0])
    assert [rates.take("a") for _ in range(5)] == [0, 0, 0, 1, 1]
    assert rates.take("b") == 0
    now[0] = 0.5
    assert [rates.take("a") for _ in range(2)] == [0, 1]
    now[0] = 1000.0
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert Rates(0.1, 1, lambda: 0.0).take("a") == 0


def test_rates_say_how_long_to_wait() -> None:
    slow = Rates(0.1, 1, lambda: 0.0)
    assert [slow.take("a"), slow.take("a")] == [0, 10]


def test_rates_remember_a_bounded_number() -> None:
    rates = Rates(1, 1, lambda: 0.0, most=100)
    for number in range(1000):
        assert rates.take(str(number)) == 0
    assert len(rates._buckets) == 100
    assert rates.take("999") == 1
