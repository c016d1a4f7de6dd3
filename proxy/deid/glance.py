"""What passes the gate's rules at a glance: the same outcomes as `allowed.Rules`, for what needs no thought.

A shortcut and nothing more: an element passes here only where `Rules.check` lets it pass too, whatever else is in input
and output; all else is for `Rules`. Tests hold both together, for each attribute, VR and profile. Decides from the rows
and words of the policy by tag and VR, and from the value, alone or beside that at the same place of the input. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.allowed_content import ASKED
from proxy.deid.allowed_documents import ABOUT_DOCUMENTS
from proxy.deid.allowed_encrypted import ABOUT_ORIGINALS
from proxy.deid.identifiers import CHARSET_VRS, CLASS_UIDS
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA, known_vr
from proxy.deid.rules import Rule

#: what a value must be to pass: anything; nothing; constants of ours; UIDs of the standard or pseudonymous ones; a date
#: that is not the one in the input; a time; what looks like a pseudonymous Patient ID. Bits, any of which is enough
ANYTHING, EMPTY, CONSTANTS, OWN_UIDS, MOVED, TIME, PSEUDONYM = (1 << bit for bit in range(7))
#: Patient's Name and Patient ID. That a pseudonym there is a new one is for the sieve: an old one is an identifier
_PSEUDONYMS = frozenset({0x00100010, 0x00100020})
#: pixels, documents, originals: whatever the table says of them
_OWN_CHECKS = PIXEL_DATA | ABOUT_DOCUMENTS | ABOUT_ORIGINALS
_STRINGS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_TEMPORAL = frozenset({"DA", "DT", "TM"})
_DATED = _TEMPORAL | {"AS"}


class Case(NamedTuple):
    """All that counts about a tag. ``word``: what the profile says of it where no row names it."""

    known: str
    code: str
    cells: tuple[tuple[str, str], ...]
    word: str
    class_uid: bool
    pseudonym: bool


class Glance:
    """One policy's glances."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self._options = policy, frozenset(policy.options)

    def case(self, tag: int) -> Case | None:
        """None for a tag that always needs a thought."""
        group, policy = tag >> 16, self._policy
        if group & 1 or group < 0x0008 or not tag & 0xFFFF or group & 0xFF00 in (0x5000, 0x6000) or tag in _OWN_CHECKS:
            return None
        if (tag in ASKED and "clean_struct" in self._options) or any(_names(rule, tag) for rule in policy.rules):
            return None
        code, known = policy.codes.get(tag, ""), policy.vrs.get(tag) or known_vr(tag)
        if not code and tag not in DicomDictionary:
            return None
        cells = tuple(sorted(policy.cells.get(tag, {}).items()))
        return Case(known, code, cells, policy.unlisted.attributes.get(tag, ""), tag in CLASS_UIDS, tag in _PSEUDONYMS)

    def passes(self, case: Case, vr: str) -> int:
        """Which values pass under ``vr``, the VR as the element is read."""
        known = case.known
        if known == "UN" or (vr == "SQ") != (known == "SQ") or (vr in _STRINGS) != (known in _STRINGS):
            return 0
        if any(not rule.vrs.isdisjoint((vr, *known.split(" or "))) for rule in self._policy.rules):
            return 0
        if self._policy.dates is not None and not _DATED.isdisjoint((vr, known)):
            return 0
        return self._listed(case, vr) if case.code else self._unlisted(case, vr)

    def _unlisted(self, case: Case, vr: str) -> int:
        if vr == "SQ":
            return ANYTHING
        by_vr = self._policy.unlisted.by_vr
        vrs = {*vr.split(" or "), *case.known.split(" or ")}
        words = {case.word or by_vr.get(each, "remove") for each in vrs}
        if words == {"remap"}:
            return self._uids(case)
        if words == {"shift"}:
            return self._moved(case.known) if "rtn_long_modif" in self._options else 0
        return 0 if words & {"remove", "remap", "shift"} else ANYTHING

    def _listed(self, case: Case, vr: str) -> int:
        cells, code = dict(case.cells), case.code
        if vr == "SQ":
            return ANYTHING if cells or code == "X/Z/U*" else 0
        allowed = 0
        if cells:
            if "C" not in cells.values() or vr in ("AE", "CS"):
                allowed = EMPTY
            elif vr in _TEMPORAL and cells.get("rtn_long_modif") == "C":
                return self._moved(case.known)
        if code == "X":
            return allowed
        if code == "U" or vr == "UI":
            return allowed | self._uids(case)
        return allowed | EMPTY | CONSTANTS | (PSEUDONYM if case.pseudonym and vr in CHARSET_VRS else 0)

    def _uids(self, case: Case) -> int:
        # where UIDs stay, what is an original one is for the rules
        return ANYTHING if case.class_uid else 0 if "rtn_uids" in self._options else OWN_UIDS

    def _moved(self, known: str) -> int:
        return TIME if known == "TM" else MOVED | CONSTANTS


def _names(rule: Rule, tag: int) -> bool:
    """Whether the rule may be about ``tag`` whatever its VR; rules that go by VR alone are for `Glance.passes`."""
    if rule.of_instances or rule.creators:
        return False
    if not rule.tags and not rule.masks:
        return not rule.vrs
    return tag in rule.tags or any(tag & bits == wanted for bits, wanted in rule.masks)
