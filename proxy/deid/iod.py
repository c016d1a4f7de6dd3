"""The type (PS3.3: 1, 2 or 3) of an attribute at a place in an instance of some SOP class; resolves composite codes.

The strictest module wins. Modules with usage U or C count only where the instance shows them. Where nothing is known of
a SOP class a composite code becomes a dummy value, because that is valid everywhere. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from proxy.deid.tables import AttributeType, Tables, tag_number
from proxy.errors import ConfigError

Path = tuple[int, ...]
#: conditional types are read as if their condition held: the attribute was there, and a value is never wrong
_TYPES = {"1": 1, "1C": 1, "None": 1, "2": 2, "2C": 2, "3": 3}
#: X of Table E.1-1 for an attribute that some module requires without any condition: X where nothing requires it
X_UNLESS_REQUIRED = "X/required"
_UNCONDITIONAL = frozenset({"1", "2"})
#: VRs whose dummies and empty values are valid; sequences and bulk values with X go, and so does what requires them
_REPLACEABLE = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UT"})
#: PS3.3 C.7.1.1: Responsible Person and Organization are of type 2C, "if the patient is an animal": it has one of these
_OWNER = frozenset({0x00102297, 0x00102299})
_ANIMAL = frozenset({0x00102201, 0x00102202, 0x00102292, 0x00102293, 0x00102294})


@dataclass(frozen=True, slots=True)
class IodTypes:
    """Compiled once. ``types``: tag → path of sequence tags → module → 1, 2, 3.

    ``required``: tags with X that some module requires; of these ``types`` holds what is unconditional.
    """

    types: Mapping[int, Mapping[Path, Mapping[str, int]]]
    #: SOP class → (module, attributes that show its presence; None for usage M), in the IOD's order
    modules: Mapping[str, tuple[tuple[str, frozenset[int] | None], ...]]
    required: Set[int] = frozenset()

    def type_of(self, sop_class: str, path: Path, tag: int, present: Set[int]) -> int:
        """1, 2, or 3 (also for what the IOD does not name); 0 when nothing is known of this SOP class.

        ``present``: the tags at the instance's top level.
        """
        modules = self.modules.get(sop_class)
        if modules is None:
            return 0
        if tag in _OWNER:
            return 3 if path or present.isdisjoint(_ANIMAL) else 2
        listed = self.types.get(tag, {}).get(path)
        if not listed:
            return 3
        counted = (
            listed[module]
            for module, shown_by in modules
            if module in listed and (shown_by is None or path or not present.isdisjoint(shown_by))
        )
        return min(counted, default=3)

    def possible_types(self, sop_class: str, tag: int) -> Set[int]:
        """What `type_of` says at the top level, over all that an instance may have there."""
        modules = self.modules.get(sop_class)
        if modules is None:
            return {0}
        if tag in _OWNER:
            return {2, 3}
        listed = self.types.get(tag, {}).get((), {})
        certain = min(
            (listed[module] for module, shown_by in modules if module in listed and shown_by is None), default=3
        )
        return {certain, *(min(certain, listed[module]) for module, _ in modules if module in listed)}

    def is_patient_study(self, sop_class: str) -> bool:
        """False for IODs that are no part of a study (hanging protocols, palettes, templates)."""
        modules = self.modules.get(sop_class)
        return modules is None or _is_studied(modules)


def resolve(code: str, kind: int) -> str:
    """One of X, Z, D, U, R for a code of Table E.1-1 and a type, 0 where it is not known (PS3.15 Table E.1-1a).

    ``R`` stands for U on a sequence (X/Z/U*): keep it and walk into it, its UIDs are replaced. Z allows a dummy value
    too, and becomes D where an empty one would, or in a composite code might, be invalid. A plain X gives way to Z or D
    only where this IOD requires the attribute, for the object has to stay valid (E.1.1).
    """
    if code == X_UNLESS_REQUIRED:
        return _X_UNLESS_REQUIRED[kind]
    if code == "X/Z/U*":
        return "R"
    allowed = set(code.split("/"))
    if "Z" in allowed and (kind == 1 or (kind == 0 and code != "Z")):
        allowed.add("D")
    return next(action for action in _PREFERENCE[kind] if action in allowed)


_X_UNLESS_REQUIRED = {0: "X", 1: "D", 2: "Z", 3: "X"}
#: type → actions from the one that keeps the object valid with the least left behind; U stands alone
_PREFERENCE = {
    0: ("U", "D", "Z", "X"),
    1: ("U", "D", "X"),
    2: ("U", "Z", "D", "X"),
    3: ("U", "X", "Z", "D"),
}


def compile_types(tables: Tables, codes: Mapping[int, str], vrs: Mapping[int, str]) -> IodTypes:
    """The types of the tags whose code depends on them, and what shows an optional module.

    ``codes`` and ``vrs``: the rows of Table E.1-1 by tag.
    """
    types: dict[int, dict[Path, dict[str, int]]] = {}
    tops: dict[str, set[int]] = {}
    required = set(_OWNER)
    studied = {module for listed in tables.iod_modules.values() if _is_studied(listed) for module, _ in listed}
    for row in tables.types:
        tag = tag_number(row.tag)
        if tag is None or row.module not in studied:
            continue
        path, code = _path(row), codes.get(tag, "")
        tops.setdefault(row.module, set()).add(path[0] if path else tag)
        removed = code == "X" and row.type in _UNCONDITIONAL and vrs[tag] in _REPLACEABLE
        if removed:
            required.add(tag)
        if removed or "/" in code or code == "Z":
            by_module = types.setdefault(tag, {}).setdefault(path, {})
            by_module[row.module] = min(_TYPES[row.type], by_module.get(row.module, 3))
    modules = {sop: _evidence(listed, tops) for sop, listed in tables.iod_modules.items()}
    return IodTypes(types, modules, frozenset(required))


def _is_studied(modules: tuple[tuple[str, object], ...]) -> bool:
    return any(module == "general-study" for module, _ in modules)


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
