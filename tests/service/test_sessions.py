from __future__ import annotations

import hashlib

from proxy.service.people import Account
from proxy.service.sessions import Sessions

ALICE, BOB = Account("alice", {}, "hash"), Account("bob", {}, "hash")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_until_it_was_not_used_for_a_while() -> None:
    clock = Clock()
    sessions = Sessions(60, 600, clock)
    mine = sessions.begin(ALICE)
    for _ in range(5):
        clock.now += 59
        session, why = sessions.find(mine)
        assert session is not None
        assert (session.account, why) == (ALICE, "")
    clock.now += 60
    assert sessions.find(mine)[1] == "idle"


def test_a_session_that_is_used_gets_old_all_the_same() -> None:
    clock = Clock()
    sessions = Sessions(60, 300, clock)
    mine = sessions.begin(ALICE)
    whys = []
    for _ in range(6):
        clock.now += 50
        whys.append(sessions.find(mine)[1])
    assert whys == ["", "", "", "", "", "too-old"]


def test_a_session_ends_with_what_it_was_begun_for() -> None:
    clock = Clock()
    sessions = Sessions(60, 300, clock)
    mine = sessions.begin(ALICE, 45)
    clock.now += 44
    assert sessions.find(mine)[1] == ""
    clock.now += 1
    assert sessions.find(mine)[1] == "expired"


def test_an_id_is_random_and_not_kept() -> None:
    sessions = Sessions(60, 300)
    ids = {sessions.begin(ALICE) for _ in range(100)}
    assert len(ids) == 100
    assert min(map(len, ids)) == 43  # 256 bits
    assert not ids & set(sessions._kept)
    assert {hashlib.sha256(each.encode()).hexdigest() for each in ids} == set(sessions._kept)


def test_what_has_ended_is_gone_and_nobody_else_is() -> None:
    sessions = Sessions(60, 300)
    mine, yours = sessions.begin(ALICE), sessions.begin(BOB)
    sessions.end(mine)
    sessions.end("no such session")
    assert sessions.find(mine) == (None, "")
    assert sessions.find("\udc80") == (None, "")
    assert sessions.find(yours)[0] is not None


def test_memory_is_bounded() -> None:
    sessions = Sessions(60, 300, most=3)
    ids = [sessions.begin(ALICE) for _ in range(3)]
    sessions.find(ids[0])
    sessions.begin(BOB)
    assert [sessions.find(each)[0] is not None for each in ids] == [True, False, True]
