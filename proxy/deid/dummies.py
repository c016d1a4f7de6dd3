"""Dummy values (PS3.15 E.1.1, action D): constants by VR, so that they say nothing about what stood there.

Also the smallest valid content for the sequences that the table replaces. All ASCII, so they encode in every character
set. Pure data and lookups; the verification gate may compare with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.deid.encode import Element, Item

REMOVED = b"REMOVED"
#: VR → a value of that VR. UI has none: a UID is always replaced by a pseudonymous one.
BY_VR: Mapping[str, bytes] = {
    "AE": REMOVED,
    "AS": b"000D",
    "CS": REMOVED,
    "DA": b"19000101",
    "DS": b"0 ",
    "DT": b"19000101000000",
    "IS": b"0 ",
    "LO": REMOVED,
    "LT": REMOVED,
    "OB": b"\0\0",
    "PN": REMOVED,
    "SH": REMOVED,
    "ST": REMOVED,
    "TM": b"000000",
    "UC": REMOVED,
    "UN": b"\0\0",
    "UR": b"urn:removed",
    "UT": REMOVED,
}
#: attributes whose defined terms a plain dummy would miss
_BY_TAG: Mapping[int, bytes] = {
    0x00080201: b"+0000",  # Timezone Offset From UTC
    0x04000565: b"COERCE",  # Reason for the Attribute Modification
}


def dummy(tag: int, vr: str) -> bytes | None:
    """The dummy value for ``tag``; None where there is none (binary numbers, UI, SQ)."""
    return _BY_TAG.get(tag, BY_VR.get(vr))


def code(value: bytes, scheme: bytes, meaning: bytes) -> Item:
    """An item of a code sequence (PS3.3 8.8)."""
    return (
        Element(0x00080100, "SH", value),
        Element(0x00080102, "SH", scheme),
        Element(0x00080104, "LO", meaning),
    )


#: a code that says only that there was one; schemes that begin with 99 are private (PS3.16 8)
REMOVED_CODE = code(REMOVED, b"99VEIL", b"Removed")
#: PS3.3 C.17.3: a text content item, allowed below the root of every SR IOD
_CONTENT: Item = (
    Element(0x0040A010, "CS", b"CONTAINS"),
    Element(0x0040A040, "CS", b"TEXT"),
    Element(0x0040A043, "SQ", (REMOVED_CODE,)),  # none of Table E.3.4-1, which removes a comment
    Element(0x0040A160, "UT", REMOVED),
)
CONTENT_SEQUENCE = 0x0040A730
GRAPHIC_ANNOTATION_SEQUENCE = 0x00700001
GRAPHIC_LAYER = 0x00700002
#: sequences of Table E.1-1 with action D whose dummy does not depend on the instance
SEQUENCES: Mapping[int, tuple[Item, ...]] = {
    CONTENT_SEQUENCE: (_CONTENT,),
    0x00080082: (REMOVED_CODE,),  # Institution Code Sequence
    0x00401101: (REMOVED_CODE,),  # Person Identification Code Sequence
    0x0040A088: (REMOVED_CODE,),  # Verifying Observer Identification Code Sequence
}


def graphic_annotation(layer: bytes, little: bool) -> tuple[Item, ...]:
    """PS3.3 C.10.5: one point in the corner of ``layer``, no text, for every image that the state refers to."""
    two, one = ((2).to_bytes(2, "little" if little else "big"), (1).to_bytes(2, "little" if little else "big"))
    point: Item = (
        Element(0x00700005, "CS", b"DISPLAY"),
        Element(0x00700020, "US", two),
        Element(0x00700021, "US", one),
        Element(0x00700022, "FL", bytes(8)),
        Element(0x00700023, "CS", b"POINT"),
    )
    return ((Element(GRAPHIC_LAYER, "CS", layer), Element(0x00700009, "SQ", (point,))),)
