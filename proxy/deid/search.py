"""Searches one element of an output for identifiers of its input; says yes or no, never what or where in the value.

Text is compared word by word, so that an ID is not found inside a UID or a longer number; binary values byte by byte.
In doubt the answer is yes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.deid.identifiers import WORD, Kind, Source, stripped
from proxy.deid.needles import Needles
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

    def __init__(self, source: Source, constant: Callable[[bytes], bool]) -> None:
        self._source = source
        self._constant = constant
        self._seen: set[tuple[int, str, bytes, str | None]] = set()
        self._needles = sorted(source.raw, key=lambda pair: pair[0])
        self._long_uids = frozenset(uid for uid in source.uids if len(uid) >= _LONG_UID)
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
            uids = {uid.encode("ascii", "replace") for uid in self._long_uids}
            # not the UTF-16 forms: their zero bytes are in every sample of 16 bits, and nothing writes them there
            self._bulk = Needles({needle for needle, _ in self._needles if b"\0" not in needle} | uids)
        return self._bulk.within(value)

    def _in_text(self, leaf: Leaf, vr: str, value: bytes) -> bool:
        if vr == "UI" and any(uid.strip(b" \0").decode("latin_1") in self._source.uids for uid in value.split(b"\\")):
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
        if any(len(part := value.strip(" \0")) >= least and part in self._source.whole for value in text.split("\\")):
            return True
        words = frozenset(WORD.findall(text))
        # a short word of a name may be a defined term (HEAD); a long one as a whole value, or all words, are the name
        if any(
            ((part,), Kind.NAME) in self._source.words.get(part, ())
            for part in words - TERMS
            if len(part) >= _LONG_NAME
        ):
            return True
        return len(words) > 1 and any(len(name) > 1 and name <= words for name in self._source.whole_names)

    def _in_words(self, tag: int, text: str) -> bool:
        words = WORD.findall(text)
        for index, word in enumerate(words):
            for phrase, kind in self._source.words.get(word, ()):
                if tuple(words[index : index + len(phrase)]) == phrase and _counts(kind, tag):
                    return True
        if tag in _CODED and any(name <= set(words) for name in self._source.whole_names):
            return True
        return any(phrase in text and _counts(kind, tag) for phrase, kind in self._source.unspaced)

    def _in_bytes(self, tag: int, value: bytes) -> bool:
        lower = value.lower()
        for needle, kind in self._needles:
            # text that is not ASCII may be in another character set than declared: then its bytes tell
            if (_counts(kind, tag) or not needle.isascii()) and _found(lower, needle):
                return True
        return any(m[0].decode("ascii") in self._long_uids for m in _UID_LIKE.finditer(value))


def _counts(kind: Kind, tag: int) -> bool:
    """Whether a part of an identifier of this kind counts in this attribute."""
    return not (kind is Kind.PLACE and tag in _MAKERS) and not (kind is Kind.NAME and tag in _CODED)


_UID_LIKE = re.compile(rb"[0-9]+(?:\.[0-9]+){2,}")


def _found(lower: bytes, needle: bytes) -> bool:
    """``needle`` in ``lower``, not as a part of a longer word or number."""
    at = lower.find(needle)
    while at >= 0:
        if not _joined(lower[at - 1 : at], needle[:1]) and not _joined(
            lower[at + len(needle) : at + len(needle) + 1], needle[-1:]
        ):
            return True
        at = lower.find(needle, at + 1)
    return False


def _joined(outer: bytes, inner: bytes) -> bool:
    if inner.isdigit():
        return outer.isdigit() or outer == b"."
    return inner.isalpha() and outer.isalpha()
