from __future__ import annotations

from proxy.service.callers import EVERY, Verb
from proxy.service.people import VERBS, Account, Role, accounts_changed, said, turned_away
from proxy.service.ports import Peer


def account(name: str, password: str = "hash", **roles: list[Role]) -> Account:
    return Account(name, {project: frozenset(held) for project, held in roles.items()}, password)


def test_every_role_has_verbs_and_no_role_has_all() -> None:
    assert set(VERBS) == set(Role)
    assert all(frozenset() < verbs < frozenset(Verb) for verbs in VERBS.values())


def test_nobody_both_changes_the_machinery_and_re_identifies() -> None:
    assert [role for role, verbs in VERBS.items() if Verb.REIDENTIFY in verbs] == [Role.OFFICER]
    assert [role for role, verbs in VERBS.items() if Verb.ADMIN in verbs] == [Role.ADMINISTRATOR]


def test_a_role_counts_in_its_project_alone() -> None:
    caller = account("alice", research=[Role.OFFICER], other=[Role.VIEWER]).caller()
    assert caller.name == "user:alice"
    assert Verb.AUDIT in caller.verbs("research")
    assert Verb.AUDIT not in caller.verbs("other")
    assert not caller.sees("third")
    assert account("bob", **{EVERY: [Role.VIEWER]}).caller().sees("third")


def test_roles_of_one_project_add_up() -> None:
    caller = account("alice", research=[Role.OPERATOR, Role.OFFICER]).caller()
    assert caller.verbs("research") == VERBS[Role.OPERATOR] | VERBS[Role.OFFICER]


def test_what_changed_is_said_without_hashes() -> None:
    before = [account("a", "h1", x=[Role.VIEWER]), account("b", "h2", x=[Role.VIEWER]), account("c", x=[Role.VIEWER])]
    now = [account("a", "h3", x=[Role.VIEWER]), account("b", "h2", x=[Role.OFFICER]), account("d", x=[Role.VIEWER])]
    assert accounts_changed(before, now).object == {
        "kind": "accounts", "added": {"d": ["x:viewer"]}, "changed": {"b": ["x:officer"]}, "password": ["a"],
        "removed": ["c"],
    }  # fmt: skip
    assert "h3" not in str(accounts_changed(before, now))
    assert "h1" not in repr(before)
    assert said(now[1].roles) == ["x:officer"]


def test_who_was_turned_away_is_named_only_where_known() -> None:
    assert turned_away(Peer("console", "192.0.2.1"), "wrong-name").peer == {
        "transport": "console", "address": "192.0.2.1",
    }  # fmt: skip
