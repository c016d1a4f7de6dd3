"""Which elements of an output may hold an identifier of its input, in one compiled pass: the others need no search.

A shortcut before `search.Search` and nothing more: what that would find, or could not read, is always a suspect here,
whatever its character set. One that is suspected without reason costs time only. Holds PHI, as hashes and byte strings,
for one instance. Pure.
"""

from __future__ import annotations

import numpy as np

from proxy.deid.facts import BIRTH
from proxy.deid.hashes import hash_of, room_for
from proxy.deid.identifiers import LEAST_RAW, NOBODY, Identifiers, birth_forms, collect, stripped
from proxy.deid.needles import Index, first_in, index_of, next_from
from proxy.deid.sieve_ask import ask, mark, widened
from proxy.deid.sieve_learn import candidates, learn, learn_phrases
from proxy.deid.sieve_words import LEAST_NOTED
from proxy.deid.view import View

_NOBODY = np.array(sorted(hash_of(word.encode("ascii")) for word in NOBODY), np.uint64)
#: hashes for each byte of an identifier, and for a phrase
_FOR_A_BYTE, _FOR_A_PHRASE = 2, 3
_SUSPECT = b"\1"


class Sieve:
    """One input's identifiers. ``uids``: whether UIDs tell anything."""

    def __init__(self, view: View, *, uids: bool = True) -> None:
        picked = np.empty((len(view.rows), 2), np.int64)
        count, odd, total = candidates(view.data, view.rows, picked)
        picked = picked[:count]
        #: rows of the input that may identify
        self.rows: list[int] = picked[:, 0].tolist()
        self._odd = collect(view.leaf(row) for row, holds in picked.tolist() if holds < 0) if odd else None
        births = [row for row, holds in zip(self.rows, picked[:, 1].tolist(), strict=True) if holds == BIRTH]
        phrases = "".join(birth_forms(stripped(view.value(row)).decode("latin_1")) for row in births)
        phrases += _phrases(self._odd) if self._odd is not None else ""
        self._marks = room_for(_FOR_A_BYTE * total + _FOR_A_PHRASE * phrases.count("\0"))
        self._text, starts = np.empty(total, np.uint8), np.zeros(total // LEAST_NOTED + 2, np.int64)
        count = learn(view.data, view.rows, picked, uids, _NOBODY, self._marks, self._text, starts)
        self._starts = starts[: count + 1]
        if phrases:
            learn_phrases(np.frombuffer(phrases.encode("ascii"), np.uint8), _NOBODY, self._marks)
        self._index = index_of(self._text, self._starts, LEAST_RAW)

    def __repr__(self) -> str:
        return "Sieve(<phi>)"

    def suspects(self, output: View) -> bytearray:
        """1 for each row that has to be searched."""
        found = bytearray(len(output.rows))
        if output.has_unknown_codec:
            return bytearray(_SUSPECT * len(output.rows))
        if not found:
            return found
        marks = np.frombuffer(found, np.uint8)
        wide = ask(output.data, output.rows, output.facts.reads, self._marks, marks)
        _mark_all(output, self._index, marks)
        if wide:
            _mark_all(output, self._widened(), marks)
        if self._odd is not None and (needles := _needles(self._odd)):
            _mark_all(output, _index_of(needles), marks)
        return found

    def may_be_in(self, value: memoryview) -> bool:
        """Whether pixel data may hold an identifier byte by byte."""
        if first_in(value, self._index) >= 0:
            return True
        plain = _needles(self._odd, wide=False) if self._odd is not None else []
        return bool(plain) and first_in(value, _index_of(plain)) >= 0

    def _widened(self) -> Index:
        """The byte strings in UTF-16."""
        text, starts = np.empty(2 * len(self._text), np.uint8), np.zeros(len(self._starts), np.int64)
        widened(self._text, self._starts, text, starts)
        return index_of(text, starts, LEAST_RAW)


def _phrases(known: Identifiers) -> str:
    """What may stand in a text of ASCII characters, each with a NUL behind it."""
    texts = [*map(" ".join, known.phrases), *known.whole_names, *known.whole, *known.uids]
    return "".join(f"{text}\0" for text in texts if text.isascii())


def _needles(known: Identifiers, *, wide: bool = True) -> list[bytes]:
    """What may stand anywhere as it is; without ``wide`` no text in UTF-16, but for UIDs with a NUL in them."""
    raw = [needle for needle in known.raw if wide or b"\0" not in needle]
    return [*raw, *(uid.encode("latin_1") for uid in known.uids if len(uid) >= LEAST_RAW)]


def _index_of(needles: list[bytes]) -> Index:
    starts = np.cumsum([0, *map(len, needles)], dtype=np.int64)
    return index_of(np.frombuffer(b"".join(needles), np.uint8), starts)


def _mark_all(output: View, index: Index, marks: np.ndarray) -> None:
    """Mark the rows in which a byte string of ``index`` stands."""
    at, size = 0, len(output.data)
    while (found := int(next_from(output.data, at, size, *index))) >= 0:
        at = int(mark(output.rows, found, marks))
