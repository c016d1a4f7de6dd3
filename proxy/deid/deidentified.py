"""What can be said of an instance that is de-identified already, by whomever, with no original to hold it against.

It must say so of itself (PS3.15 E.1.1, E.2), must not say that pixels still show who it is, and may hold nothing that
the project's own profile removes. That a value is a pseudonym and no name cannot be proven here, nor what pixels show:
who says ``mode: pass`` vouches for that. Pure; refuses with `InstanceHeld`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.allowed_documents import ABOUT_DOCUMENTS, DocumentCheck
from proxy.deid.allowed_encrypted import ABOUT_ORIGINALS
from proxy.deid.part10 import PREAMBLE, Part10, read_meta
from proxy.deid.private_blocks import canonical_creator
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA, Leaf, Path, known_vr
from proxy.deid.rows import ITEM, TAG
from proxy.deid.rules import RETAINING, Rule
from proxy.deid.said import Said
from proxy.deid.types import Claimed, Report
from proxy.deid.view import View
from proxy.errors import InstanceHeld, Reason

_IDENTITY_REMOVED, _METHOD = 0x00120062, 0x00120063
_SHOWN = {0x00280301: Reason.BURNED_IN, 0x00280302: Reason.FACE}
#: Private Information Creator UID, Private Information (PS3.10 7.1)
_PRIVATE_META = frozenset({0x00020100, 0x00020102})
_DATED = frozenset({"AS", "DA", "DT", "TM"})


def describe(view: View, head: Part10, claimed: Claimed, policy: Policy) -> Report:
    """What the instance says it is; `UID_MISMATCH` unless that is what was asked for, in data set and head alike."""
    text = Said(view).text
    report = Report(
        sop_class_uid=text(0x00080016),
        transfer_syntax_uid=head.transfer_syntax_uid,
        modality=text(0x00080060),
        patient_id=text(0x00100020),
        study_instance_uid=text(0x0020000D),
        series_instance_uid=text(0x0020000E),
        sop_instance_uid=text(0x00080018),
        study_date=text(0x00080020),
        policy_digest=policy.digest,
        key_epoch=policy.key_epoch,
    )
    mine = (report.sop_class_uid, report.sop_instance_uid, report.study_instance_uid)
    asked = (claimed.sop_class_uid, claimed.sop_instance_uid, claimed.study_instance_uid)
    if any(own != other for own, other in zip(mine, asked, strict=True) if other):
        raise InstanceHeld(Reason.UID_MISMATCH, "not the instance that was asked for")
    if mine[:2] != (head.sop_class_uid, head.sop_instance_uid):
        raise InstanceHeld(Reason.UID_MISMATCH, "file meta information and data set name different instances")
    return report


def check(view: View, data: memoryview, policy: Policy) -> None:
    """Raises unless the instance says that it is de-identified, and nothing in it says that it is not."""
    if data[:PREAMBLE] != bytes(PREAMBLE):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the preamble is not empty")
    for element in read_meta(data):
        if element.tag in _PRIVATE_META and element.length:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "private file meta information", element.tag)
    said = Said(view)
    if said.text(_IDENTITY_REMOVED) != "YES":
        raise InstanceHeld(Reason.IDENTIFIER_REMAINS, "Patient Identity Removed is not YES", _IDENTITY_REMOVED)
    if not said.methods() and not said.text(_METHOD):
        raise InstanceHeld(Reason.IDENTIFIER_REMAINS, "no method of de-identification is named", _METHOD)
    for tag, reason in _SHOWN.items():
        if said.text(tag) == "YES":
            raise InstanceHeld(reason, "the instance says that its pixels identify", tag)
    _Elements(view, policy, said.text(0x00080016)).check()


class _Elements:
    """The elements of one instance that the profile would remove."""

    def __init__(self, view: View, policy: Policy, sop_class: str) -> None:
        self._view, self._policy = view, policy
        self._documents = DocumentCheck(policy.documents, sop_class)
        self._creators: dict[tuple[Path, int], str] = {}

    def check(self) -> None:
        """Raises for the first of them that has a value."""
        tags = self._view.rows[:, TAG]
        doubtful = [tag for tag in np.unique(tags).tolist() if tag != ITEM and _is_doubtful(self._policy, tag)]
        for row in np.flatnonzero(np.isin(tags, doubtful)).tolist():
            leaf = self._view.leaf(row)
            has_value = leaf.vr == "SQ" or bytes(leaf.value[:1024]).strip(b" \0") or len(leaf.value) > 1024
            if has_value and not self._may_stay(leaf):
                raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the profile of this project removes it", leaf.tag)

    def _may_stay(self, leaf: Leaf) -> bool:
        if leaf.tag in ABOUT_DOCUMENTS and (verdict := self._documents.verdict(leaf)) is not None:
            return verdict
        if leaf.tag in PIXEL_DATA:
            return not leaf.path
        if leaf.tag >> 16 & 1:
            return self._is_safe(leaf)
        return not _is_removed(self._policy, leaf.tag)

    def _is_safe(self, leaf: Leaf) -> bool:
        """A private element that Table E.3.10-1, the project's list or a rule of the profile lets stay."""
        group, number = leaf.tag >> 16, leaf.tag & 0xFFFF
        if 0x10 <= number <= 0xFF:
            self._creators[leaf.path, leaf.tag] = canonical_creator(bytes(leaf.value).decode("latin_1"))
            return True
        creator = self._creators.get((leaf.path, group << 16 | number >> 8), "")
        safe = self._policy.safe_private
        listed = safe is not None and (creator, group, number & 0xFF) in safe.elements
        rules = [r for r in self._policy.rules if creator in r.creators and r.reaches(leaf.tag, leaf.vr)]
        if any(map(_always_removes, rules)):
            return False
        return bool(creator) and (listed or any(rule.do in RETAINING for rule in rules))


def _always_removes(rule: Rule) -> bool:
    return rule.do == "remove" and not (rule.sop_classes or rule.modalities or rule.when)


@lru_cache(maxsize=1 << 16)
def _is_doubtful(policy: Policy, tag: int) -> bool:
    """Whether an element with this tag has to be looked at."""
    return bool(tag >> 16 & 1) or tag in ABOUT_DOCUMENTS or tag in PIXEL_DATA or _is_removed(policy, tag)


def _is_removed(policy: Policy, tag: int) -> bool:
    """Whether the profile removes every element with this tag: no option, rule or word on dates lets one stay."""
    vr = policy.vrs.get(tag) or known_vr(tag)
    rules = [rule for rule in policy.rules if rule.reaches(tag, vr)]
    if not tag & 0xFFFF or any(rule.do in RETAINING for rule in rules):
        return False
    if any(map(_always_removes, rules)):
        return True
    if tag in ABOUT_ORIGINALS:
        return not policy.recipients
    code = policy.code(tag)
    if not code:
        if tag not in DicomDictionary:
            return True
        word = policy.unlisted.attributes.get(tag)
        words = {word} if word else {policy.unlisted.by_vr.get(each, "remove") for each in vr.split(" or ")}
        return vr != "SQ" and words == {"remove"}
    dated = policy.dates is not None and vr in _DATED
    return code == "X" and not dated and not policy.cells.get(tag) and tag not in policy.iod.required
