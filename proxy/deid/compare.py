"""Holds a de-identified instance against its original: what identifies and is still there, what was kept and is gone.

By Table E.1-1 and the options that the output itself claims (0012,0064), whoever made it. Identifiers are found by the
gate's own search. Findings name tags and places, never values. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.allowed import CONSTANTS
from proxy.deid.contents import Contents, Reader
from proxy.deid.explained import place
from proxy.deid.identifiers import CLASS_UIDS, collect, comparable
from proxy.deid.private_blocks import is_private_data
from proxy.deid.pseudonym import is_standard_uid
from proxy.deid.reading import Leaf, Path
from proxy.deid.search import Search

#: VRs of attributes that no row names, whose removal nobody can object to: names, addresses, what is not known
_GUARDED = frozenset({"AE", "PN", "UN", "UR"})
_TEMPORAL = frozenset({"DA", "DT", "TM"})
_LONGITUDINAL = frozenset({"rtn_long_full", "rtn_long_modif"})
#: file meta information that names devices and networks (PS3.10 7.1), and private information in it
_META = frozenset({0x00020016, 0x00020017, 0x00020018, 0x00020026, 0x00020027, 0x00020028, 0x00020100, 0x00020102})
_PREAMBLE = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` is leak or lost; ``why`` one of a few fixed phrases. ``tag`` 0 is the preamble."""

    what: str
    why: str
    tag: int
    path: Path

    @property
    def place(self) -> str:
        """See `proxy.deid.explained.place`."""
        return place(self.path, self.tag) if self.tag else "preamble"


class Comparison:
    """One pair. Ask for `leaks` and `lost` in any order."""

    def __init__(
        self,
        reader: Reader,
        original: Contents,
        output: Contents,
        constants: frozenset[bytes],
        retained: frozenset[int] = frozenset(),
    ) -> None:
        """``constants``: values of outputs that say nothing about an input, besides the dummies of Veil.

        ``retained``: attributes that are retained on purpose, as if an option said so.
        """
        self._rows, self._original, self._output, self._on_purpose = reader.rows, original, output, retained
        self._constants = CONSTANTS | constants
        self._every = self._search_of(original.elements)
        self._others: Search | None = None

    def leaks(self) -> Iterator[Finding]:
        """Identifiers of the original anywhere in the output, and protected attributes with their old value."""
        for leaf in (*self._output.meta, *self._output.elements):
            if why := self._leak(leaf):
                yield Finding("leak", why, leaf.tag, leaf.path)
        preamble = self._output.preamble
        if any(preamble) and (self._every.in_bulk(preamble) or preamble == self._original.preamble):
            yield Finding("leak", "the preamble of the original", _PREAMBLE, ())
        for leaf in self._output.pixels:
            if self._every.in_bulk(leaf.value):
                yield Finding("leak", "an identifier in the bytes of pixel data", leaf.tag, ())

    def lost(self) -> Iterator[Finding]:
        """Attributes that the standard retains under the claimed options, and that are missing or have become empty."""
        gone: set[Path] = set()
        for leaf in self._original.elements:
            if gone and any(leaf.path[:length] in gone for length in range(1, len(leaf.path), 2)):
                continue
            if not self._retained(leaf):
                gone.add((*leaf.path, leaf.tag))
                continue
            now = self._output.places.get((leaf.path, leaf.tag))
            if now is None:
                gone.add((*leaf.path, leaf.tag))
                yield Finding("lost", "missing", leaf.tag, leaf.path)
            elif leaf.vr != "SQ" and now.vr != "SQ" and _said(leaf) and not _said(now):
                yield Finding("lost", "emptied", leaf.tag, leaf.path)
        present = {leaf.tag for leaf in self._output.pixels}
        yield from (Finding("lost", "missing", p.tag, ()) for p in self._original.pixels if p.tag not in present)

    def _leak(self, leaf: Leaf) -> str:
        try:
            if self._remains(leaf):
                return "an identifier of the original"
        except ValueError:  # UnicodeDecodeError is one, and quotes the value
            return "text that its character set cannot decode"
        if self._protected(leaf) and self._unchanged(leaf):
            return "a protected attribute is as it was"
        return ""

    def _remains(self, leaf: Leaf) -> bool:
        """What a claimed option retains is no leak where it is retained, and one anywhere else."""
        found = self._every.finds(leaf)
        if not found or not self._kept(leaf):
            return found
        if self._others is None:
            self._others = self._search_of(each for each in self._original.elements if not self._kept(each))
        return self._others.finds(leaf)

    def _search_of(self, elements: Iterable[Leaf]) -> Search:
        uids = "rtn_uids" not in self._output.claims
        return Search(collect(elements), self._constants.__contains__, uids=uids)

    def _kept(self, leaf: Leaf) -> bool:
        return any("K" in self._options(tag) for tag in (leaf.tag, *leaf.path[::2]))

    def _options(self, tag: int) -> set[str]:
        """K and C where a claimed option or the caller says so for this row, "" where none says anything."""
        if tag in self._on_purpose:
            return {"K"}
        row = self._rows.get(tag)
        return {row.options.get(option, "") for option in self._output.claims} if row is not None else {""}

    def _protected(self, leaf: Leaf) -> bool:
        """Whether Table E.1-1 wants another value here than the original had."""
        group = leaf.tag >> 16
        if group == 0x0002:
            return leaf.tag in _META
        if group & 1:
            return is_private_data(leaf.tag) and "rtn_safe_priv" not in self._output.claims
        if group & 0xFF00 in (0x5000, 0x6000):
            element = leaf.tag & 0xFFFF
            return "clean_graph" not in self._output.claims and (group < 0x6000 or element in (0x3000, 0x4000))
        options = self._options(leaf.tag)
        moved = "rtn_long_modif" in self._output.claims and leaf.vr in ("DA", "DT")
        return leaf.tag in self._rows and "K" not in options and ("C" not in options or moved)

    def _unchanged(self, leaf: Leaf) -> bool:
        if leaf.vr == "SQ" or leaf.tag in CLASS_UIDS:
            return False
        value = comparable(leaf)
        if not value or value in self._constants:
            return False
        if leaf.vr == "UI" and all(is_standard_uid(uid.decode("latin_1")) for uid in value.split(b"\\")):
            return False
        if leaf.tag >> 16 == 0x0002:
            return any(value == comparable(other) for other in self._original.meta if other.tag == leaf.tag)
        before = self._original.places.get((leaf.path, leaf.tag))
        return before is not None and value == comparable(before)

    def _retained(self, leaf: Leaf) -> bool:
        """Whether the element must still be there: K by a claimed option, U, or named by no row at all."""
        group, row = leaf.tag >> 16, self._rows.get(leaf.tag)
        if group & 1 or group < 0x0008 or not leaf.tag & 0xFFFF or group & 0xFF00 in (0x5000, 0x6000):
            return False
        if row is not None:
            return "K" in self._options(leaf.tag) or row.basic == "U"
        if leaf.known in _TEMPORAL:
            return bool(self._output.claims & _LONGITUDINAL)
        return leaf.tag in DicomDictionary and leaf.known not in _GUARDED


def _said(leaf: Leaf) -> bool:
    return bool(bytes(leaf.value[:64]).strip(b" \0"))
