"""The use case *which rules are in force*: a project's profile with all that it extends, readable by people.

The names that texts are cleaned of are counted and not told: they are people's. Keys and certificates are not part of
a profile and stand nowhere here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from proxy.deid.profile import Policy, PolicySpec

#: longest line of YAML
_WIDTH = 110
_NAMES = "names"


@dataclass(frozen=True, slots=True)
class Line:
    """A rule of the profile, in the order in which they are asked."""

    number: int
    do: str
    match: str
    when: str
    note: str


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device rule: to which images it applies, and at which matrix sizes it knows what to blank."""

    file: str
    name: str
    match: str
    sizes: str
    note: str


@dataclass(frozen=True, slots=True)
class Effective:
    """The rules of one project. ``text``: the whole profile as YAML; ``names``: how many it is not told of."""

    project: str
    profile: str
    options: Sequence[str]
    edition: str
    digest: str
    key_epoch: int
    rules: Sequence[Line]
    devices: Sequence[DeviceLine]
    names: int
    text: str


class EffectiveRules:
    """Of every project, as they are at the moment somebody asks."""

    def __init__(
        self, specs: Callable[[], Mapping[str, PolicySpec]], policies: Callable[[], Mapping[str, Policy]]
    ) -> None:
        self._specs, self._policies = specs, policies

    def projects(self) -> list[str]:
        """In the order of veil.yaml."""
        return list(self._specs())

    def of(self, project: str) -> Effective:
        """KeyError for an unknown project."""
        return effective(self._specs()[project], self._policies()[project])


def effective(spec: PolicySpec, policy: Policy) -> Effective:
    """What ``spec`` says and ``policy`` does, for people."""
    document = plain(spec.profile)
    names = document.get(_NAMES, [])
    if names:
        document[_NAMES] = f"({len(names)} names, not shown)"
    return Effective(
        policy.project,
        policy.profile,
        policy.options,
        policy.edition,
        policy.digest,
        policy.key_epoch,
        [_line(number, rule) for number, rule in enumerate(document.get("rules", ()), 1)],
        [_device(file, rule) for file, each in spec.pixel_rules.items() for rule in plain(each).get("rules", ())],
        len(names),
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=_WIDTH),
    )


def plain(value: Any) -> Any:
    """``value`` of a rules file as what YAML can write again."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def _line(number: int, rule: Mapping[str, Any]) -> Line:
    do = str(rule.get("do", ""))
    more = ", ".join(f"{word} {rule[word]}" for word in ("with", "to") if word in rule)
    note = str(rule.get("note", ""))
    return Line(number, f"{do} ({more})" if more else do, said(rule.get("match")), said(rule.get("when")), note)


def _device(file: str, rule: Mapping[str, Any]) -> DeviceLine:
    sizes = ", ".join(map(str, rule.get("sizes", ())))
    if "any_size" in rule:
        sizes = f"{sizes}, any" if sizes else "any"
    return DeviceLine(file, str(rule.get("name", "")), said(rule.get("match")), sizes, str(rule.get("note", "")))


def said(value: Any) -> str:
    """A condition on one line: ``keyword: KVP, StudyDate; modality: MG``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_within(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_within(each) for each in value)
    return "" if value is None else str(value)


def _within(value: Any) -> str:
    return f"({said(value)})" if isinstance(value, Mapping) else said(value)
