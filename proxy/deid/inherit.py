"""One profile on top of another (``extends``): what the child says comes first, what it leaves out is the parent's.

Only joins two documents; what their words mean is checked on the result (`profile_words`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.errors import ConfigError

#: lists that grow: the child's entries stand before the parent's, so the child's rules are asked first
_LISTS = ("rules", "names", "private")
#: the words about pixels: entry by entry, but device rules are added to the parent's
_PIXELS, _DEVICES = "pixels", "devices"
#: mappings whose entries the child adds or changes one by one
_UNLISTED = ("by_vr", "attributes")


def inherited(parent: Mapping[str, Any], child: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The child as a whole profile, without ``extends``."""
    joined = {**parent, **{key: value for key, value in child.items() if key != "extends"}}
    for key in _LISTS:
        if key in parent and key in child:
            joined[key] = [*_list(where, key, child[key]), *parent[key]]
    if "unlisted" in child:
        joined["unlisted"] = _unlisted(
            parent.get("unlisted", {}), _mapping(where, "unlisted", child["unlisted"]), where
        )
    if _PIXELS in parent and _PIXELS in child:
        joined[_PIXELS] = _pixels(parent[_PIXELS], _mapping(where, _PIXELS, child[_PIXELS]), where)
    return joined


def _pixels(parent: Mapping[str, Any], child: Mapping[str, Any], where: str) -> dict[str, Any]:
    joined = {**parent, **child}
    if _DEVICES in parent and _DEVICES in child:
        joined[_DEVICES] = [*_list(where, f"{_PIXELS}.{_DEVICES}", child[_DEVICES]), *parent[_DEVICES]]
    return joined


def _unlisted(parent: Mapping[str, Any], child: Mapping[str, Any], where: str) -> dict[str, Any]:
    joined = {**parent, **child}
    for key in _UNLISTED:
        if key in child:
            joined[key] = {**parent.get(key, {}), **_mapping(where, f"unlisted.{key}", child[key])}
    return joined


def _list(where: str, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {key}", "it is a list")
    return value


def _mapping(where: str, key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {key}", "it is a mapping")
    return value
