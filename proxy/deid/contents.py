"""One Part 10 instance as the gate reads it, without a policy: for comparing files of which only the bytes are known.

The rules of the standard say the VR where the encoding does not. Values are views of the buffer; pixel data is found
and not looked at. What cannot be read raises `InstanceHeld`. Contents are PHI: nothing has a readable repr. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.deid.identifiers import stripped
from proxy.deid.part10 import PREAMBLE, Limits, read_meta, read_part10
from proxy.deid.reading import PIXEL_DATA, Leaf, Path, known_vr, leaves
from proxy.deid.tables import Attribute, Tables, tag_number
from proxy.deid.tokens import inflate, scan
from proxy.errors import InstanceHeld, Reason

_METHOD_CODES, _CODE_VALUE = 0x00120064, 0x00080100


@dataclass(frozen=True, slots=True)
class Contents:
    """Elements in document order, without pixel data and file meta information, which stand apart."""

    transfer_syntax_uid: str
    little: bool
    preamble: memoryview = field(repr=False)
    meta: tuple[Leaf, ...] = field(repr=False)
    elements: tuple[Leaf, ...] = field(repr=False)
    pixels: tuple[Leaf, ...] = field(repr=False)
    places: Mapping[tuple[Path, int], Leaf] = field(repr=False)
    #: options of PS3.15 Annex E that the instance says were applied to it, by its method codes (CID 7050)
    claims: frozenset[str]

    def plain(self, tag: int) -> bytes:
        """The unpadded value at the top level, b"" where there is none."""
        leaf = self.places.get(((), tag))
        return stripped(leaf.value) if leaf is not None else b""


class Reader:
    """Reads instances by the tables of the standard, within ``limits``."""

    def __init__(self, tables: Tables, limits: Limits | None = None) -> None:
        self._syntaxes = tables.transfer_syntaxes
        self._limits = limits or Limits()
        self._options = {method.code: method.option for method in tables.methods}
        tags = ((tag_number(row.tag), row) for row in tables.attributes)
        #: rows of Table E.1-1 by tag, without the masked ones
        self.rows: dict[int, Attribute] = {tag: row for tag, row in tags if tag is not None}

    def read(self, data: memoryview) -> Contents:
        """Scan ``data``; `InstanceHeld` where it is no Part 10 instance, or none within the limits."""
        head = read_part10(data)
        syntax = self._syntaxes.get(head.transfer_syntax_uid)
        if syntax is None or syntax.handling == "refuse":
            raise InstanceHeld(Reason.UNKNOWN_TRANSFER_SYNTAX, "this transfer syntax is not handled", 0x00020010)
        body, start = data, head.dataset_offset
        if syntax.deflated:
            body, start = memoryview(inflate(data, start, self._limits)), 0
        tokens = scan(body, start, implicit=syntax.implicit, little=syntax.little, limits=self._limits)
        every = tuple(leaves(body, tokens, self._vr))
        elements = tuple(leaf for leaf in every if leaf.path or leaf.tag not in PIXEL_DATA)
        return Contents(
            syntax.uid,
            syntax.little,
            data[:PREAMBLE],
            tuple(_meta(data)),
            elements,
            tuple(leaf for leaf in every if not leaf.path and leaf.tag in PIXEL_DATA),
            {(leaf.path, leaf.tag): leaf for leaf in elements},
            self._claims(elements),
        )

    def _vr(self, tag: int) -> str:
        row = self.rows.get(tag)
        return row.vr if row is not None else known_vr(tag)

    def _claims(self, elements: tuple[Leaf, ...]) -> frozenset[str]:
        codes = (
            stripped(leaf.value).decode("latin_1")
            for leaf in elements
            if leaf.tag == _CODE_VALUE and len(leaf.path) == 2 and leaf.path[0] == _METHOD_CODES
        )
        return frozenset(self._options[code] for code in codes if code in self._options)


def _meta(data: memoryview) -> list[Leaf]:
    return [
        Leaf(e.tag, e.vr, e.vr, (), data[e.value_offset : e.value_offset + e.length], e.value_offset, "latin_1")
        for e in read_meta(data)
    ]
