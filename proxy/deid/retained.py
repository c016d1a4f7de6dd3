"""Which known tags a policy keeps or drops without looking at the value: the compiled form for `labels`.

Asks the same functions that the walk asks, once for each tag and VR. Cached by policy; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid import bulk, markers
from proxy.deid.access import PIXEL_DATA, SPECIFIC_CHARACTER_SET
from proxy.deid.decisions import ENCRYPTED_ATTRIBUTES_SEQUENCE, Decider, Decision, decider_of
from proxy.deid.labels import REMOVE, RETAIN, WALK, Labels, Word, compile_labels
from proxy.deid.pixels import truth
from proxy.deid.profile import Policy
from proxy.deid.scanner import VR_NAMES, sequence_tags
from proxy.deid.walk import CONTENT_TEMPLATE_SEQUENCE, PATIENT_ID, PATIENT_NAME

MODALITY = 0x00080060
#: tags that the engine itself looks for in the result, or writes
_BORDERS = (MODALITY, PATIENT_NAME, PATIENT_ID, *markers.TAGS, ENCRYPTED_ATTRIBUTES_SEQUENCE, *sorted(PIXEL_DATA))
#: what a report says of an instance: each is a run by itself
_REPORTED = (0x00080018, 0x00080020, 0x0020000D, 0x0020000E)
#: tags with a rule of their own in the walk
_OWN_RULE = frozenset({SPECIFIC_CHARACTER_SET, CONTENT_TEMPLATE_SEQUENCE, *_BORDERS})


@lru_cache(maxsize=64)
def labels_of(policy: Policy, changed: bool = False) -> Labels:
    """The labels of ``policy``; the profile decides, never the instance.

    ``changed``: pixels or a document were, so what an instance says of them comes out of the walk one by one.
    """
    private = WALK if policy.reads_private else REMOVE
    words, borders = dict(_words(policy)), (*_BORDERS, *_REPORTED, *(tag + 1 for tag in _REPORTED))
    if changed:
        told = (*truth.TAGS, *bulk.TAGS)
        words.update((tag, Word(WALK)) for tag in told)
        borders = (*borders, *told)
    return compile_labels(words, borders, private)


@lru_cache(maxsize=64)
def sequences_of(policy: Policy) -> NDArray[np.int64]:
    """Tags that hold items though their encoding does not say so."""
    return sequence_tags(tag for tag, vr in policy.vrs.items() if vr == "SQ")


def _words(policy: Policy) -> Iterator[tuple[int, Word]]:
    decider = decider_of(policy)
    by_vr: dict[str, Word] = {}
    for tag in DicomDictionary.keys() | policy.vrs.keys():
        listed = decider.listed(tag)
        if tag in _OWN_RULE or _is_reached(policy, tag):
            yield tag, Word(WALK)
        elif listed is not None:
            yield tag, _listed(tag, listed, policy.vrs.get(tag, ""))
        elif tag not in DicomDictionary or decider.is_content(tag):
            yield tag, Word(WALK)
        elif tag in policy.unlisted.attributes:
            yield tag, _unlisted(decider, tag, _ruled(policy))
        else:
            known = str(DicomDictionary[tag][0])
            if known not in by_vr:
                by_vr[known] = _unlisted(decider, tag, _ruled(policy))
            yield tag, by_vr[known]


def _is_reached(policy: Policy, tag: int) -> bool:
    """Whether a site's rule may be about ``tag``."""
    vr = policy.vrs.get(tag) or str(DicomDictionary[tag][0])
    return any(rule.reaches(tag, each) for rule in policy.rules for each in vr.split(" or "))


def _ruled(policy: Policy) -> frozenset[str]:
    """VRs by which a rule may be about an element, whatever PS3.6 says that it is."""
    return frozenset(vr for rule in policy.rules for vr in rule.vrs)


def _listed(tag: int, decision: Decision, vr: str) -> Word:
    """For a row of Table E.1-1, which leaves with the VR that the row says."""
    if decision.action == "X":
        return Word(REMOVE)
    if tag not in DicomDictionary or DicomDictionary[tag][0] != vr:
        return Word(WALK)
    return _word({"": (decision, vr), vr: (decision, vr)})


def _unlisted(decider: Decider, tag: int, ruled: frozenset[str]) -> Word:
    """For an attribute that no row names; UN never, for it leaves with its real VR."""
    return _word({vr: decider.unlisted(tag, vr, little=True) for vr in VR_NAMES if vr != "UN" and vr not in ruled})


def _word(decisions: Mapping[str, tuple[Decision, str]]) -> Word:
    """``decisions``: by the VR that is stated, and the VR that the value is read by."""
    stays = frozenset(vr for vr, (decision, read) in decisions.items() if _stays(decision, read))
    maps = frozenset(vr for vr, (decision, read) in decisions.items() if decision.action == "U" and read == "UI")
    moves = frozenset(vr for vr, (decision, read) in decisions.items() if decision.action == "shift" and read == "DA")
    return Word(RETAIN if stays or maps or moves else WALK, stays, maps, moves)


def _stays(decision: Decision, vr: str) -> bool:
    """Whether a value that is of its VR leaves as it is: also a time that moves by whole days."""
    kept = ("keep", "keep_date") if vr == "DA" else ("keep", "keep_date", "shift") if vr == "TM" else ("keep",)
    return decision.action in kept or (decision.action in ("R", "X/Z/U*") and vr == "SQ")
