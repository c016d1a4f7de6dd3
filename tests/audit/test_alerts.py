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


SILENT = Rule("silent", meant("received"), seconds=600, absent=True)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_what_does_not_come_is_told_once_and_again_after_it_came() -> None:
    alerts = Alerts([SILENT], NOON)
    found = [alerts.tick(at(minutes)) for minutes in (5, 9.9, 10, 11, 60)]
    assert found == [[], [], [Alert("silent", 0, 0, 0)], [], []]
    line, last = seal(AuditEvent("received"), Position(6), at(61), "veil")
    assert alerts.see(line) == []
    assert [alerts.tick(at(minutes)) for minutes in (70, 71)] == [[], [Alert("silent", 0, 7, 7)]]
    other, _ = seal(AuditEvent("delivered"), last, at(90), "veil")
    assert alerts.see(other) == []


def test_other_records_tell_the_time_too() -> None:
    log = Log(SILENT)
    log.alerts = Alerts([SILENT], NOON)
    assert log.add("delivered", 599) == []
    assert log.add("delivered", 600) == [Alert("silent", 0, 0, 0)]


def test_what_is_not_expected_is_not_missed() -> None:
    day = Rule("silent", meant("received"), seconds=7200, absent=True, quiet=(time(8), time(18)), zone=ZoneInfo("UTC"))
    alerts = Alerts([day], NOON)
    hours = [at(60 * hour) for hour in range(24)]  # from noon: the day ends six hours later
    assert [n for n, moment in enumerate(hours) if alerts.tick(moment)] == [2]
    line, _ = seal(AuditEvent("received"), Position(), at(60 * 5), "veil")
    alerts = Alerts([day], NOON)
    assert [n for n, moment in enumerate(hours[:2]) if alerts.tick(moment)] == []
    assert alerts.see(line) == []
    assert [n for n, moment in enumerate(hours) if n > 5 and alerts.tick(moment)] == [21]  # 7:00 + 2 h, looks from 8:00


def test_a_clock_that_was_put_back_begins_anew() -> None:
    alerts = Alerts([SILENT], NOON)
    assert [alerts.tick(at(minutes)) for minutes in (-60, -51, -50)] == [[], [], [Alert("silent", 0, 0, 0)]]
