"""How an instance names the device that made it, for counts by device: manufacturer, model, modality, SOP class.

Only what the policy lets leave: of what is released as it leaves, of what is held only where no word of it is one of
the people and places that the instance names. Never a station name, a serial number or a site. Bounded and printable:
the strings come from outside. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache

from proxy.deid.access import plain_of
from proxy.deid.decisions import decider_of
from proxy.deid.decode import read_instance
from proxy.deid.device import LONGEST, Device
from proxy.deid.encode import Element, Part
from proxy.deid.identity import identity_of
from proxy.deid.level import Level
from proxy.deid.profile import Policy
from proxy.deid.text import Identity
from proxy.deid.values import strict_text

SOP_CLASS_UID, MODALITY, MANUFACTURER, MODEL = 0x00080016, 0x00080060, 0x00080070, 0x00081090
_MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}")
_SHORT = 3
_WORD = re.compile(r"[^\W_]{3,}")


def released_device(root: Level, elements: Mapping[int, Part], policy: Policy) -> tuple[str, str]:
    """Manufacturer and model of the instance ``root`` that leaves as ``elements``."""
    manufacturer, model = (_left(root, elements.get(tag), tag, policy) for tag in (MANUFACTURER, MODEL))
    return manufacturer, model


def held_device(data: memoryview, policy: Policy) -> Device:
    """Of the Part 10 instance in ``data``, which was held; raises `InstanceHeld` where it cannot be read."""
    with strict_text():
        root = read_instance(data, policy).root
        kept = _kept(policy)
        values = [_value(root, tag) if tag in kept else b"" for tag in (MANUFACTURER, MODEL)]
        sop_class = plain_of(root, SOP_CLASS_UID) or ""
        known = _words(identity_of(root, policy.vrs), policy.vocabulary.terms) if any(values) else frozenset()
    manufacturer, model = ("" if _mentions(value, known) else _plain(value) for value in values)
    return Device(manufacturer, model, modality_of(root), sop_class if sop_class in policy.sop_classes else "")


def modality_of(root: Level) -> str:
    """(0008,0060), where it is a code string."""
    modality = plain_of(root, MODALITY) or ""
    return modality if _MODALITY.fullmatch(modality) else ""


def _left(root: Level, part: Part | None, tag: int, policy: Policy) -> str:
    if isinstance(part, Element):
        return _plain(part.value) if isinstance(part.value, bytes) else ""
    return _plain(_value(root, tag)) if tag in _kept(policy) else ""


@lru_cache(maxsize=64)
def _kept(policy: Policy) -> frozenset[int]:
    """Those of the two that leave as they came."""
    decider = decider_of(policy)
    return frozenset(
        tag
        for tag in (MANUFACTURER, MODEL)
        if decider.listed(tag) is None
        and decider.unlisted(tag, "LO", little=True)[0].action == "keep"
        and not any(rule.reaches(tag, "LO") for rule in policy.rules)
    )


def _value(root: Level, tag: int) -> bytes:
    vr, value = root.value(tag) if tag in root else ("", b"")
    return value if isinstance(value, bytes) and vr in ("LO", "") else b""


def _plain(value: bytes) -> str:
    """One line of ASCII; what is none stands as a question mark."""
    text = value[:LONGEST].partition(b"\\")[0].decode("ascii", "replace").strip(" \0")
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


def _words(identity: Identity, terms: Set[str]) -> frozenset[str]:
    """What the instance says of people and places, but for words that any clinic or maker may have in its name."""
    spelled = _split((*identity.names, *identity.places)) - terms
    return frozenset(spelled | _split((*identity.numbers, *identity.dates)))


def _split(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word.casefold() for text in texts for word in _WORD.findall(text))


def _mentions(value: bytes, words: Set[str]) -> bool:
    """Whether one of ``words`` stands in ``value``, all of it; a short one only as a word."""
    text = value.decode("utf-8", "replace").casefold()
    said = frozenset(_WORD.findall(text))
    return any(word in text if len(word) > _SHORT else word in said for word in words)
