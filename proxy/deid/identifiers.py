"""This instance's own identifiers, collected from the input at every depth (private and unknown elements too).

Names, numbers, places and UIDs that would tell whose instance it was, in the forms in which they could come back. They
are PHI: nothing here has a readable repr, and none of it may leave the gate. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from enum import Enum

from proxy.deid.pseudonym import is_standard_uid
from proxy.deid.reading import Leaf, Path
from proxy.deid.repertoire import decode, folded

#: a word for comparison: a run of letters, or a number with inner dots, so that 1234 is no part of 1.2.1234.5
WORD = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
#: scripts that are written without spaces: han, kana, hangul
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


class Kind(Enum):
    """What an identifier is; decides where it is searched for."""

    NAME = "name"
    NUMBER = "number"
    PLACE = "place"


#: attributes whose whole value identifies; every PN and UI is taken whatever its tag (tags of PS3.6)
_NUMBERS = frozenset(
    {0x00100020, 0x00101000, 0x00080050, 0x00200010, 0x00101090, 0x00380010, 0x00380060, 0x00401001, 0x00400009}
    | {0x00400253, 0x00402016, 0x00402017, 0x00120040, 0x00120042, 0x00181000, 0x0018700A, 0x00101081}
    | {0x00102154, 0x00102155, 0x00080094, 0x00402010, 0x00400512, 0x00400551, 0x00181008}
    # addresses and telephone numbers of persons and institutions, residence
    | {0x00080081, 0x00101040, 0x00080092, 0x00401102, 0x00401103, 0x00401104, 0x0040A353, 0x0040A354, 0x00380400}
)
#: Institution Name: may be a maker's, see search.py
_PLACES = frozenset({0x00080080})
_BIRTH_DATE = 0x00100030
#: what identifies by its tag
IDENTIFYING = _NUMBERS | _PLACES | {_BIRTH_DATE}
#: words of names that name nobody
_NOBODY = frozenset(
    {"dr", "prof", "med", "mr", "mrs", "ms", "miss", "von", "van", "der", "den", "del", "los", "las", "the", "and"}
    | {"sir", "sen", "phd", "for", "anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "removed"}
)
_LEAST = {Kind.NAME: 3, Kind.NUMBER: 4, Kind.PLACE: 6}
_LONG = 6
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: VRs that (0008,0005) Specific Character Set rules (PS3.5 6.1.2.2)
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_VALUE_LIMIT = 4096  # a longer text is a document, not an identifier


@dataclass(slots=True)
class Source:
    """What the gate knows of an input. ``words`` finds a phrase by its first word."""

    words: dict[str, set[tuple[tuple[str, ...], Kind]]] = field(default_factory=dict, repr=False)
    #: all words of one name: CodeMeaning and the like must hold the whole of it
    whole_names: set[frozenset[str]] = field(default_factory=set, repr=False)
    unspaced: set[tuple[str, Kind]] = field(default_factory=set, repr=False)
    whole: set[str] = field(default_factory=set, repr=False)
    raw: set[tuple[bytes, Kind]] = field(default_factory=set, repr=False)
    uids: set[str] = field(default_factory=set, repr=False)
    #: tag → its elements with a value in the input, wherever they stand
    elements: Callable[[int], Iterable[Leaf]] = field(default=lambda tag: (), repr=False)
    #: whether bytes stand anywhere in the input but in pixel data
    mentions: Callable[[bytes], bool] = field(default=lambda needle: False, repr=False)
    #: the same without the identifiers of these attributes
    without: Callable[[Set[int]], Source] = field(default=lambda tags: Source(), repr=False)
    _values: dict[int, set[bytes]] = field(default_factory=dict, repr=False)
    _places: dict[int, dict[Path, memoryview]] = field(default_factory=dict, repr=False)

    def values(self, tag: int) -> set[bytes]:
        """The values that an attribute has in the input, in their `comparable` form."""
        if tag not in self._values:
            leaves = self.elements(tag)
            self._values[tag] = {comparable(leaf) for leaf in leaves if len(leaf.value) <= _VALUE_LIMIT}
        return self._values[tag]

    def at(self, path: Path, tag: int) -> bytes:
        """The unpadded value at one place of the input, b"" where there is none."""
        if tag not in self._places:
            self._places[tag] = {leaf.path: leaf.value for leaf in self.elements(tag)}
        return stripped(self._places[tag].get(path, b""))


def collect(elements: Iterable[Leaf], class_uids: frozenset[int]) -> Source:
    """Read the input once; UIDs of ``class_uids`` name kinds of things, not things."""
    source = Source()
    for leaf in elements:
        if leaf.vr != "SQ" and 0 < len(leaf.value) <= _VALUE_LIMIT:
            _identifiers(source, leaf, class_uids)
    return source


def stripped(value: memoryview | bytes) -> bytes:
    """A value without padding."""
    return bytes(value).strip(b" \0")


def comparable(leaf: Leaf) -> bytes:
    """A value without padding; text that is not ASCII in UTF-8, so that another character set does not hide it."""
    value = stripped(leaf.value)
    if leaf.vr not in CHARSET_VRS or (value.isascii() and b"\x1b" not in value):
        return value
    return _unpadded(decode(value, leaf.codec or "latin_1", strict=False)).encode("utf-8", "replace")


def _identifiers(source: Source, leaf: Leaf, class_uids: frozenset[int]) -> None:
    if leaf.vr == "UI":
        if leaf.tag not in class_uids:
            values = stripped(leaf.value).decode("latin_1").split("\\")
            source.uids.update(v for v in map(_unpadded, values) if v and not is_standard_uid(v))
    elif leaf.vr == "PN":
        _add_names(source, leaf)
    elif leaf.tag in _NUMBERS or leaf.tag in _PLACES:
        kind = Kind.NUMBER if leaf.tag in _NUMBERS else Kind.PLACE
        for raw in bytes(leaf.value).split(b"\\"):
            _add(source, _unpadded(decode(raw, leaf.codec or "latin_1", strict=False)), raw, kind)
    elif leaf.tag == _BIRTH_DATE:
        _add_birth_date(source, stripped(leaf.value).decode("latin_1"))


def _unpadded(value: str) -> str:
    return value.strip(" \0")


def _add_names(source: Source, leaf: Leaf) -> None:
    """PS3.5 6.2.1: values by backslash, groups by =, components by ^. Any component alone names the person."""
    text = decode(bytes(leaf.value), leaf.codec or "latin_1", strict=False)
    for raw in re.split(rb"[\\^=]", bytes(leaf.value)):
        _add_raw(source, raw, Kind.NAME)
    for group in re.split(r"[\\=]", text):
        components = [_unpadded(c) for c in group.split("^")]
        for component in components:
            _add(source, component, b"", Kind.NAME)
            for word in WORD.findall(folded(component)):
                _add_phrase(source, (word,), Kind.NAME)
        joined = "".join(components[:2])
        if _UNSPACED.search(joined):
            source.unspaced.add((folded(joined), Kind.NAME))
        words = frozenset(w for w in WORD.findall(folded(group)) if w not in _NOBODY)
        if sum(map(len, words)) >= _LEAST[Kind.NAME]:
            source.whole_names.add(words)


def _add(source: Source, text: str, raw: bytes, kind: Kind) -> None:
    plain = folded(text)
    _add_phrase(source, tuple(WORD.findall(plain)), kind)
    if kind is Kind.NUMBER and len(plain) >= _LEAST[kind]:
        source.whole.add(plain)
    if _UNSPACED.search(plain) and len(plain) >= 2:
        source.unspaced.add((plain, kind))
    _add_raw(source, raw, kind)
    for codec in ("utf_8", "utf_16_le", "utf_16_be"):
        _add_raw(source, text.encode(codec, "replace"), kind)


def _add_phrase(source: Source, words: tuple[str, ...], kind: Kind) -> None:
    if sum(map(len, words)) < _LEAST[kind] or (len(words) == 1 and words[0] in _NOBODY):
        return
    source.words.setdefault(words[0], set()).add((words, kind))


def _add_raw(source: Source, raw: bytes, kind: Kind) -> None:
    needle = raw.strip(b" \0").lower()
    if len(needle) >= _LONG and needle.decode("latin_1") not in _NOBODY:
        source.raw.add((needle, kind))


def _add_birth_date(source: Source, text: str) -> None:
    digits = text.replace(".", "")
    if re.fullmatch(r"[0-9]{8}", digits) is None:
        return
    y, m, d = digits[:4], digits[4:6], digits[6:]
    month = _MONTHS[int(m) - 1] if 1 <= int(m) <= 12 else ""
    forms = [f"{a}{sep}{b}{sep}{c}" for a, b, c in ((y, m, d), (d, m, y), (m, d, y)) for sep in "-./"]
    forms += [digits, f"{d} {month} {y}", f"{int(d)} {month} {y}", f"{month} {int(d)} {y}"] if month else [digits]
    forms += [f"{int(d)}.{int(m)}.{y}", f"{int(m)}/{int(d)}/{y}", f"{int(d)}/{int(m)}/{y}"]
    for form in forms:
        _add_phrase(source, tuple(WORD.findall(form)), Kind.NUMBER)
