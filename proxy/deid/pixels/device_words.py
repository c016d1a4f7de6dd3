"""Reads device rules (rules/pixels/*.yaml, rules/README.md), checked to the letter: an unknown word refuses to load.

What a rule blanks is read by `device_boxes`. An attribute that PS3.6 does not know, and that is not private, is
refused: a rule that can never match protects nobody. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

from proxy.deid.pixels.attributes import Path
from proxy.deid.pixels.device_boxes import keys, read_parts, read_size
from proxy.deid.pixels.regions import DeviceFile, DeviceRule, Parts, Size
from proxy.deid.pixels.signature import OPERATORS, PATTERNS, STATES, Comparison, Either, Every, Not, Signature
from proxy.deid.tables import tag_number
from proxy.errors import ConfigError

#: joins the attributes of a place
BELOW = "::"
_RULE_KEYS = frozenset({"name", "note", "match", "sizes", "any_size", "other_sizes", "covers"})
_OTHER_SIZES = {"refuse": True, "ignore": False}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def read_devices(name: str, document: Mapping[str, Any]) -> DeviceFile:
    """The rules of the file ``name``; `ConfigError` names the first thing that is wrong."""
    where = f"pixel rules {name}"
    keys(where, document, frozenset({"version", "name", "note", "first", "rules"}))
    if document.get("version") != 1 or document.get("name") != name:
        raise ConfigError(where, f"version is 1 and name {name}, as the file is called")
    _note(where, document)
    listed = document.get("rules")
    if not isinstance(listed, list) or not listed:
        raise ConfigError(f"{where}: rules", "it is a list of rules")
    rules = tuple(_rule(f"{where}: rule {number}", each) for number, each in enumerate(listed, 1))
    names = [rule.name for rule in rules]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise ConfigError(f"{where}: rules", f"two rules are called '{twice[0]}'")
    return DeviceFile(name, rules, _flag(f"{where}: first", document.get("first", False)))


def _rule(where: str, document: Any) -> DeviceRule:
    keys(where, document, _RULE_KEYS)
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}.name", "it is small letters, digits and -, at most 64")
    _note(where, document)
    sizes = document.get("sizes", {})
    if not isinstance(sizes, Mapping) or not (sizes or "any_size" in document):
        raise ConfigError(where, "it says what is blanked: sizes (1024x768: ...) or any_size")
    read = {}
    for text, parts in sizes.items():
        size = read_size(f"{where}.sizes", str(text))
        read[size] = read_parts(f"{where}.sizes.{text}", parts, size)
    any_size = read_parts(f"{where}.any_size", document["any_size"], (0, 0)) if "any_size" in document else None
    other = document.get("other_sizes", "refuse")
    if other not in _OTHER_SIZES:
        raise ConfigError(f"{where}.other_sizes", "it is refuse or ignore")
    signature = read_signature(f"{where}.match", document.get("match"))
    covers = _covers(where, document, any_size, read)
    return DeviceRule(name, signature, read, any_size, _OTHER_SIZES[other], covers)


def _covers(where: str, document: Mapping[str, Any], any_size: Parts | None, sizes: Mapping[Size, Parts]) -> bool:
    """A rule answers for all text of its images unless it says otherwise, or cannot."""
    partial = any_size is not None or any(parts.frames is not None or 0 in size for size, parts in sizes.items())
    covers = _flag(f"{where}.covers", document.get("covers", not partial))
    if covers and partial:
        raise ConfigError(f"{where}.covers", "a rule for any size, or for some frames, does not cover all text")
    return covers


def read_signature(where: str, document: Any) -> Signature:
    """A mapping of attributes (all must hold), or of one of the words all, any, not."""
    if not isinstance(document, Mapping) or not document:
        raise ConfigError(where, "it is a mapping of attributes, or of all, any or not")
    parts = [_part(f"{where}.{key}", str(key), value) for key, value in document.items()]
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _part(where: str, key: str, value: Any) -> Signature:
    if key == "not":
        return Not(read_signature(where, value))
    if key in ("all", "any"):
        if not isinstance(value, list):
            raise ConfigError(where, "it is a list of mappings")
        parts = tuple(read_signature(where, each) for each in value)
        return Every(parts) if key == "all" else Either(parts)
    return _comparison(where, _path(where, key), value)


def _comparison(where: str, path: Path, value: Any) -> Comparison:
    if isinstance(value, str) and value in STATES:
        return Comparison(path, value)
    if not isinstance(value, Mapping):
        return Comparison(path, "equals", _texts(where, value))
    known = {*OPERATORS, *PATTERNS}
    operators = [key for key in value if key in known]
    if len(operators) != 1 or set(value) - {operators[0], "case"} or value.get("case", "any") not in ("any", "exact"):
        raise ConfigError(where, "it is a text, or one of " + ", ".join(sorted(known)) + ", and case: any or exact")
    texts = _texts(where, value[operators[0]])
    for text in texts if operators[0] in PATTERNS else ():
        try:
            re.compile(text)
        except (re.error, OverflowError):
            raise ConfigError(where, "it is no regular expression") from None
    return Comparison(path, operators[0], texts, value.get("case") == "exact")


def _path(where: str, text: str) -> Path:
    return tuple(attribute(where, each) for each in text.split(BELOW))


def attribute(where: str, text: str) -> int:
    """The tag of a keyword, or of a tag as ``(gggg,eeee)``; only private ones may be unknown to PS3.6."""
    tag = tag_number(text.upper())
    found = int(tag_for_keyword(text) or 0) if tag is None else tag
    if found >> 16 < 8 or not (found in DicomDictionary or found >> 16 & 1 or 0x60000000 <= found < 0x60200000):
        raise ConfigError(where, f"'{text}' is no attribute of a data set", 'a tag is written "(0008,0070)"')
    return found


def _note(where: str, document: Mapping[str, Any]) -> None:
    if not isinstance(document.get("note", ""), str):
        raise ConfigError(f"{where}.note", "it is a text")


def _texts(where: str, value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in listed):
        raise ConfigError(where, "it is a text or a list of texts", 'words like no and 1.0 are written "no" and "1.0"')
    return tuple(str(each) for each in listed)


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(where, "it is true or false")
    return value
