"""This instance's own identifiers, collected from the input at every depth (private and unknown elements too).

Names, numbers, places and UIDs that would tell whose instance it was, in the forms in which they could come back. They
are PHI: nothing here has a readable repr, and none of it may leave the gate. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.pseudonym import is_standard_uid
from proxy.deid.reading import Leaf
from proxy.deid.repertoire import decode, folded

#: a word for comparison: a run of letters, or a number with inner dots, so that 1234 is no part of 1.2.1234.5
WORD = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
#: scripts that are written without spaces: han, kana, hangul
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


class Kind(IntEnum):
    """What an identifier is; decides where it is searched for. Bits: what is of two kinds counts as both."""

    NAME = 1
    NUMBER = 2
    PLACE = 4


#: attributes whose whole value identifies; every PN and UI is taken whatever its tag (tags of PS3.6)
NUMBERS = frozenset(
    {0x00100020, 0x00101000, 0x00080050, 0x00200010, 0x00101090, 0x00380010, 0x00380060, 0x00401001, 0x00400009}
    | {0x00400253, 0x00402016, 0x00402017, 0x00120040, 0x00120042, 0x00181000, 0x0018700A, 0x00101081}
    | {0x00102154, 0x00102155, 0x00080094, 0x00402010, 0x00400512, 0x00400551, 0x00181008}
    # addresses and telephone numbers of persons and institutions, residence
    | {0x00080081, 0x00101040, 0x00080092, 0x00401102, 0x00401103, 0x00401104, 0x0040A353, 0x0040A354, 0x00380400}
)
#: Institution Name: may be a maker's, see search.py
PLACES = frozenset({0x00080080})
BIRTH_DATE = 0x00100030
#: what identifies by its tag
IDENTIFYING = NUMBERS | PLACES | {BIRTH_DATE}
#: UIDs that name kinds of things (SOP classes, transfer syntaxes): the profile replaces them, but they identify nobody
CLASS_UIDS = frozenset(
    tag
    for tag, entry in DicomDictionary.items()
    if re.search(r"SOPClass|TransferSyntax|CodingSchemeUID|ContextUID", entry[4])
)
#: words of names that name nobody
NOBODY = frozenset(
    {"dr", "prof", "med", "mr", "mrs", "ms", "miss", "von", "van", "der", "den", "del", "los", "las", "the", "and"}
    | {"sir", "sen", "phd", "for", "anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "removed"}
)
_LEAST = {Kind.NAME: 3, Kind.NUMBER: 4, Kind.PLACE: 6}
#: bytes of a value that counts as it stands, in any encoding
LEAST_RAW = 6
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BIRTH = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")
#: VRs that (0008,0005) Specific Character Set rules (PS3.5 6.1.2.2)
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
VALUE_LIMIT = 4096  # a longer text is a document, not an identifier


@dataclass(slots=True)
class Identifiers:
    """What the gate knows of an input. Kinds are bits of `Kind`; nothing is found by looking at each in turn."""

    #: phrase of words → kinds; first word → how many words phrases have that begin with it
    phrases: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    words: dict[str, set[int]] = field(default_factory=dict, repr=False)
    #: all words of one name, by the longest of them: CodeMeaning and the like must hold the whole of it
    whole_names: dict[str, set[frozenset[str]]] = field(default_factory=dict, repr=False)
    #: by their first character
    unspaced: dict[str, set[tuple[str, int]]] = field(default_factory=dict, repr=False)
    whole: set[str] = field(default_factory=set, repr=False)
    raw: dict[bytes, int] = field(default_factory=dict, repr=False)
    uids: set[str] = field(default_factory=set, repr=False)


def collect(elements: Iterable[Leaf]) -> Identifiers:
    """Read the input once."""
    found = Identifiers()
    for leaf in elements:
        if leaf.vr != "SQ" and 0 < len(leaf.value) <= VALUE_LIMIT:
            _identifiers(found, leaf)
    return found


def stripped(value: memoryview | bytes) -> bytes:
    """A value without padding."""
    return bytes(value).strip(b" \0")


def comparable(leaf: Leaf) -> bytes:
    """A value without padding; text that is not ASCII in UTF-8, so that another character set does not hide it."""
    value = stripped(leaf.value)
    if leaf.vr not in CHARSET_VRS or (value.isascii() and b"\x1b" not in value):
        return value
    return _unpadded(decode(value, leaf.codec or "latin_1", strict=False)).encode("utf-8", "replace")


def birth_forms(text: str) -> str:
    """The ways to write a date of birth (DA), each with a NUL behind it; "" where it is none."""
    match = _BIRTH.fullmatch(text.replace(".", ""))
    if match is None:
        return ""
    y, m, d = match.groups()
    i, j = int(m), int(d)
    forms = f"{y}-{m}-{d}\0{d}-{m}-{y}\0{m}-{d}-{y}\0{y}.{m}.{d}\0{d}.{m}.{y}\0{m}.{d}.{y}\0{y}{m}{d}\0"
    forms += f"{j}.{i}.{y}\0{i}/{j}/{y}\0{j}/{i}/{y}\0"
    if 1 <= i <= 12:
        month = _MONTHS[i - 1]
        forms += f"{d} {month} {y}\0{j} {month} {y}\0{month} {j} {y}\0"
    return forms


def _identifiers(found: Identifiers, leaf: Leaf) -> None:
    if leaf.vr == "UI":
        if leaf.tag not in CLASS_UIDS:
            values = stripped(leaf.value).decode("latin_1").split("\\")
            found.uids.update(v for v in map(_unpadded, values) if v and not is_standard_uid(v))
    elif leaf.vr == "PN":
        _add_names(found, leaf)
    elif leaf.tag in NUMBERS or leaf.tag in PLACES:
        kind = Kind.NUMBER if leaf.tag in NUMBERS else Kind.PLACE
        for raw in bytes(leaf.value).split(b"\\"):
            _add(found, _unpadded(decode(raw, leaf.codec or "latin_1", strict=False)), raw, kind)
    elif leaf.tag == BIRTH_DATE:
        _add_birth_date(found, stripped(leaf.value).decode("latin_1"))


def _unpadded(value: str) -> str:
    return value.strip(" \0")


def _add_names(found: Identifiers, leaf: Leaf) -> None:
    """PS3.5 6.2.1: values by backslash, groups by =, components by ^. Any component alone names the person."""
    text = decode(bytes(leaf.value), leaf.codec or "latin_1", strict=False)
    for raw in re.split(rb"[\\^=]", bytes(leaf.value)):
        _add_raw(found, raw, Kind.NAME)
    for group in re.split(r"[\\=]", text):
        components = [_unpadded(c) for c in group.split("^")]
        for component in components:
            _add(found, component, b"", Kind.NAME)
            for word in WORD.findall(folded(component)):
                _add_phrase(found, (word,), Kind.NAME)
        joined = "".join(components[:2])
        if _UNSPACED.search(joined):
            _add_unspaced(found, folded(joined), Kind.NAME)
        words = frozenset(w for w in WORD.findall(folded(group)) if w not in NOBODY)
        if sum(map(len, words)) >= _LEAST[Kind.NAME]:
            found.whole_names.setdefault(max(words, key=len), set()).add(words)


def _add(found: Identifiers, text: str, raw: bytes, kind: Kind) -> None:
    plain = folded(text)
    _add_phrase(found, tuple(WORD.findall(plain)), kind)
    if kind is Kind.NUMBER and len(plain) >= _LEAST[kind]:
        found.whole.add(plain)
    if len(plain) >= 2 and _UNSPACED.search(plain):
        _add_unspaced(found, plain, kind)
    _add_raw(found, raw, kind)
    for codec in ("utf_8", "utf_16_le", "utf_16_be"):
        _add_raw(found, text.encode(codec, "replace"), kind)


def _add_unspaced(found: Identifiers, phrase: str, kind: Kind) -> None:
    found.unspaced.setdefault(phrase[0], set()).add((phrase, kind))


def _add_phrase(found: Identifiers, words: tuple[str, ...], kind: Kind) -> None:
    if sum(map(len, words)) < _LEAST[kind] or (len(words) == 1 and words[0] in NOBODY):
        return
    found.phrases[words] = found.phrases.get(words, 0) | kind
    found.words.setdefault(words[0], set()).add(len(words))


def _add_raw(found: Identifiers, raw: bytes, kind: Kind) -> None:
    needle = raw.strip(b" \0").lower()
    if len(needle) >= LEAST_RAW and needle.decode("latin_1") not in NOBODY:
        found.raw[needle] = found.raw.get(needle, 0) | kind


def _add_birth_date(found: Identifiers, text: str) -> None:
    for form in birth_forms(text).split("\0"):
        _add_phrase(found, tuple(WORD.findall(form)), Kind.NUMBER)
