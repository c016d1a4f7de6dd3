"""Which known tags a policy keeps or drops without looking at the value: the compiled form for `labels`.

Asks the same functions that the walk asks, once for each tag and VR. Cached by policy; pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid import bulk, markers
from proxy.deid.access import PIXEL_DATA, SPECIFIC_CHARACTER_SET
from proxy.deid.decisions import ENCRYPTED_ATTRIBUTES_SEQUENCE, Decider, Decision, decider_of
from proxy.deid.labels import REMOVE, RETAIN, WALK, Labels, compile_labels
from proxy.deid.pixels import truth
from proxy.deid.profile import Policy
from proxy.deid.scanner import VR_NAMES, sequence_tags
from proxy.deid.walk import CONTENT_TEMPLATE_SEQUENCE, PATIENT_ID, PATIENT_NAME

MODALITY = 0x00080060
#: tags that the engine itself looks for in the result, or writes
_BORDERS = (MODALITY, PATIENT_NAME, PATIENT_ID, *markers.TAGS, ENCRYPTED_ATTRIBUTES_SEQUENCE, *sorted(PIXEL_DATA))
#: tags with a rule of their own in the walk
_OWN_RULE = frozenset({SPECIFIC_CHARACTER_SET, CONTENT_TEMPLATE_SEQUENCE, *_BORDERS})


@lru_cache(maxsize=64)
def labels_of(policy: Policy, changed: bool = False) -> Labels:
    """The labels of ``policy``; the profile decides, never the instance.

    ``changed``: pixels or a document were, so what an instance says of them comes out of the walk one by one.
    """
    private = WALK if policy.reads_private else REMOVE
    decisions, borders = dict(_decisions(policy)), _BORDERS
    if changed:
        told = (*truth.TAGS, *bulk.TAGS)
        decisions.update((tag, (WALK, frozenset())) for tag in told)
        borders = (*_BORDERS, *told)
    return compile_labels(decisions, borders, private)


@lru_cache(maxsize=64)
def sequences_of(policy: Policy) -> NDArray[np.int64]:
    """Tags that hold items though their encoding does not say so."""
    return sequence_tags(tag for tag, vr in policy.vrs.items() if vr == "SQ")


def _decisions(policy: Policy) -> Iterator[tuple[int, tuple[int, frozenset[str]]]]:
    decider = decider_of(policy)
    by_vr: dict[str, frozenset[str]] = {}
    for tag in DicomDictionary.keys() | policy.vrs.keys():
        listed = decider.listed(tag)
        if tag in _OWN_RULE or _is_reached(policy, tag):
            yield tag, (WALK, frozenset())
        elif listed is not None:
            yield tag, _listed(tag, listed, policy.vrs.get(tag, ""))
        elif tag not in DicomDictionary or decider.is_content(tag):
            yield tag, (WALK, frozenset())
        elif tag in policy.unlisted.attributes:
            retained = _retained(decider, tag) - _ruled(policy)
            yield tag, (RETAIN if retained else WALK, retained)
        else:
            known = str(DicomDictionary[tag][0])
            if known not in by_vr:
                by_vr[known] = _retained(decider, tag) - _ruled(policy)
            yield tag, (RETAIN if by_vr[known] else WALK, by_vr[known])


def _is_reached(policy: Policy, tag: int) -> bool:
    """Whether a site's rule may be about ``tag``."""
    vr = policy.vrs.get(tag) or str(DicomDictionary[tag][0])
    return any(rule.reaches(tag, each) for rule in policy.rules for each in vr.split(" or "))


def _ruled(policy: Policy) -> frozenset[str]:
    """VRs by which a rule may be about an element, whatever PS3.6 says that it is."""
    return frozenset(vr for rule in policy.rules for vr in rule.vrs)


def _listed(tag: int, decision: Decision, vr: str) -> tuple[int, frozenset[str]]:
    """For a row of Table E.1-1, which leaves with the VR that the row says."""
    if decision.action == "X":
        return REMOVE, frozenset()
    if not _stays(decision, vr) or tag not in DicomDictionary or DicomDictionary[tag][0] != vr:
        return WALK, frozenset()
    return RETAIN, frozenset({"", vr})


def _retained(decider: Decider, tag: int) -> frozenset[str]:
    """The stated VRs with which an unlisted attribute leaves as it is; UN never, for it leaves with its real VR."""
    return frozenset(
        vr
        for vr in VR_NAMES
        if vr != "UN" and (_stays(*decider.unlisted(tag, vr, little=True)) or _walks(decider, tag, vr))
    )


def _walks(decider: Decider, tag: int, vr: str) -> bool:
    return decider.unlisted(tag, vr, little=True)[0].action == "R"


def _stays(decision: Decision, vr: str) -> bool:
    """Whether a value that is of its VR leaves as it is: also a time that moves by whole days."""
    return decision.action == "keep" or (vr == "TM" and decision.action in ("shift", "keep_date"))
