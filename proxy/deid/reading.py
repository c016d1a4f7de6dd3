"""The gate's way of reading a data set: tokens to leaves (value, place, character set), without pydicom's data set.

Nothing is interpreted but sequences and Specific Character Set. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.repertoire import codec_of
from proxy.deid.tokens import ITEM, UNDEFINED, Token

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
CHARACTER_SET = 0x00080005
#: a place: sequence tag, item number, sequence tag, item number ...
Path = tuple[int, ...]


class Leaf(NamedTuple):
    """One element. ``vr`` is as written, or ``known`` where nothing, or UN, is; "SQ" has its items as later leaves.

    ``known`` is what PS3.6 says. ``codec`` is None where the character set is not one that the standard defines.
    """

    tag: int
    vr: str
    known: str
    path: Path
    value: memoryview
    offset: int
    codec: str | None


class _Open:
    __slots__ = ("codec", "end", "items", "path")

    def __init__(self, end: int, path: Path, codec: str | None) -> None:
        self.end, self.path, self.codec, self.items = end, path, codec, 0


def known_vr(tag: int) -> str:
    """The VR in PS3.6 ("US or SS" where it depends), UN where PS3.6 has no such attribute."""
    entry = DicomDictionary.get(tag)
    return str(entry[0]) if entry is not None else "UN"


def leaves(data: memoryview, tokens: Sequence[Token], vr_of: Callable[[int], str]) -> Iterator[Leaf]:
    """Every element in document order; ``vr_of`` says the VR where the encoding does not."""
    stack = [_Open(len(data), (), "latin_1")]
    for index, token in enumerate(tokens):
        while token.offset >= stack[-1].end:
            stack.pop()
        around = stack[-1]
        if token.tag == ITEM:
            stack.append(_Open(token.end, (*around.path, around.items), around.codec))
            around.items += 1
            continue
        known = vr_of(token.tag)
        vr = token.vr if token.vr not in ("", "UN") else known
        opened = index + 1 < len(tokens) and tokens[index + 1].tag == ITEM and tokens[index + 1].offset < token.end
        if opened or vr == "SQ" or (token.length == UNDEFINED and token.tag not in PIXEL_DATA):
            stack.append(_Open(token.end, (*around.path, token.tag), around.codec))
            yield Leaf(token.tag, "SQ", known, around.path, data[:0], token.offset, around.codec)
            continue
        value = data[token.value_offset : token.end]
        if token.tag == CHARACTER_SET:
            around.codec = codec_named(value)
        yield Leaf(token.tag, vr, known, around.path, value, token.offset, around.codec)


def codec_named(value: memoryview) -> str | None:
    """The codec for a value of Specific Character Set; None where it is not one that the standard defines."""
    try:
        return codec_of(bytes(value).decode("ascii"))
    except (LookupError, ValueError):
        return None
