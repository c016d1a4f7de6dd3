"""The gate's own look at private elements: each needs a creator in its own item and a row that says it is safe.

Reads leaves in document order and knows the rows (PS3.15 Table E.3.10-1, the project's list), not the engine's reading
of blocks. Says the VR by which a value is to be judged, or that the element may not be there. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from proxy.deid.identifiers import stripped
from proxy.deid.private import SafePrivate
from proxy.deid.reading import Leaf, Path

#: (0008,0302) Private Creator Reference: whom the input itself declared something of
_DECLARED_CREATOR = 0x00080302
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


class PrivateRules:
    """One output's private elements, as they come by."""

    def __init__(self, safe: SafePrivate, values: Callable[[int], Iterable[bytes]]) -> None:
        """``values``: the values that an attribute has in the input."""
        self._safe, self._values = safe, values
        self._creators: dict[tuple[Path, int], str] = {}

    def judged_by(self, leaf: Leaf) -> str:
        """The VR that the value must be judged by; "" where the element may not be there."""
        number, group = leaf.tag & 0xFFFF, leaf.tag >> 16
        if 0x10 <= number <= 0xFF:
            self._creators[leaf.path, leaf.tag] = stripped(leaf.value).decode("latin_1")
            return "LO"
        creator = self._creators.get((leaf.path, group << 16 | number >> 8))
        if number < 0x1000 or not creator:
            return ""
        listed = self._safe.elements.get((creator, group, number & 0xFF))
        stated, known = "" if leaf.vr == "UN" else leaf.vr, (listed or "").partition("/")[0]
        if stated and known and not _of_one_kind(stated, known):
            return ""
        vr = stated or known
        if listed is None and (vr in _UNJUDGED or creator.encode("latin_1") not in self._values(_DECLARED_CREATOR)):
            return ""
        return "" if vr in _NEVER else vr


def _of_one_kind(stated: str, known: str) -> bool:
    return stated == known or any(stated in kind and known in kind for kind in _KINDS)
