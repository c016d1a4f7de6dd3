"""The type (PS3.3: 1, 2 or 3) of an attribute at a place in an instance of some SOP class; resolves composite codes.

The strictest module wins. Modules with usage U or C count only where the instance shows them. Where nothing is known of
a SOP class a composite code becomes a dummy value, because that is valid everywhere. Pure.
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
        """1, 2, or 3 (also for what the IOD does not name); 0 when nothing is known of this SOP class.

        ``present``: the tags at the instance's top level.
        """
        modules = self.modules.get(sop_class)
        if modules is None:
            return 0
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
    """One of X, Z, D, U, R for a code of Table E.1-1 and a type, 0 where it is not known (PS3.15 Table E.1-1a).

    ``R`` stands for U on a sequence (X/Z/U*): keep it and walk into it, its UIDs are replaced. Z allows a dummy value
    too, and becomes D where an empty one would, or in a composite code might, be invalid.
    """
    if code == "X/Z/U*":
        return "R"
    allowed = set(code.split("/"))
    if "Z" in allowed and (kind == 1 or (kind == 0 and code != "Z")):
        allowed.add("D")
    return next(action for action in _PREFERENCE[kind] if action in allowed)


#: type → actions from the one that keeps the object valid with the least left behind; U stands alone
_PREFERENCE = {
    0: ("U", "D", "Z", "X"),
    1: ("U", "D", "X"),
    2: ("U", "Z", "D", "X"),
    3: ("U", "X", "Z", "D"),
}


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
