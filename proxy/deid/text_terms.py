"""The clinical vocabulary: which words are terms, and which of them may as well be somebody's name.

Compiled once from parsed YAML documents (``rules/text/*.yaml``); the caller reads the files. Inflected forms, German
and Greek compounds and words of a medical ending are terms too. Immutable and picklable. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.deid.text_scripts import CYRILLIC, GREEK, HALF_WIDTH, HANGUL, THAI, UNSPACED, key, one_to_one
from proxy.errors import ConfigError

VERSION = 1
_KINDS = frozenset(
    {"terms", "common", "eponyms", "surnames", "anchors", "titles", "ambiguous_titles", "cues"}
    | {"prefixes", "suffixes", "marks"}
)
_RUN = re.compile(f"[{UNSPACED}{HALF_WIDTH}{HANGUL}{THAI}]")
#: endings that grammar adds, by script; what is left must be long enough to mean something
_ENDINGS: Sequence[tuple[re.Pattern[str], int, tuple[str, ...]]] = (
    (re.compile(f"[{CYRILLIC}]+"), 4, (
        "иями", "ями", "ами", "ого", "его", "ому", "ему", "ыми", "ими", "иях", "ией", "ием", "ах", "ях", "ов",
        "ев", "ей", "ий", "ый", "ой", "ая", "яя", "ое", "ее", "ие", "ые", "ых", "их", "ую", "юю", "ом", "ем",
        "ам", "ям", "ия", "ию", "ии", "а", "я", "о", "е", "у", "ю", "ы", "и", "ь",
    )),
    (re.compile(f"[{GREEK}]+"), 4, (
        "ουσ", "εων", "εισ", "εωσ", "ασ", "εσ", "ησ", "οσ", "ου", "οι", "ων", "ικη", "ικο", "ικα", "α", "η",
        "ο", "ι", "υ", "ε", "σ", "ν",
    )),
    (re.compile("[a-z]+"), 5, ("ing", "ed", "ly", "es", "en", "os", "as", "em", "s", "e", "n", "a", "o")),
)  # fmt: skip
_LINKS = ("s", "n", "en", "es", "o")
_SHORTEST_COMPOUND, _LONGEST_COMPOUND, _SHORTEST_PART, _GERMAN_PART = 7, 32, 3, 6


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words by kind, under their keys (`text_scripts.key`)."""

    terms: frozenset[str]
    #: terms that are surnames as well (Brown, Hodgkin, White): they stay only where no name stands beside them
    eponyms: frozenset[str]
    #: eponyms that are frequent surnames (Smith, Brown): they stay only right beside one of the anchors
    surnames: frozenset[str]
    #: those of the surnames that are no word of any language here, not even in small letters
    only_names: frozenset[str]
    #: words that an eponym belongs to (disease, fracture, Morbus)
    anchors: frozenset[str]
    titles: frozenset[str]
    #: titles that are something else in capitals (MR HEAD, DR CHEST)
    ambiguous_titles: frozenset[str]
    #: words after which a number tells who it is (MRN, Acc)
    cues: frozenset[str]
    stems: frozenset[str]
    parts: frozenset[str]
    ends: frozenset[str]
    #: words of scripts that are written without spaces
    unspaced: frozenset[str]
    #: their first character → the lengths of the words that begin with it, longest first
    heads: Mapping[str, tuple[int, ...]]
    #: single characters that may stand beside any other word of such a script
    marks: frozenset[str]
    #: name of a month as written, in small letters → its number
    months: tuple[tuple[str, int], ...]
    #: SHA-256 over everything that was read
    digest: str

    def knows(self, word_key: str) -> bool:
        """Whether a word, by its key, is clinical or common language."""
        if word_key in self.terms or word_key in self.eponyms:
            return True
        stem = _stem(word_key)
        return stem in self.stems or self._compound(word_key)

    def _compound(self, word: str) -> bool:
        """Parts and an end, with the letters that German puts between them."""
        if not _SHORTEST_COMPOUND <= len(word) <= _LONGEST_COMPOUND:
            return False
        reached, last = [0], len(word)
        for start in reached:
            rest = word[start:]
            if start and (rest in self.ends or _stem(rest) in self.ends):
                return True
            for stop in range(start + _SHORTEST_PART, last - _SHORTEST_PART + 1):
                if word[start:stop] not in self.parts:
                    continue
                links = (stop + len(link) for link in _LINKS if word.startswith(link, stop))
                reached += [place for place in (stop, *links) if place < last and place not in reached]
        return False


def parse_vocabulary(documents: Iterable[Mapping[str, Any]]) -> Vocabulary:
    """The vocabulary of parsed YAML ``documents``. ConfigError: an unknown key, or a value of another form."""
    listed = list(documents)
    words: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    months: dict[str, int] = {}
    german: list[str] = []
    for document in listed:
        _check(document)
        for kind in _KINDS & document.keys():
            words[kind] += list(document[kind]) if kind == "marks" else document[kind].split()
        for number, names in enumerate(document.get("months", ()), start=1):
            months.update((form, number) for name in names.split() for form in (name.lower(), key(name)))
        german += document.get("terms", "").split() if document["language"] == "de" else []
    return _compile(words, months, german, hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest())


def _check(document: Mapping[str, Any]) -> None:
    where = f"rules/text ({document.get('language', 'no language')})"
    if document.get("version") != VERSION or not isinstance(document.get("language"), str):
        raise ConfigError(where, f"needs 'version: {VERSION}' and a language")
    for name, value in document.items():
        if name in ("version", "language"):
            continue
        if name == "months":
            if not isinstance(value, list) or len(value) != 12 or not all(isinstance(v, str) for v in value):
                raise ConfigError(where, "months are twelve lines of names")
        elif name not in _KINDS or not isinstance(value, str):
            raise ConfigError(where, f"'{name}' is no list of words that is known")


def _compile(words: Mapping[str, list[str]], months: Mapping[str, int], german: list[str], digest: str) -> Vocabulary:
    keyed = {kind: frozenset(map(key, listed)) for kind, listed in words.items()}
    eponyms = keyed["eponyms"] | keyed["surnames"]
    titles = keyed["titles"] | keyed["ambiguous_titles"]
    every = keyed["terms"] | keyed["common"] | keyed["anchors"] | keyed["prefixes"]
    terms = frozenset(w for w in (every | keyed["cues"]) - eponyms if not _runs(w))
    parts = keyed["prefixes"] | {w for w in map(key, german) if len(w) >= _GERMAN_PART}
    unspaced = frozenset(one_to_one(w) for kind in ("terms", "common") for w in words[kind] if _runs(w))
    heads: dict[str, set[int]] = {}
    for word in unspaced:
        heads.setdefault(word[0], set()).add(len(word))
    clinical = {w for w in keyed["terms"] if len(w) > _SHORTEST_PART}
    stems = {word: _stem(word) for word in terms | clinical}
    return Vocabulary(
        terms=terms,
        eponyms=eponyms,
        surnames=keyed["surnames"],
        only_names=keyed["surnames"] - every,
        anchors=keyed["anchors"],
        titles=titles,
        ambiguous_titles=keyed["ambiguous_titles"],
        cues=keyed["cues"],
        stems=frozenset(stems[word] for word in terms),
        parts=parts - eponyms,
        ends=(keyed["suffixes"] | clinical | {stems[word] for word in clinical}) - eponyms,
        unspaced=unspaced,
        heads={head: tuple(sorted(lengths, reverse=True)) for head, lengths in heads.items()},
        marks=frozenset(map(one_to_one, words["marks"])),
        months=tuple(sorted(months.items(), key=lambda item: (-len(item[0]), item))),
        digest=digest,
    )  # fmt: skip


def _runs(word: str) -> bool:
    """Whether it is of a script without spaces between words."""
    return not word.isascii() and _RUN.search(word) is not None


def _stem(word: str) -> str:
    """``word`` without the longest ending of its script that leaves enough of it."""
    for script, least, endings in _ENDINGS:
        if script.fullmatch(word):
            for ending in endings:
                if word.endswith(ending) and len(word) - len(ending) >= least:
                    return word[: -len(ending)]
    return word
