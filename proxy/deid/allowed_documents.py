"""The gate's own look at encapsulated documents: exactly the dummy of their kind, or the instance does not leave.

Compares bytes with the constants of `documents`; knows nothing of how they came into the output. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Set

from proxy.deid.documents import DUMMIES, TITLE, Dummy
from proxy.deid.identifiers import stripped
from proxy.deid.reading import Leaf

_DOCUMENT, _LENGTH = 0x00420011, 0x00420015
_TITLE, _MIME, _MIMES = 0x00420010, 0x00420012, 0x00420014
_BURNED_IN, _VISUAL, _VERIFIED, _HL7 = 0x00280301, 0x00280302, 0x0040A493, 0x0040E001
#: what is judged here
ABOUT_DOCUMENTS = frozenset({_DOCUMENT, _LENGTH, _TITLE, _MIME, _MIMES, _BURNED_IN, _VISUAL, _VERIFIED, _HL7})


def is_dummied(word: str, sop_class: str) -> bool:
    """Whether instances of this class leave with a dummy, in which nothing is burned in."""
    return word == "dummy" and sop_class in DUMMIES


class DocumentCheck:
    """One output's elements, as they come by. ``word``: what the profile says of documents."""

    def __init__(self, word: str, sop_class: str) -> None:
        self._exact = _exact(DUMMIES[sop_class]) if is_dummied(word, sop_class) else None

    def verdict(self, leaf: Leaf) -> bool | None:
        """True: as it is of the dummy. False: it must not be there, or not so. None: ask the table."""
        if leaf.path:
            return None
        if self._exact is None:
            return False if leaf.tag == _DOCUMENT else None
        values = self._exact.get(leaf.tag)
        if values is None:
            return None
        whole = leaf.tag in (_DOCUMENT, _LENGTH)
        return (bytes(leaf.value) if whole else stripped(leaf.value)) in values


def _exact(dummy: Dummy) -> Mapping[int, Set[bytes]]:
    """Tag → the values that it may have, none where the attribute may not be there."""
    size = len(dummy.document)
    return {
        _DOCUMENT: {dummy.document},
        _LENGTH: {struct.pack("<I", size), struct.pack(">I", size)},
        _TITLE: {TITLE},
        _MIME: {dummy.mime},
        _MIMES: set(),
        _BURNED_IN: {b"NO"},
        _VISUAL: {b"NO"},
        _VERIFIED: {b"UNVERIFIED"},
        _HL7: {dummy.hl7} if dummy.hl7 else set(),
    }
