"""Finds any of some byte strings in a large binary value, in one pass that looks at every fourth position.

A needle of five bytes or more has, wherever it lies, two neighbouring bytes at a position that is a multiple of four;
only where those two belong to some needle is the whole compared. ASCII letters match in either case. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np

from proxy.deid.compiled import compiled

LEAST = 5
_STRIDE = 4
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[65:91] += 32
_UPPER = np.arange(256, dtype=np.uint8)
_UPPER[97:123] -= 32


class Needles:
    """Byte strings to look for; shorter ones than `LEAST` are an error."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        """Each is compared without regard to the case of ASCII letters."""
        found = sorted({needle.lower() for needle in needles})
        if any(len(needle) < LEAST for needle in found):
            raise ValueError(f"a needle has at least {LEAST} bytes")
        self._text = np.frombuffer(b"".join(found), np.uint8)
        self._starts = np.cumsum([0, *map(len, found)], dtype=np.int64)
        self._pairs = np.zeros(65536, np.bool_)
        first = (self._starts[:-1, np.newaxis] + np.arange(_STRIDE)).ravel()
        for ahead, behind in product((_LOWER, _UPPER), repeat=2):
            low, high = ahead[self._text[first]], behind[self._text[first + 1]]
            self._pairs[high.astype(np.int64) << 8 | low] = True

    def within(self, value: memoryview) -> bool:
        """Whether any needle lies in ``value``."""
        if len(value) < LEAST or not len(self._text):
            return False
        data = np.frombuffer(value, np.uint8)
        pairs = np.frombuffer(value[: len(value) & ~1], "<u2")
        return bool(_search(data, pairs, self._pairs, self._text, self._starts, _LOWER))


@compiled
def _search(data: Any, pairs: Any, known: Any, text: Any, starts: Any, lower: Any) -> bool:
    size = len(data)
    for half in range(0, len(pairs), _STRIDE // 2):
        if not known[pairs[half]]:
            continue
        at = 2 * half
        for which in range(len(starts) - 1):
            start, stop = starts[which], starts[which + 1]
            for shift in range(_STRIDE):
                begin = at - shift
                if begin < 0 or begin + stop - start > size or text[start + shift] != lower[data[at]]:
                    continue
                same = True
                for offset in range(stop - start):
                    if lower[data[begin + offset]] != text[start + offset]:
                        same = False
                        break
                if same:
                    return True
    return False
