"""The gate's own look at private elements: each needs a creator in its own item and a row that says it is safe.

Reads leaves in document order and knows the rows (PS3.15 Table E.3.10-1, the project's list), not the engine's reading
of blocks. Says the VR by which a value is to be judged, or that the element may not be there. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from proxy.deid.identifiers import stripped
from proxy.deid.original import Source
from proxy.deid.private import SafePrivate
from proxy.deid.reading import Leaf, Path

#: Private Data Element Characteristics Sequence (PS3.3 C.12.1): what the input itself declares, of whom
_CHARACTERISTICS, _GROUP, _CREATOR = 0x00080300, 0x00080301, 0x00080302
_ELEMENT, _ELEMENT_VR = 0x00080308, 0x0008030A
_NEVER = frozenset({"AE", "PN", "UN", "UR"})
#: what a declaration of the input's own does not make safe, because its content cannot be judged
_UNJUDGED = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
#: a listed element may state another VR of the same kind; under one of another kind it would not be read as what it is
_KINDS = (
    frozenset({"CS", "LO", "LT", "SH", "ST", "UC", "UT"}),
    frozenset({"AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"}),
    _UNJUDGED,
    frozenset({"DA", "DT", "TM"}),
)

#: (creator, group, low byte of the element)
_Declared = tuple[str, int, int]


class PrivateRules:
    """One output's private elements, as they come by."""

    def __init__(self, safe: SafePrivate, source: Source) -> None:
        self._safe, self._source = safe, source
        self._creators: dict[tuple[Path, int], str] = {}
        self._declared: dict[_Declared, str] | None = None

    def creator_of(self, leaf: Leaf) -> str:
        """Whose data element it is; "" for nobody's, and for what names a creator."""
        number, group = leaf.tag & 0xFFFF, leaf.tag >> 16
        return self._creators.get((leaf.path, group << 16 | number >> 8), "") if number >= 0x1000 else ""

    def judged_by(self, leaf: Leaf) -> str:
        """The VR that the value must be judged by; "" where the element may not be there."""
        number, group = leaf.tag & 0xFFFF, leaf.tag >> 16
        if 0x10 <= number <= 0xFF:
            self._creators[leaf.path, leaf.tag] = stripped(leaf.value).decode("latin_1")
            return "LO"
        creator = self.creator_of(leaf)
        if not creator:
            return ""
        listed = self._safe.elements.get((creator, group, number & 0xFF))
        stated, known = "" if leaf.vr == "UN" else leaf.vr, (listed or "").partition("/")[0]
        if stated and known and not _of_one_kind(stated, known):
            return ""
        vr = stated or known
        if listed is None:
            vr = vr or self._declares().get((creator, group, number & 0xFF), "")
            if vr in _UNJUDGED or creator.encode("latin_1") not in self._source.values(_CREATOR):
                return ""
        # items that only we would know to be items have been looked into by nobody
        return "" if vr in _NEVER or (vr == "SQ" and leaf.vr != "SQ") else vr

    def _declares(self) -> Mapping[_Declared, str]:
        """What (0008,0300) of the input says of VRs; asked in implicit VR, which is little endian."""
        if self._declared is None:
            self._declared = {}
            at = self._source.at
            for leaf in self._source.elements(_ELEMENT_VR):
                if leaf.path[:1] != (_CHARACTERISTICS,) or len(leaf.path) != 4:
                    continue
                creator, vr = at(leaf.path[:2], _CREATOR).decode("latin_1"), stripped(leaf.value).decode("latin_1")
                for group in _numbers(self._raw(leaf.path[:2], _GROUP)):
                    for number in _numbers(self._raw(leaf.path, _ELEMENT)):
                        self._declared[creator, group, number & 0xFF] = vr
        return self._declared

    def _raw(self, path: Path, tag: int) -> bytes:
        return next((bytes(leaf.value) for leaf in self._source.elements(tag) if leaf.path == path), b"")


def _numbers(value: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(value) // 2}H", value) if len(value) % 2 == 0 else ()


def _of_one_kind(stated: str, known: str) -> bool:
    return stated == known or any(stated in kind and known in kind for kind in _KINDS)
