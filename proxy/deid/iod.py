"""The type (PS3.3: 1, 2 or 3) of an attribute at a place in an instance of some SOP class; resolves composite codes.

The strictest module wins. Modules with usage U or C count only where the instance shows them. Where the standard's data
is silent about a SOP class every attribute is taken as type 1, because a dummy value is valid everywhere. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from proxy.deid.tables import AttributeType, Tables, tag_number
from proxy.errors import ConfigError

Path = tuple[int, ...]
#: conditional types are read as if their condition held: the attribute was there, and a value is never wrong
_TYPES = {"1": 1, "1C": 1, "None": 1, "2": 2, "2C": 2, "3": 3}


@dataclass(frozen=True, slots=True)
class IodTypes:
    """Compiled once. ``types``: tag → path of sequence tags → module → 1, 2, 3."""

    types: Mapping[int, Mapping[Path, Mapping[str, int]]]
    #: SOP class → (module, attributes that show its presence; None for usage M), in the IOD's order
    modules: Mapping[str, tuple[tuple[str, frozenset[int] | None], ...]]

    def type_of(self, sop_class: str, path: Path, tag: int, present: Set[int]) -> int:
        """1, 2 or 3 (also for what the IOD does not name). ``present``: the tags at the instance's top level."""
        modules = self.modules.get(sop_class)
        if modules is None:
            return 1
        listed = self.types.get(tag, {}).get(path)
        if not listed:
            return 3
        counted = (
            listed[module]
            for module, shown_by in modules
            if module in listed and (shown_by is None or path or not present.isdisjoint(shown_by))
        )
        return min(counted, default=3)

    def is_patient_study(self, sop_class: str) -> bool:
        """False for IODs that are no part of a study (hanging protocols, palettes, templates)."""
        modules = self.modules.get(sop_class)
        return modules is None or any(module == "general-study" for module, _ in modules)


def resolve(code: str, kind: int) -> str:
    """One of X, Z, D, U, R for a code of Table E.1-1 and a type (PS3.15 Table E.1-1a).

    ``R`` stands for U on a sequence (X/Z/U*): keep it and walk into it, its UIDs are replaced. A plain ``Z`` on a
    type 1 attribute becomes D: the action allows a dummy value, and an empty one would be invalid.
    """
    if code == "X/Z/U*":
        return "R"
    allowed = code.split("/")
    for wanted in _PREFERENCE[kind]:
        if wanted in allowed or (wanted == "D" and code == "Z") or (wanted == "D" and code == "X/Z"):
            return wanted
    return allowed[0]


#: type → actions from the one that keeps the object valid with the least left behind; U stands alone
_PREFERENCE = {1: ("U", "D"), 2: ("U", "Z", "D"), 3: ("U", "X", "Z", "D")}


def compile_types(tables: Tables, wanted: Iterable[int]) -> IodTypes:
    """Keep the types of the ``wanted`` tags, and what shows an optional module."""
    keep = set(wanted)
    types: dict[int, dict[Path, dict[str, int]]] = {}
    tops: dict[str, set[int]] = {}
    for row in tables.types:
        tag = tag_number(row.tag)
        if tag is None:
            continue
        path = _path(row)
        tops.setdefault(row.module, set()).add(path[0] if path else tag)
        if tag in keep:
            by_module = types.setdefault(tag, {}).setdefault(path, {})
            by_module[row.module] = min(_TYPES[row.type], by_module.get(row.module, 3))
    return IodTypes(types, {sop: _evidence(listed, tops) for sop, listed in tables.iod_modules.items()})


def _path(row: AttributeType) -> Path:
    tags = tuple(tag_for_keyword(keyword) for keyword in row.path)
    if None in tags:
        raise ConfigError("rules/standard/module-attribute-types.csv", f"unknown keyword in the path of {row.tag}")
    return tuple(int(tag) for tag in tags if tag is not None)


def _evidence(
    listed: tuple[tuple[str, str], ...], tops: Mapping[str, set[int]]
) -> tuple[tuple[str, frozenset[int] | None], ...]:
    # what a mandatory module also has proves nothing about an optional one
    mandatory: set[int] = set().union(*(tops.get(module, set()) for module, usage in listed if usage == "M"))
    return tuple(
        (module, None if usage == "M" else frozenset(tops.get(module, set()) - mandatory)) for module, usage in listed
    )
