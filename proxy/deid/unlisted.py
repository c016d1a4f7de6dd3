"""Which word of the profile an attribute gets that no row of Table E.1-1 names.

Closed by default: a tag that PS3.6 lacks, an ambiguous UN, a value of another kind than PS3.6 says: removed. Pure.
"""

from __future__ import annotations

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.profile import Policy
from proxy.deid.values import CHARSET_VRS

#: a VR in the file stands for the dictionary's when both are of one kind
_KINDS = (
    CHARSET_VRS | {"AE", "CS", "UR"},
    frozenset({"DA", "DT", "TM"}),
    frozenset({"DS", "IS"}),
    frozenset({"US", "SS", "UL", "SL", "AT", "US or SS", "US or OW", "US or SS or OW", "OW"}),
    frozenset({"OB", "OW", "OB or OW"}),
)


def unlisted_word(policy: Policy, tag: int, stated: str, little: bool) -> tuple[str, str]:
    """Word and VR for ``tag``, encoded with VR ``stated`` ("" in implicit VR); "walk" for a sequence that is kept."""
    if tag not in DicomDictionary:
        return "remove", stated
    known = str(DicomDictionary[tag][0])
    vr = known if stated in ("", "UN") else stated
    if stated == "UN" and (" " in known or not little):
        return "remove", vr  # its bytes are little endian, and nothing says which of the VRs they are of
    if not _of_one_kind(vr, known):
        return "remove", vr
    single = policy.unlisted.attributes.get(tag)
    if vr == "SQ":
        return ("remove" if single == "remove" else "walk"), vr
    return single or _default(policy, vr), vr


def _default(policy: Policy, vr: str) -> str:
    """An ambiguous VR (implicit VR: "US or SS") has the default of its parts."""
    words = {policy.unlisted.by_vr.get(part, "remove") for part in vr.split(" or ")}
    return words.pop() if len(words) == 1 else "remove"


def _of_one_kind(vr: str, known: str) -> bool:
    return vr == known or vr in known.split(" or ") or any(vr in kind and known in kind for kind in _KINDS)
