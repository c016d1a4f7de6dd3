"""Encapsulated documents (PS3.3 C.24.2): held, or replaced by a dummy of their kind, as the profile says.

The document itself is never read. What the instance says of it afterwards is about the dummy: title, length, MIME
type, nothing burned in, verified by nobody. References to other instances stay, remapped. Other bulk content (voice,
raw data) has no dummy and is held elsewhere. Pure; raises `InstanceHeld`.
"""

from __future__ import annotations

import struct

from proxy.deid.documents import DUMMIES, TITLE
from proxy.deid.encode import Element, Part
from proxy.deid.level import Level
from proxy.deid.profile import Policy
from proxy.deid.tables import SopClass
from proxy.errors import InstanceHeld, Reason

BURNED_IN_ANNOTATION, RECOGNIZABLE_VISUAL_FEATURES, VERIFICATION_FLAG = 0x00280301, 0x00280302, 0x0040A493
HL7_INSTANCE_IDENTIFIER = 0x0040E001
DOCUMENT_TITLE, ENCAPSULATED_DOCUMENT, MIME_TYPE = 0x00420010, 0x00420011, 0x00420012
LIST_OF_MIME_TYPES, DOCUMENT_LENGTH = 0x00420014, 0x00420015
#: what this module may write or take away: the walk hands these over one by one
TAGS = (
    BURNED_IN_ANNOTATION, RECOGNIZABLE_VISUAL_FEATURES, VERIFICATION_FLAG, HL7_INSTANCE_IDENTIFIER, DOCUMENT_TITLE,
    ENCAPSULATED_DOCUMENT, MIME_TYPE, LIST_OF_MIME_TYPES, DOCUMENT_LENGTH,
)  # fmt: skip


def is_replaced(root: Level, sop_class: SopClass, policy: Policy, pixels: bool = False) -> bool:
    """Whether the instance leaves with a dummy document; `ENCAPSULATED_DOCUMENT` where it may not leave with its own.

    ``pixels``: it has pixel data too, so more than the document would have to be judged.
    """
    if "document" not in sop_class.kinds and ENCAPSULATED_DOCUMENT not in root:
        return False
    if policy.documents != "dummy":
        raise InstanceHeld(Reason.ENCAPSULATED_DOCUMENT, "an encapsulated document", ENCAPSULATED_DOCUMENT)
    if sop_class.uid not in DUMMIES or pixels:
        why = "an encapsulated document where there is none of its kind"
        raise InstanceHeld(Reason.ENCAPSULATED_DOCUMENT, why, ENCAPSULATED_DOCUMENT)
    return True


def replace(elements: dict[int, Part], sop_class: str, little: bool) -> tuple[tuple[int, str], ...]:
    """Put the dummy of ``sop_class`` into ``elements``; returns tags and VRs of what was written."""
    dummy = DUMMIES[sop_class]
    length = struct.pack("<I" if little else ">I", len(dummy.document))
    written = [
        Element(DOCUMENT_TITLE, "ST", TITLE),
        Element(ENCAPSULATED_DOCUMENT, "OB", dummy.document),
        Element(MIME_TYPE, "LO", dummy.mime),
        Element(DOCUMENT_LENGTH, "UL", length),
        Element(BURNED_IN_ANNOTATION, "CS", b"NO"),
    ]
    if RECOGNIZABLE_VISUAL_FEATURES in elements:
        written.append(Element(RECOGNIZABLE_VISUAL_FEATURES, "CS", b"NO"))
    if VERIFICATION_FLAG in elements:
        written.append(Element(VERIFICATION_FLAG, "CS", b"UNVERIFIED"))
    if dummy.hl7:
        written.append(Element(HL7_INSTANCE_IDENTIFIER, "ST", dummy.hl7))
    for tag in TAGS:
        elements.pop(tag, None)
    elements.update((element.tag, element) for element in written)
    return tuple((element.tag, element.vr) for element in written)
