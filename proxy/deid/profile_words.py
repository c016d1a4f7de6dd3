"""The words of a profile (rules/profiles/*.yaml), checked to the letter; rules/README.md describes them.

Nothing is assumed: a profile that leaves a VR out, or says a word that would let a name or a UID through, is refused.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.deid.date_policy import DatePolicy
from proxy.deid.date_words import read_dates
from proxy.deid.pixels.pixel_words import PixelPolicy, read_pixels
from proxy.deid.private import SafePrivate, project_rows
from proxy.deid.rule_words import read_rules
from proxy.deid.rules import Rule
from proxy.deid.tables import tag_number
from proxy.errors import ConfigError

#: columns of Table E.1-1 and the options of CID 7050 that work on pixels
_OPTIONS = frozenset(
    {"rtn_safe_priv", "rtn_uids", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "rtn_long_full", "rtn_long_modif"}
    | {"clean_desc", "clean_struct", "clean_graph", "clean_pixel", "clean_visual_features"}
)
#: faces are removed from whole series only (`veil deface`), which claims it itself: no single instance can
_NOT_IN_FLIGHT = "clean_visual_features"
#: PS3.15 E.3.6: one or the other
_EXCLUSIVE = frozenset({"rtn_long_full", "rtn_long_modif"})
_VALUES = frozenset({"keep", "remove"})
_TEXTS = frozenset({"keep", "remove", "clean"})
_SINGLE = frozenset({"dummy", "keep", "remove", "clean"})
_DATES = frozenset({"remove", "shift"})
#: VR → what a profile may do with an attribute that no row names (PS3.5 6.2, all but SQ)
_BY_VR: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("AE", "AS", "AT", "CS", "DS", "FD", "FL", "IS", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV"), _VALUES
    ),
    **dict.fromkeys(("UL", "UR", "US", "UV"), _VALUES),
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), _TEXTS),
    **dict.fromkeys(("DA", "DT", "TM"), _DATES),
    "PN": frozenset({"remove"}),
    "UN": frozenset({"remove"}),
    "UI": frozenset({"remap", "remove"}),
}


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What happens to attributes that no row of Table E.1-1 names. Private and unknown ones are removed."""

    by_vr: Mapping[str, str]
    attributes: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that has been read."""

    name: str
    options: tuple[str, ...]
    unlisted: Unlisted
    #: names that texts of this project are cleaned of
    names: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    dates: DatePolicy | None = None
    #: safe private elements that Table E.3.10-1 does not have
    private: SafePrivate = field(default_factory=lambda: SafePrivate({}))
    #: what happens to encapsulated documents: hold or dummy
    documents: str = "hold"
    pixels: PixelPolicy = field(default_factory=PixelPolicy)


def read_profile(document: Mapping[str, Any], pixel_rules: Mapping[str, Mapping[str, Any]] | None = None) -> Profile:
    """Check every key and word of ``document``; `ConfigError` names the first that is wrong.

    ``pixel_rules``: the device rules that it names, by name.
    """
    name = document.get("name")
    where = f"profile {name}" if isinstance(name, str) else "profile"
    _keys(
        where,
        document,
        {"version", "name", "table", "options", "unlisted"},
        {"names", "private", "rules", "dates", "documents", "pixels", "note"},
    )
    if document["version"] != 1 or not isinstance(name, str) or document["table"] != "ps3.15-e1-1":
        raise ConfigError(where, "version is 1, name a word and table ps3.15-e1-1")
    return Profile(
        name,
        _options(where, document["options"]),
        _unlisted(f"{where}: unlisted", document["unlisted"]),
        _names(f"{where}: names", document.get("names", [])),
        _rules(f"{where}: rules", name, document),
        _dates(f"{where}: dates", document),
        _private(where, document),
        _documents(f"{where}: documents", document.get("documents", "hold")),
        _pixels(f"{where}: pixels", document, pixel_rules or {}),
    )


def _pixels(where: str, document: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]) -> PixelPolicy:
    pixels = read_pixels(where, document.get("pixels", {}), rules)
    if "clean_pixel" in document["options"] and {pixels.text["high"], pixels.text["medium"]} != {"full"}:
        raise ConfigError(f"{where}.text", "the option clean_pixel needs pixels of high and medium risk read in full")
    return pixels


def _rules(where: str, name: str, document: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules = read_rules(where, name, document.get("rules", []))
    for rule in rules:
        if rule.creators and rule.do not in ("remove", "refuse") and "rtn_safe_priv" not in document["options"]:
            why = "private elements stay with the option rtn_safe_priv only"
            raise ConfigError(f"{where}: rule {rule.number}", why)
    return rules


def _documents(where: str, word: Any) -> str:
    if word not in ("hold", "dummy"):
        raise ConfigError(where, "it is hold or dummy")
    return str(word)


def _dates(where: str, document: Mapping[str, Any]) -> DatePolicy | None:
    if "dates" not in document:
        return None
    dates = read_dates(document["dates"], where)
    option = {"UNMODIFIED": {"rtn_long_full"}, "MODIFIED": {"rtn_long_modif"}, "REMOVED": set()}[dates.longitudinal]
    if _EXCLUSIVE.intersection(document["options"]) != option:
        needed = min(option, default="neither longitudinal option")
        raise ConfigError(where, f"longitudinal information is then {dates.longitudinal}: options must say {needed}")
    return dates


def _private(where: str, document: Mapping[str, Any]) -> SafePrivate:
    if "private" in document and "rtn_safe_priv" not in document["options"]:
        raise ConfigError(f"{where}: private", "a list of safe private elements needs the option rtn_safe_priv")
    return project_rows(document.get("private", []), f"{where}: private")


def _names(where: str, listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(name, str) and name.strip() for name in listed):
        raise ConfigError(where, "it is a list of names")
    return tuple(sorted(set(listed)))


def _options(where: str, listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or len(set(map(str, listed))) != len(listed):
        raise ConfigError(f"{where}: options", "it is a list of different words")
    for option in listed:
        if option not in _OPTIONS:
            raise ConfigError(f"{where}: options", f"'{option}' is not an option of PS3.15 Annex E")
        if option == _NOT_IN_FLIGHT:
            raise ConfigError(
                f"{where}: options",
                f"'{option}' is not done in flight: a face is in a series, not in an instance",
                "pixels.faces holds such instances; veil deface cleans a series and states it",
            )
    if set(listed) >= _EXCLUSIVE:
        raise ConfigError(f"{where}: options", "full dates and modified dates exclude each other (PS3.15 E.3.6)")
    return tuple(sorted(listed))


def _unlisted(where: str, document: Any) -> Unlisted:
    _keys(where, document, {"private", "unknown", "by_vr", "attributes"})
    for key in ("private", "unknown"):
        if document[key] != "remove":
            raise ConfigError(f"{where}.{key}", "only 'remove' is implemented")
    by_vr = document["by_vr"]
    _keys(f"{where}.by_vr", by_vr, set(_BY_VR))
    for vr, word in by_vr.items():
        if word not in _BY_VR[vr]:
            raise ConfigError(f"{where}.by_vr.{vr}", "it is " + " or ".join(sorted(_BY_VR[vr])))
    attributes: dict[int, str] = {}
    if not isinstance(document["attributes"], Mapping):
        raise ConfigError(f"{where}.attributes", "it is a mapping of tags")
    for text, word in document["attributes"].items():
        tag = tag_number(str(text))
        if tag is None or word not in _SINGLE:
            raise ConfigError(f"{where}.attributes", f"'{text}' is no tag, or its word not known")
        attributes[tag] = word
    return Unlisted(dict(by_vr), attributes)


def _keys(where: str, document: Any, wanted: set[str], allowed: set[str] | None = None) -> None:
    if not isinstance(document, Mapping):
        raise ConfigError(where, "it is not a mapping")
    for key in document:
        if key not in wanted | (allowed or set()):
            raise ConfigError(f"{where}.{key}", "this key is not known")
    if missing := sorted(wanted - set(document)):
        raise ConfigError(where, f"'{missing[0]}' is missing")
