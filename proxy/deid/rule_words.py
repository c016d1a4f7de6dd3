"""Reads the rules of a profile (rules/README.md), checked to the letter: an unknown word refuses to load. Pure.

What would let an identifier through by its very form is refused here; what a value holds is for the gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

from proxy.deid.part10 import VRS
from proxy.deid.rules import FIXED, Condition, Rule
from proxy.deid.tables import tag_number, tag_text
from proxy.deid.values import fits
from proxy.errors import ConfigError

ACTIONS = ("keep", "remove", "empty", "replace", "clean", "hash", "shift", "truncate", "refuse")
_MATCHERS = ("tag", "keyword", "mask", "vr", "creator", "sop_class", "modality")
_KEYS = frozenset({"match", "when", "do", "with", "to", "note"})
_MASK = re.compile(r"\(([0-9A-Fx]{4}),([0-9A-Fx]{4})\)")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def read_rules(where: str, profile: str, listed: Any) -> tuple[Rule, ...]:
    """Every rule, in the order in which they are asked; `ConfigError` names the first that is wrong."""
    if not isinstance(listed, list):
        raise ConfigError(where, "it is a list of rules")
    return tuple(_rule(f"{where}: rule {number}", number, profile, each) for number, each in enumerate(listed, 1))


def _rule(where: str, number: int, profile: str, document: Any) -> Rule:
    _mapping(where, document, _KEYS)
    do, match = document.get("do"), document.get("match", {})
    if do not in ACTIONS:
        raise ConfigError(f"{where}.do", "it is " + ", ".join(ACTIONS))
    _mapping(f"{where}.match", match, frozenset(_MATCHERS))
    texts = {key: frozenset(_texts(f"{where}.match.{key}", match[key])) for key in match}
    rule = Rule(
        number,
        profile,
        do,
        _argument(where, do, document),
        frozenset(_tags(f"{where}.match", texts)),
        tuple(sorted(_bits(f"{where}.match.mask", text) for text in texts.get("mask", ()))),
        texts.get("vr", frozenset()),
        texts.get("creator", frozenset()),
        texts.get("sop_class", frozenset()),
        texts.get("modality", frozenset()),
        tuple(_conditions(f"{where}.when", document.get("when", {}))),
    )
    _check(where, rule)
    return rule


def _check(where: str, rule: Rule) -> None:
    if rule.of_instances and rule.do != "refuse":
        raise ConfigError(f"{where}.match", "only 'refuse' can be about whole instances", "name tag, mask or vr")
    if rule.of_instances and not (rule.sop_classes or rule.modalities or rule.when):
        raise ConfigError(where, "it would refuse everything")
    if wrong := rule.vrs - set(VRS.values()):
        raise ConfigError(f"{where}.match.vr", f"'{min(wrong)}' is no VR")
    if not all(_UID.fullmatch(uid) for uid in rule.sop_classes):
        raise ConfigError(f"{where}.match.sop_class", "it is a UID")
    if rule.creators and rule.tags:
        raise ConfigError(f"{where}.match", "private elements are named by mask", 'such as "(0019,xx0C)"')
    for tag in rule.tags:
        vr = _vr(tag)
        if tag in FIXED:
            raise ConfigError(f"{where}.match", f"{tag_text(tag)} has its own rule in every profile")
        if rule.do == "keep" and vr in ("UI", "PN"):
            raise ConfigError(where, f"{tag_text(tag)} cannot be kept by a rule", "rtn_uids keeps UIDs")
        if rule.do in ("shift", "truncate") and vr not in ("DA", "DT"):
            raise ConfigError(where, f"{tag_text(tag)} is no date")
        if rule.do == "replace" and not fits(vr, rule.argument):
            raise ConfigError(f"{where}.with", f"it is no value of {tag_text(tag)}, whose VR is {vr}")
    if rule.do == "keep" and rule.vrs & {"UI", "PN", "UN"}:
        raise ConfigError(where, "UIDs, names and unknown values cannot be kept by a rule")


def _argument(where: str, do: str, document: Mapping[str, Any]) -> str:
    for key, action in (("with", "replace"), ("to", "truncate")):
        if (key in document) != (do == action):
            raise ConfigError(f"{where}.{key}", f"it belongs to '{action}', which needs it")
    if do == "replace":
        text = str(document["with"])
        if not text or not text.isascii() or not text.isprintable() or "\\" in text or text != text.strip():
            raise ConfigError(f"{where}.with", "it is one value of printable ASCII characters")
        return text
    if do != "truncate":
        return ""
    to = document["to"]
    if to == "year":
        return "0"
    if type(to) is not int or not 1 <= to <= 31:
        raise ConfigError(f"{where}.to", "it is a day of the month, or 'year'")
    return str(to)


def _tags(where: str, texts: Mapping[str, frozenset[str]]) -> Iterator[int]:
    for text in sorted(texts.get("tag", ())):
        yield _tag(where, text)
    for text in sorted(texts.get("keyword", ())):
        tag = tag_for_keyword(text)
        if tag is None:
            raise ConfigError(where, f"'{text}' is no keyword of PS3.6")
        yield int(tag)


def _tag(where: str, text: str) -> int:
    tag = tag_number(text)
    tag = tag_for_keyword(text) if tag is None else tag
    if tag is None or tag not in DicomDictionary or tag >> 16 < 8:
        raise ConfigError(where, f"'{text}' is no attribute of PS3.6", 'a tag is written "(0008,0020)"')
    return int(tag)


def _bits(where: str, text: str) -> tuple[int, int]:
    match = _MASK.fullmatch(text)
    if match is None or "x" not in text:
        raise ConfigError(where, f"'{text}' is no mask", 'it is written "(0018,xxxx)"')
    digits = match[1] + match[2]
    return (
        int("".join("0" if digit == "x" else "F" for digit in digits), 16),
        int(digits.replace("x", "0"), 16),
    )


def _conditions(where: str, document: Any) -> Iterator[Condition]:
    if not isinstance(document, Mapping):
        raise ConfigError(where, "it is a mapping of attributes")
    for text, wanted in document.items():
        tag = _tag(where, str(text))
        if _vr(tag) == "SQ":
            raise ConfigError(f"{where}.{text}", "a condition is on an attribute with a value")
        if wanted in ("present", "absent"):
            yield Condition(tag, wanted)
            continue
        if not isinstance(wanted, Mapping) or len(wanted) != 1 or not set(wanted) <= {"value", "regex"}:
            raise ConfigError(f"{where}.{text}", "it is present, absent, {value: ...} or {regex: ...}")
        ((kind, value),) = wanted.items()
        texts = tuple(sorted(_texts(f"{where}.{text}", value)))
        for each in texts if kind == "regex" else ():
            try:
                re.compile(each)
            except re.error:
                raise ConfigError(f"{where}.{text}", "it is no regular expression") from None
        yield Condition(tag, kind, texts)


def _texts(where: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each.strip() for each in values):
        raise ConfigError(where, "it is a text or a list of texts")
    return values


def _mapping(where: str, document: Any, known: frozenset[str]) -> None:
    if not isinstance(document, Mapping):
        raise ConfigError(where, "it is not a mapping")
    for key in document:
        if key not in known:
            raise ConfigError(f"{where}.{key}", "this key is not known")


def _vr(tag: int) -> str:
    return str(DicomDictionary[tag][0])
