"""A site's rules as plain values: which elements of which instances, and what happens to them.

Data only. `rule_words` reads and checks them, the engine (`rule_match`) and the gate (`allowed_rules`) each match them
on their own. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary

#: the identity of an instance and what Veil itself writes: no rule reaches them
FIXED = frozenset(
    {0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020}
    | {0x00120062, 0x00120063, 0x00120064, 0x00280303, 0x7FE00008, 0x7FE00009, 0x7FE00010}
)
#: actions that leave something of the value
RETAINING = frozenset({"keep", "clean", "hash", "shift", "truncate"})


@dataclass(frozen=True, slots=True)
class Condition:
    """On an attribute at the top of the instance. ``kind``: value (one of ``texts``), regex, present or absent.

    Present is what has a value.
    """

    tag: int
    kind: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Element matchers that are empty match every element; a rule without any is about the instance."""

    number: int
    profile: str
    do: str
    argument: str = ""
    tags: frozenset[int] = frozenset()
    #: (bits that count, what they are)
    masks: tuple[tuple[int, int], ...] = ()
    vrs: frozenset[str] = frozenset()
    creators: frozenset[str] = frozenset()
    sop_classes: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    when: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        """How explanations and refusals call it."""
        return f"rule {self.number} of profile {self.profile}"

    @property
    def of_instances(self) -> bool:
        """Whether it matches whole instances instead of elements."""
        return not (self.tags or self.masks or self.vrs or self.creators)

    def reaches(self, tag: int, vr: str) -> bool:
        """Whether it may be about an element with this tag and VR, in some instance."""
        if tag in FIXED or self.of_instances or (self.vrs and vr not in self.vrs):
            return False
        if bool(self.creators) != bool(tag >> 16 & 1):
            return False
        somewhere = not self.tags and not self.masks
        return somewhere or tag in self.tags or any(tag & bits == wanted for bits, wanted in self.masks)


#: VRs of longitudinal information (PS3.15 E.3.6), and its attributes by VR
_TEMPORAL = frozenset({"DA", "DT", "TM"})
_DATES = {tag: str(entry[0]) for tag, entry in DicomDictionary.items() if entry[0] in _TEMPORAL}


@lru_cache(maxsize=64)
def longitudinal(said: str, rules: tuple[Rule, ...]) -> str:
    """(0028,0303) of a profile that says ``said`` without its rules, and has these: what is kept or moved counts."""
    telling = {"keep", "shift", "truncate"} if said == "REMOVED" else {"shift", "truncate"}
    return "MODIFIED" if any(rule.do in telling and _is_about_dates(rule) for rule in rules) else said


def _is_about_dates(rule: Rule) -> bool:
    if rule.creators:
        return not rule.vrs or not rule.vrs.isdisjoint(_TEMPORAL)
    return any(rule.reaches(tag, vr) for tag, vr in _DATES.items())


def relaxes(rule: Rule, vrs: Mapping[int, str], cells: Mapping[int, Mapping[str, str]]) -> bool:
    """Whether it may leave more of a row of Table E.1-1 than profile and options allow: then neither can be claimed."""
    if rule.do not in RETAINING:
        return False
    enough = {"K", "C"} if rule.do != "keep" else {"K"}
    return any(rule.reaches(tag, vr) and enough.isdisjoint(cells.get(tag, {}).values()) for tag, vr in vrs.items())
