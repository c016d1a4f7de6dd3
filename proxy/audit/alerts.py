"""When records are worth an alert: so many that are meant within so many seconds, or none for so long. Pure.

Time is the records'; who has seen no record for a while says what time it is (`Alerts.tick`).

A rule that has raised an alert is quiet about the same cause for as long as it counts, so a flood is one alert and not
a second flood. Records of alerts themselves are never counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from proxy.audit.selection import Selection, parsed

ALERT = "alert"
_EVER = datetime.min.replace(tzinfo=UTC)
#: causes that a rule counts at the same time; the one that was seen least lately is forgotten
_MOST_CAUSES = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """``count`` records of ``selection`` within ``seconds``. ``by``: counted apart by `peer` or `project`, or not.

    ``quiet``: only what happens from the first to the second time of day, in ``zone``, and on ``days`` (0 is Monday)
    at any time.

    ``absent``: the other way round: not one record of ``selection`` for ``seconds``, at times at which the rule looks.
    """

    name: str
    selection: Selection
    count: int = 1
    seconds: int = 60
    by: str = ""
    quiet: tuple[time, time] | None = None
    days: frozenset[int] = frozenset()
    zone: tzinfo | None = None
    absent: bool = False

    def counts(self, moment: datetime) -> bool:
        """Whether it is a time at which this rule looks."""
        if self.quiet is None and not self.days:
            return True
        local = moment.astimezone(self.zone)
        if local.weekday() in self.days:
            return True
        if self.quiet is None:
            return False
        start, end = self.quiet
        now = local.time()
        return start <= now < end if start <= end else now >= start or now < end


@dataclass(frozen=True, slots=True)
class Alert:
    """``rule`` found ``count`` records from ``first`` to ``last``. ``project``, ``peer``: where it counts by that."""

    rule: str
    count: int
    first: int
    last: int
    project: str = ""
    peer: Mapping[str, str] = field(default_factory=dict)


class Alerts:
    """What rules have counted so far."""

    def __init__(self, rules: Sequence[Rule], start: datetime = _EVER) -> None:
        """``start``: what is absent is so from then on."""
        self._counting = [_Counting(rule) for rule in rules if not rule.absent]
        self._missing = [_Missing(rule, start) for rule in rules if rule.absent]
        #: seconds after which `tick` has something to say; None: never
        self.every = min((max(rule.seconds / 10, 0.1) for rule in rules if rule.absent), default=None)

    def see(self, line: bytes) -> list[Alert]:
        """The alerts that this record of the log completes."""
        found = [alert for each in self._counting if (alert := each.see(line)) is not None]
        record = parsed(line) if self._missing else None
        if record is not None and (moment := _moment(record)) is not None:
            for each in self._missing:
                each.see(line, record["seq"], moment)
            found += self.tick(moment)
        return found

    def tick(self, now: datetime) -> list[Alert]:
        """The alerts about what has not come by ``now``."""
        return [alert for each in self._missing if (alert := each.tick(now)) is not None]


class _Missing:
    """Raises once, and again after what was missed has come."""

    def __init__(self, rule: Rule, start: datetime) -> None:
        self._rule, self._meant = rule, rule.selection.test()
        self._window = timedelta(seconds=rule.seconds)
        self._since, self._last, self._told = start, 0, False

    def see(self, line: bytes, seq: int, moment: datetime) -> None:
        if self._meant(line):
            self._since, self._last, self._told = moment, seq, False

    def tick(self, now: datetime) -> Alert | None:
        # a clock that was put back, and times at which the rule does not look, begin anew
        if now < self._since or not self._rule.counts(now):
            self._since = now
            return None
        if self._told or now - self._since < self._window:
            return None
        self._told = True
        return Alert(self._rule.name, 0, self._last, self._last)


class _Counting:
    def __init__(self, rule: Rule) -> None:
        self._rule, self._meant = rule, rule.selection.test()
        self._window = timedelta(seconds=rule.seconds)
        self._seen: OrderedDict[str, deque[tuple[datetime, int]]] = OrderedDict()
        self._silent: OrderedDict[str, datetime] = OrderedDict()

    def see(self, line: bytes) -> Alert | None:
        record = parsed(line) if self._meant(line) else None
        if record is None or record.get("type") == ALERT:
            return None
        moment = _moment(record)
        if moment is None or not self._rule.counts(moment):
            return None
        key = repr(record.get(self._rule.by))
        until = self._silent.get(key)
        # a clock that was put back does not make a rule silent for longer
        if until is not None and until - self._window <= moment < until:
            return None
        return self._count(record, moment, key)

    def _count(self, record: Mapping[str, Any], moment: datetime, key: str) -> Alert | None:
        seen = self._seen.setdefault(key, deque(maxlen=self._rule.count))
        self._seen.move_to_end(key)
        seen.append((moment, record["seq"]))
        while abs(moment - seen[0][0]) > self._window:
            seen.popleft()
        if len(self._seen) > _MOST_CAUSES:
            self._seen.popitem(last=False)
        if len(seen) < self._rule.count:
            return None
        del self._seen[key]
        self._silent[key] = moment + self._window
        if len(self._silent) > _MOST_CAUSES:
            self._silent.popitem(last=False)
        who = {self._rule.by: record[self._rule.by]} if self._rule.by else {}
        return Alert(self._rule.name, len(seen), seen[0][1], record["seq"], **who)


def _moment(record: Mapping[str, Any]) -> datetime | None:
    """None for what is no record of ours; the verifier tells."""
    try:
        return datetime.fromisoformat(record["ts"])
    except (ValueError, KeyError, TypeError):
        return None
