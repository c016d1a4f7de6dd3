"""Scripts without spaces (Han, kana, Hangul, Thai): cut into words of the vocabulary; what it does not know goes.

Names of the instance go first, wherever they stand. A single character beside something unknown goes with it, for it
may be half of a name; a few characters (left, lung, image) may stand beside any word. Pure.
"""

from __future__ import annotations

import re
import unicodedata

from proxy.deid.text_names import Names
from proxy.deid.text_scripts import HALF_WIDTH, HAN, HANGUL, HIRAGANA, KATAKANA, one_to_one
from proxy.deid.text_terms import Vocabulary

_WHOLE = re.compile(f"[{HALF_WIDTH}]+|[{HANGUL}]+")
_KANA = re.compile(f"[{HIRAGANA}]+|[{KATAKANA}]+")
_HAN = re.compile(f"[{HAN}]")
_LONGEST_TERM = 14
_SHORT_KANA = 3  # katakana beside something unknown stays from this length on; hiragana beside it never does
_TERM, _MARK, _UNKNOWN = 1, 2, 0


class Runs:
    """Judges runs of such scripts for one instance."""

    def __init__(self, vocabulary: Vocabulary, names: Names) -> None:
        self._words, self._marks, self._names = vocabulary.unspaced, vocabulary.marks, names
        self._particles = frozenset(word for word in vocabulary.unspaced if len(word) == 1)

    def pieces(self, run: str) -> list[tuple[str, bool]]:
        """``run`` in order, as what stays (True) and what goes."""
        if _WHOLE.fullmatch(run):
            return [(run, self._all_known(unicodedata.normalize("NFKC", run)))]
        cuts = self._cut(one_to_one(run))
        self._doubt(run, cuts)
        pieces: list[tuple[str, bool]] = []
        for start, end, kind in cuts:
            kept = kind != _UNKNOWN
            if pieces and pieces[-1][1] == kept:
                pieces[-1] = (pieces[-1][0] + run[start:end], kept)
            else:
                pieces.append((run[start:end], kept))
        return pieces

    def _all_known(self, run: str) -> bool:
        return all(kind != _UNKNOWN for _, _, kind in self._cut(one_to_one(run)))

    def _cut(self, run: str) -> list[list[int]]:
        """Segments [start, end, kind]: names first, then the longest word at each place."""
        cuts: list[list[int]] = []
        at = 0
        named_until = self._named(run)
        while at < len(run):
            if named_until[at] > at:
                cuts.append([at, named_until[at], _UNKNOWN])
            else:
                free = next((i for i in range(at, min(at + _LONGEST_TERM, len(run))) if named_until[i] > i), len(run))
                length = self._longest(run, at, min(free, at + _LONGEST_TERM))
                mark = length == 1 and run[at] in self._marks
                cuts.append([at, at + (length or 1), _MARK if mark else _TERM if length else _UNKNOWN])
            at = cuts[-1][1]
        return cuts

    def _named(self, run: str) -> list[int]:
        """For each place the end of what is named from there on, or the place itself."""
        until = list(range(len(run)))
        for length in self._names.runs:
            for at in range(len(run) - length + 1):
                if run[at : at + length] in self._names.unspaced:
                    until[at] = max(until[at], at + length)
        for at in range(1, len(run)):
            if until[at - 1] > at:
                until[at] = max(until[at], until[at - 1])
        return until

    def _longest(self, run: str, at: int, limit: int) -> int:
        for end in range(limit, at, -1):
            if run[at:end] in self._words:
                return end - at
        return 0

    def _doubt(self, run: str, cuts: list[list[int]]) -> None:
        """Known segments that the unknown beside them makes doubtful."""
        for match in _KANA.finditer(run):
            inside = [cut for cut in cuts if match.start() <= cut[0] and cut[1] <= match.end()]
            if any(cut[2] == _UNKNOWN for cut in inside):
                least = _SHORT_KANA + 1 if ord(match[0][0]) > 0x30A0 else 3
                for cut in inside:
                    cut[2] = cut[2] if cut[1] - cut[0] >= least else _UNKNOWN
        singles = 0
        for place, cut in enumerate([*cuts, [0, 0, _MARK]]):
            if cut[2] == _TERM and cut[1] - cut[0] == 1 and _HAN.match(run[cut[0]]):
                singles += 1
                continue
            for earlier in cuts[place - singles : place] if singles > 1 else ():
                earlier[2] = _UNKNOWN
            singles = 0
        for order in (cuts, cuts[::-1]):
            before = _MARK
            for cut in order:
                if before == _UNKNOWN and cut[1] - cut[0] == 1:
                    cut[2] = _UNKNOWN
                before = cut[2]
