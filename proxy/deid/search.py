"""Searches one element of an output for identifiers of its input; says yes or no, never what or where in the value.

Text is compared word by word, so that an ID is not found inside a UID or a longer number; binary values byte by byte.
In doubt the answer is yes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from proxy.deid.identifiers import LEAST_RAW, WORD, Identifiers, Kind, stripped
from proxy.deid.needles import Index, Needles, index_of, next_from
from proxy.deid.reading import Leaf
from proxy.deid.repertoire import decode, folded
from proxy.deid.terms import TERMS

#: VRs whose words are looked at one by one
_FREE = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
#: VRs that are compared as a whole, and how long an identifier must be to count there
_WHOLE = {"AE": 4, "AS": 4, "CS": 4, "DS": 6, "IS": 6}
#: their own rules judge these: UIDs by identity, dates and times by having moved
_JUDGED = frozenset({"DA", "DT", "TM", "UI"})
#: parts of a code (PS3.3 8.8): "Head" and "TEST" are terms there, so only the whole of a name is a name
_CODED = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080115, 0x00080119, 0x00080120})
#: Manufacturer, Manufacturer's Model Name, Software Versions: a site named like a maker is not given away by the maker
_MAKERS = frozenset({0x00080070, 0x00081090, 0x00181020})
_TEXTUAL = _FREE | _JUDGED | frozenset(_WHOLE)
_LONG_UID = 10
_LONG_NAME = 6
#: what a UID, date or time is made of; anything else in their VRs is read as text
_FIGURES = re.compile(rb"[0-9.+\-:\\ \0]*")


class Search:
    """One input's identifiers, ready to be looked for. ``constant`` tells values that say nothing about any input."""

    def __init__(self, identifiers: Identifiers, constant: Callable[[bytes], bool], *, uids: bool = True) -> None:
        """``uids``: whether UIDs tell anything."""
        self._known, self._constant = identifiers, constant
        self._seen: set[tuple[int, str, bytes, str | None]] = set()
        self._uids = frozenset(identifiers.uids) if uids else frozenset[str]()
        self._long_uids = frozenset(uid for uid in self._uids if len(uid) >= _LONG_UID)
        self._raw: Index | None = None
        self._lengths: dict[bytes, set[int]] = {}
        self._bulk: Needles | None = None

    def finds(self, leaf: Leaf) -> bool:
        """True where ``leaf`` holds an identifier of the input. ValueError: its text cannot be decoded."""
        if leaf.vr == "SQ" or not len(leaf.value):
            return False
        value = stripped(leaf.value)
        if b"\\" in value:
            value = b"\\".join(part for part in value.split(b"\\") if not part or not self._constant(part.strip(b" ")))
        key = (leaf.tag, leaf.vr, value, leaf.codec)
        if key in self._seen or self._constant(value):
            return False
        vr = leaf.known if leaf.known in _FREE else leaf.vr
        found = self._in_text(leaf, vr, value) if vr in _TEXTUAL else self._in_bytes(leaf.tag, value)
        if not found and len(value) < 1024:
            self._seen.add(key)
        return found

    def in_bulk(self, value: memoryview) -> bool:
        """True where pixel data holds an identifier byte by byte: in a comment of a codestream, behind the last pixel.

        Text that is drawn is not found, and words that only may be a name are not asked for.
        """
        if self._bulk is None:
            uids = {uid.encode("latin_1", "replace") for uid in self._long_uids}
            # not the UTF-16 forms: their zero bytes are in every sample of 16 bits, and nothing writes them there
            self._bulk = Needles({needle for needle in self._known.raw if b"\0" not in needle} | uids)
        return self._bulk.within(value)

    def _in_text(self, leaf: Leaf, vr: str, value: bytes) -> bool:
        if vr == "UI" and any(uid.strip(b" \0").decode("latin_1") in self._uids for uid in value.split(b"\\")):
            return True
        if vr in _JUDGED and _FIGURES.fullmatch(value):
            return False
        if leaf.codec is None:
            raise ValueError("an unknown character set")
        text = folded(decode(value, leaf.codec, strict=True))
        if vr in _WHOLE:
            return self._is_whole(text, _WHOLE[vr])
        return self._in_words(leaf.tag, text) or self._in_bytes(leaf.tag, value)

    def _is_whole(self, text: str, least: int) -> bool:
        if any(len(part := value.strip(" \0")) >= least and part in self._known.whole for value in text.split("\\")):
            return True
        words = frozenset(WORD.findall(text))
        # a short word of a name may be a defined term (HEAD); a long one as a whole value, or all words, are the name
        if any(self._known.phrases.get((part,), 0) & Kind.NAME for part in words - TERMS if len(part) >= _LONG_NAME):
            return True
        return len(words) > 1 and any(len(name) > 1 for name in self._names_in(words))

    def _names_in(self, words: frozenset[str]) -> Iterator[frozenset[str]]:
        """Names of which every word is there."""
        for word in words:
            yield from (name for name in self._known.whole_names.get(word, ()) if name <= words)

    def _in_words(self, tag: int, text: str) -> bool:
        words, known, kinds = WORD.findall(text), self._known, _kinds(tag)
        for index, word in enumerate(words):
            for length in known.words.get(word, ()):
                if known.phrases.get(tuple(words[index : index + length]), 0) & kinds:
                    return True
        if tag in _CODED and any(self._names_in(frozenset(words))):
            return True
        return not text.isascii() and any(
            kind & kinds and text.startswith(phrase, index)
            for index, character in enumerate(text)
            for phrase, kind in known.unspaced.get(character, ())
        )

    def _in_bytes(self, tag: int, value: bytes) -> bool:
        kinds = _kinds(tag)
        # text that is not ASCII may be in another character set than declared: then its bytes tell
        if any(kind & kinds or not needle.isascii() for needle, kind in self._raw_in(value.lower())):
            return True
        return any(m[0].decode("ascii") in self._long_uids for m in _UID_LIKE.finditer(value))

    def _raw_in(self, lower: bytes) -> Iterator[tuple[bytes, int]]:
        """Identifiers that stand in ``lower`` as they are, not as a part of a longer word or number."""
        if self._raw is None:
            self._index_raw()
        data, at = np.frombuffer(lower, np.uint8) if lower else np.zeros(0, np.uint8), -1
        while self._raw is not None and (at := int(next_from(data, at + 1, len(data), *self._raw))) >= 0:
            for length in self._lengths.get(lower[at : at + LEAST_RAW], ()):
                needle = lower[at : at + length]
                if needle in self._known.raw and _stands_alone(lower, at, at + length):
                    yield needle, self._known.raw[needle]

    def _index_raw(self) -> None:
        needles = list(self._known.raw)
        starts = np.cumsum([0, *map(len, needles)], dtype=np.int64)
        self._raw = index_of(np.frombuffer(b"".join(needles) or b" ", np.uint8), starts)
        for needle in needles:
            self._lengths.setdefault(needle[:LEAST_RAW], set()).add(len(needle))


def _kinds(tag: int) -> int:
    """The kinds of identifiers of which a part counts in this attribute."""
    return _ALL & ~(Kind.PLACE if tag in _MAKERS else 0) & ~(Kind.NAME if tag in _CODED else 0)


_ALL = int(Kind.NAME | Kind.NUMBER | Kind.PLACE)
_UID_LIKE = re.compile(rb"[0-9]+(?:\.[0-9]+){2,}")


def _stands_alone(lower: bytes, start: int, stop: int) -> bool:
    before, behind = lower[max(start - 1, 0) : start], lower[stop : stop + 1]
    return not _joined(before, lower[start : start + 1]) and not _joined(behind, lower[stop - 1 : stop])


def _joined(outer: bytes, inner: bytes) -> bool:
    if inner.isdigit():
        return outer.isdigit() or outer == b"."
    return inner.isalpha() and outer.isalpha()
