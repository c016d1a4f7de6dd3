"""The words of a profile about dates, checked to the letter and made into a `DatePolicy` (docs/dates.md).

Refuses what gives itself away: who sees one date kept and another one moved knows the offset. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.date_pairs import BIRTH_DATE, BIRTH_TIME
from proxy.deid.date_policy import DatePolicy
from proxy.deid.tables import tag_number
from proxy.errors import ConfigError

DATE_WORDS = ("keep", "shift", "year", "month", "remove")
TIME_WORDS = ("keep", "hour", "shift", "remove")
AGE_WORDS = ("keep", "cap", "remove")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "dates": DATE_WORDS,
    "birth_date": DATE_WORDS,
    "times": TIME_WORDS,
    "ages": AGE_WORDS,
}
_NUMBERS = {"day_of_month": range(1, 32), "age_cap": range(121)}
_BY_VR = {"DA": DATE_WORDS, "DT": DATE_WORDS, "TM": TIME_WORDS}


def read_dates(words: Any, where: str) -> DatePolicy:
    """A policy of a profile's words; `ConfigError` names the first that is wrong, or that gives another one away."""
    if not isinstance(words, Mapping):
        raise ConfigError(where, "it is not a mapping")
    for key in words:
        if key not in _WORDS and key not in _NUMBERS and key != "attributes":
            raise ConfigError(f"{where}.{key}", "this key is not known")
    for key, allowed in _WORDS.items():
        if words.get(key) not in allowed:
            raise ConfigError(f"{where}.{key}", "it is " + " or ".join(allowed))
    for key, numbers in _NUMBERS.items():
        number = words.get(key, numbers[0])
        if type(number) is not int or number not in numbers:
            raise ConfigError(f"{where}.{key}", f"it is a number from {numbers[0]} to {numbers[-1]}")
    policy = DatePolicy(**{**words, "attributes": _attributes(words.get("attributes", {}), f"{where}.attributes")})
    _secret(policy, where)
    return policy


def _attributes(listed: Any, where: str) -> dict[int, str]:
    if not isinstance(listed, Mapping):
        raise ConfigError(where, "it is a mapping of tags")
    attributes: dict[int, str] = {}
    for text, word in listed.items():
        tag = tag_number(str(text))
        vr = str(DicomDictionary[tag][0]) if tag in DicomDictionary else ""
        if tag is None or vr not in _BY_VR or tag in (BIRTH_DATE, BIRTH_TIME):
            raise ConfigError(where, f"'{text}' is no date or time that PS3.6 knows, or the birth date")
        if word not in _BY_VR[vr]:
            raise ConfigError(f"{where}.{text}", "it is " + " or ".join(_BY_VR[vr]))
        attributes[tag] = word
    return attributes


def _secret(policy: DatePolicy, where: str) -> None:
    """What moves must not stand beside what shows how far."""
    by_vr: dict[str, set[str]] = {"dates": {policy.dates, policy.birth_date}, "times": {policy.times}}
    for tag, word in policy.attributes.items():
        by_vr["times" if DicomDictionary[tag][0] == "TM" else "dates"].add(word)
    if {"keep", "shift"} <= by_vr["dates"]:
        raise ConfigError(where, "a date that is kept gives away how far the others move")
    if "shift" in by_vr["times"] and by_vr["times"] & {"keep", "hour"}:
        raise ConfigError(where, "a time that is kept gives away how far the others move")
    if "shift" in by_vr["times"] and (policy.times != "shift" or policy.dates != "shift"):
        raise ConfigError(where, "times move only together with all dates: dates and times are shift")
