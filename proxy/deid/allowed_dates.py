"""The gate's own look at dates, times and ages where a profile has words of its own about them (docs/dates.md).

Tells by form and by comparison with the input whether a value is what the word leaves; calculates no offset. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.deid.date_pairs import BIRTH_DATE, BIRTH_TIME
from proxy.deid.date_policy import DatePolicy
from proxy.deid.identifiers import stripped
from proxy.deid.reading import Leaf, Path

BIRTH = frozenset({BIRTH_DATE, BIRTH_TIME})
_TM = re.compile(rb"[0-2][0-9](:?[0-5][0-9](:?[0-6][0-9](\.[0-9]{1,6})?)?)?")
_HOUR = re.compile(rb"[0-2][0-9](00(00(\.0{1,6})?)?)?")
_AGE = re.compile(rb"([0-9]{3})([DWMY])")


class DateCheck:
    """One policy of dates over one input; without a policy nothing is allowed here."""

    def __init__(
        self, policy: DatePolicy | None, at: Callable[[Path, int], bytes], came: Callable[[Leaf], bool]
    ) -> None:
        self._policy, self._at, self._came = policy, at, came

    def allows(self, leaf: Leaf, vr: str) -> bool:
        """Whether each value is one that the policy leaves."""
        policy = self._policy
        if policy is None:
            return False
        values = [part.strip() for part in stripped(leaf.value).split(b"\\")]
        before = self._at(leaf.path, leaf.tag).split(b"\\")
        if vr == "AS":
            return policy.ages != "remove" and all(not v or self._is_age(v, policy) for v in values)
        word = policy.attributes.get(leaf.tag, policy.times if vr == "TM" else policy.dates)
        if leaf.tag == BIRTH_DATE:
            word = policy.birth_date
        return all(
            not value or self._is(word, vr, value, before[index : index + 1] == [value], leaf)
            for index, value in enumerate(values)
        )

    def allows_birth(self, leaf: Leaf) -> bool:
        """Birth date and time, which no option retains."""
        policy = self._policy
        if policy is None or policy.birth_date == "remove":
            return False
        if leaf.tag == BIRTH_TIME:
            return policy.birth_date == "keep" and self.allows(leaf, "TM")
        return self.allows(leaf, "DA")

    def _is(self, word: str, vr: str, value: bytes, same: bool, leaf: Leaf) -> bool:
        policy = self._policy
        if policy is None or word == "remove":
            return False
        if vr == "TM":
            return bool((_HOUR if word == "hour" else _TM).fullmatch(value))
        if word == "keep":
            capped = leaf.tag == BIRTH_DATE and policy.ages == "cap"
            return capped or self._came(leaf) or (vr == "DT" and policy.times != "keep")
        digits = value.replace(b".", b"") if vr == "DA" else value
        if word == "year":
            return digits[4:] in (b"", b"0101")
        if word == "month":
            return len(digits) <= 8 and digits[6:] in (b"", *_days(policy.day_of_month))
        return not same

    def _is_age(self, value: bytes, policy: DatePolicy) -> bool:
        match = _AGE.fullmatch(value)
        if match is None:
            return False
        return match[2] != b"Y" or policy.ages != "cap" or int(match[1]) <= policy.age_cap + 1


def _days(day: int) -> set[bytes]:
    """The day, and the last days of months that are shorter."""
    return {b"%02d" % day} | {b"%02d" % last for last in (28, 29, 30) if last < day}
