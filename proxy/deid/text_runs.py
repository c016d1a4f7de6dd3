"""Scripts without spaces (Han, kana, Hangul, Thai): cut into words of the vocabulary; what it does not know goes.

Names of the instance go first, wherever they stand. A single character beside something unknown goes with it, for it
may be half of a name; a few characters (left, lung, image) may stand beside any word. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left

from proxy.deid.text_names import Names
from proxy.deid.text_scripts import HALF_WIDTH, HAN, HANGUL, HIRAGANA, KATAKANA, one_to_one
from proxy.deid.text_terms import Vocabulary

_WHOLE = re.compile(f"[{HALF_WIDTH}]+|[{HANGUL}]+")
_KANA = re.compile(f"[{HIRAGANA}]+|[{KATAKANA}]+")
_HAN = re.compile(f"[{HAN}]")
_SHORT_KANA = 3  # katakana beside something unknown stays from this length on; hiragana beside it never does
_TERM, _MARK, _UNKNOWN = 1, 2, 0


class Runs:
    """Judges runs of such scripts for one instance."""

    def __init__(self, vocabulary: Vocabulary, names: Names) -> None:
        self._words, self._heads = vocabulary.unspaced, vocabulary.heads
        self._marks, self._names = vocabulary.marks, names

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
        start = 0
        for name in [*self._named(run), (len(run), len(run))]:
            self._cut_free(run, start, name[0], cuts)
            if name[1] > name[0]:
                cuts.append([*name, _UNKNOWN])
            start = name[1]
        return cuts

    def _cut_free(self, run: str, at: int, end: int, cuts: list[list[int]]) -> None:
        while at < end:
            lengths = self._heads.get(run[at], ())
            length = next((n for n in lengths if at + n <= end and run[at : at + n] in self._words), 0)
            mark = length == 1 and run[at] in self._marks
            cuts.append([at, at + (length or 1), _MARK if mark else _TERM if length else _UNKNOWN])
            at = cuts[-1][1]

    def _named(self, run: str) -> list[tuple[int, int]]:
        """Where names of the instance stand, overlapping ones as one."""
        found = sorted(
            (at, at + length)
            for length in self._names.runs
            for at in range(len(run) - length + 1)
            if run[at : at + length] in self._names.unspaced
        )
        spans: list[tuple[int, int]] = []
        for start, end in found:
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _doubt(self, run: str, cuts: list[list[int]]) -> None:
        """Known segments that the unknown beside them makes doubtful."""
        starts = [cut[0] for cut in cuts]
        for match in _KANA.finditer(run):
            among = cuts[bisect_left(starts, match.start()) : bisect_left(starts, match.end())]
            inside = [cut for cut in among if cut[1] <= match.end()]
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
