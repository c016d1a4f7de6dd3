"""Rules count what is meant, by whom, in time; a flood is one alert; alerts do not feed themselves."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from proxy.audit.alerts import Alert, Alerts, Rule
from proxy.audit.chain import Position, seal
from proxy.audit.selection import Selection
from proxy.service.ports import AuditEvent

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday


class Log:
    def __init__(self, *rules: Rule) -> None:
        self.alerts, self.last = Alerts(rules), Position()

    def add(self, kind: str, at: float, start: datetime = NOON, **more: Any) -> list[Alert]:
        line, self.last = seal(AuditEvent(kind, **more), self.last, start + timedelta(seconds=at), "veil")
        return self.alerts.see(line)


def meant(*types: str) -> Selection:
    return Selection(frozenset(types))


def test_so_many_within_so_long() -> None:
    log = Log(Rule("held-spike", meant("held"), count=3, seconds=60))
    found = [log.add("held", at) for at in (0, 50, 100, 105)]
    assert found == [[], [], [], [Alert("held-spike", 3, 2, 4)]]
    assert log.add("released", 106) == []


def test_a_flood_is_one_alert_until_its_time_is_over() -> None:
    log = Log(Rule("burst", meant("retrieved"), count=10, seconds=60))
    raised = [at for at in range(300) if log.add("retrieved", at)]
    assert raised == [9, 78, 147, 216, 285]  # silent for 60 seconds, then ten more


def test_counted_apart_by_peer() -> None:
    log = Log(Rule("logins", meant("denied"), count=2, by="peer"))
    one, other = {"address": "192.0.2.1"}, {"address": "192.0.2.2"}
    assert log.add("denied", 0, peer=one) == log.add("denied", 1, peer=other) == []
    assert log.add("denied", 2, peer=one) == [Alert("logins", 2, 1, 3, peer=one)]
    assert log.add("denied", 3, peer=other) == [Alert("logins", 2, 2, 4, peer=other)]


def test_counted_apart_by_project() -> None:
    log = Log(Rule("held", meant("held"), by="project"))
    assert log.add("held", 0, project="a") == [Alert("held", 1, 1, 1, "a")]
    assert log.add("held", 1, project="b") == [Alert("held", 1, 2, 2, "b")]
    assert log.add("held", 2, project="a") == []


def test_off_hours_by_the_clock_on_the_wall_there() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    rule = Rule("night", meant("retrieved"), 1, 1, "", (time(19), time(7)), frozenset({5, 6}), berlin)
    log = Log(rule)
    expected = {12: False, 17.9: False, 18: True, 29.9: True, 60: True, 77.9: True, 78.1: False}
    for hour, off in expected.items():
        assert bool(log.add("retrieved", hour * 3600, NOON.replace(hour=0))) is off, hour


def test_a_clock_that_is_put_back_silences_nothing() -> None:
    log = Log(Rule("held", meant("held"), count=2, seconds=60))
    assert [bool(log.add("held", at)) for at in (0, 1, -4000, -3999)] == [False, True, False, True]


def test_alerts_do_not_feed_themselves() -> None:
    log = Log(Rule("all", Selection()))
    assert log.add("alert", 0) == []
    assert log.add("held", 1) != []
