from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from proxy.errors import AuditUnavailable
from proxy.service.callers import CannotJudge, Unknown, Verb
from proxy.service.passwords import Passwords
from proxy.service.people import Account, Role
from proxy.service.ports import AuditEvent, Peer
from proxy.service.rate import Rates
from proxy.service.sessions import Sessions
from proxy.service.sign_in import Desk, TooOften

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
SECRET = "correct horse battery"
HERE = Peer("console", "192.0.2.1")


class Place:
    """A desk with one account, and what it recorded."""

    def __init__(self, **more: Any) -> None:
        self.now, self.events = 0.0, list[AuditEvent]()
        self.broken = self.full = False
        passwords = Passwords(CHEAP)
        roles = {"research": frozenset({Role.OFFICER})}
        self.accounts = [Account("alice", roles, passwords.hashed(SECRET))]
        sessions = Sessions(60, 600, lambda: self.now)
        self.desk = Desk(self.read, sessions, passwords, self, **more)

    def read(self) -> list[Account]:
        if self.broken:
            raise CannotJudge("the accounts cannot be read")
        return self.accounts

    async def record(self, *events: AuditEvent) -> None:
        if self.full:
            raise AuditUnavailable("full")
        self.events.extend(events)

    def said(self) -> list[tuple[str, str, str, str]]:
        return [
            (e.type, e.outcome, e.peer.get("caller", ""), e.reason) for e in self.events if e.type != "user-changed"
        ]


async def test_who_signs_in_is_known_until_signing_out() -> None:
    place = Place()
    mine = await place.desk.sign_in("alice", SECRET, HERE)
    guest = await place.desk.guest(mine, HERE)
    assert guest is not None
    assert (guest.caller.name, Verb.AUDIT in guest.caller.verbs("research")) == ("user:alice", True)
    await place.desk.sign_out(mine, HERE)
    assert await place.desk.guest(mine, HERE) is None
    await place.desk.sign_out(mine, HERE)
    assert place.said() == [("login", "success", "user:alice", ""), ("logout", "success", "user:alice", "")]
    assert place.events[0].type == "user-changed"


async def test_a_wrong_name_and_a_wrong_password_are_one_answer_and_two_records() -> None:
    place = Place()
    for name, password in (("alice", "wrong"), ("hunter2", SECRET), ("", "")):
        with pytest.raises(Unknown):
            await place.desk.sign_in(name, password, HERE)
    assert place.said() == [
        ("login", "failure", "user:alice", "wrong-password"),
        ("login", "failure", "", "wrong-name"),
        ("login", "failure", "", "wrong-name"),
    ]
    assert "hunter2" not in str(place.events)
    assert SECRET not in str(place.events)


async def test_attempts_are_limited_by_address_and_by_name() -> None:
    place = Place(by_address=Rates(0.001, 3), by_name=Rates(0.001, 2))
    for _ in range(2):
        with pytest.raises(Unknown):
            await place.desk.sign_in("alice", "wrong", HERE)
    for _ in range(3):
        with pytest.raises(TooOften) as often:
            await place.desk.sign_in("alice", SECRET, HERE)  # the right one, too late
    assert often.value.wait > 1
    with pytest.raises(TooOften):
        await place.desk.sign_in("bob", SECRET, HERE)
    with pytest.raises(TooOften):
        await place.desk.sign_in("alice", SECRET, Peer("console", "192.0.2.2"))
    assert [reason for *_, reason in place.said()] == ["wrong-password"] * 2 + ["too-often"] * 2  # once an address


async def test_a_session_that_ends_by_itself_is_recorded_once() -> None:
    place = Place()
    mine = await place.desk.sign_in("alice", SECRET, HERE)
    place.now = 60
    assert await place.desk.guest(mine, HERE) is None
    assert await place.desk.guest(mine, HERE) is None
    assert place.said()[1:] == [("logout", "success", "user:alice", "idle")]


@pytest.mark.parametrize("becomes", ["removed", "another password"])
async def test_an_account_that_changes_ends_its_sessions(becomes: str) -> None:
    place = Place()
    mine = await place.desk.sign_in("alice", SECRET, HERE)
    old = place.accounts[0]
    place.accounts = [] if becomes == "removed" else [Account("alice", old.roles, Passwords(CHEAP).hashed("x"))]
    assert await place.desk.guest(mine, HERE) is None
    assert place.said()[-1] == ("logout", "success", "user:alice", "account-changed")
    assert [e.type for e in place.events].count("user-changed") == 2


async def test_roles_are_those_of_now() -> None:
    place = Place()
    mine = await place.desk.sign_in("alice", SECRET, HERE)
    place.accounts = [Account("alice", {"other": frozenset({Role.VIEWER})}, place.accounts[0].password)]
    guest = await place.desk.guest(mine, HERE)
    assert guest is not None
    assert not guest.caller.sees("research")


async def test_without_a_record_there_is_no_session() -> None:
    place = Place()
    await place.desk.guest("nobody's", HERE)
    with pytest.raises(Unknown):
        await place.desk.sign_in("alice", "wrong", HERE)
    place.full = True
    with pytest.raises(AuditUnavailable):
        await place.desk.sign_in("alice", SECRET, HERE)
    assert not place.desk._sessions._kept


async def test_accounts_that_cannot_be_read_let_nobody_in() -> None:
    place = Place()
    mine = await place.desk.sign_in("alice", SECRET, HERE)
    place.broken = True
    with pytest.raises(CannotJudge):
        await place.desk.sign_in("alice", SECRET, HERE)
    with pytest.raises(CannotJudge):
        await place.desk.guest(mine, HERE)


async def test_refusals_are_recorded_as_long_as_they_are_few() -> None:
    place = Place()

    async def often() -> None:
        for _ in range(200):
            await place.desk.refuse(HERE, "form-token")

    with pytest.raises(TooOften):
        await often()
    assert place.said()[0] == ("denied", "failure", "", "form-token")
    assert 100 <= len(place.events) < 120
