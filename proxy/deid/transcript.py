"""Writes what needs no thought as it leaves: runs of elements retained, dropped, remapped, moved or foregone.

`labels` has marked the rows; here sequences whose whole content is so marked are settled with it, UIDs get what the
caller says, dates move by whole days, lengths are put right. One compiled pass each; no object is made for an element.
Same bytes as the walk would make, which tests hold together. Pure; holds PHI for one instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from proxy.deid.foregone import COUNTS, Foregone
from proxy.deid.hashes import room_for
from proxy.deid.inscribe import COUNTED, write
from proxy.deid.level import Gone, Run
from proxy.deid.scanner import END, OFFSET, TAG, Table
from proxy.deid.settling import collect, settle

#: bytes that a remapped UID needs at most, header and padding included
_UID_ROOM = 80
_OTHERS = COUNTS[1:]


class Transcript:
    """What becomes of the rows of one instance, by the item that they stand in (-1: the data set)."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        table: Table,
        marks: NDArray[np.uint8],
        policy: Settled,
        uid: Callable[[str], str],
    ) -> None:
        """``marks``: see `labels.mark`; they are used up. ``uid`` says what a UID becomes, and is not kept."""
        self._data, self._table, self._marks, self._policy = data, table, marks, policy
        rows, days, foregone = len(table), policy.days, policy.foregone
        self._whole, self._intact = np.empty(rows, np.bool_), np.empty(rows, np.bool_)
        flags = (self._whole, self._intact)
        self._maps, self._room = settle(data, table, marks, policy.following, days, *flags)
        ids, starts, stops = (np.empty(size, np.int64) for size in (rows, self._maps, self._maps))
        places = room_for(self._maps)
        count = collect(data, table, marks, policy.following, foregone.tags, places, ids, starts, stops)
        self._texts = (ids, *_mapped(data, starts[:count], stops[:count], uid))
        self._cells = memoryview(table.data)
        self._parts: dict[int, list[int | Run | Gone]] = {}
        self._write(0, rows)

    def parts(self, item: int) -> list[int | Run | Gone]:
        """Tags that need the walk, and what is settled between them."""
        if (
            item not in self._parts
        ):  # in a sequence that was settled as a whole, and which the walk entered all the same
            self._parts[item] = []
            self._write(item + 1, int(self._policy.following[item]))
        return self._parts[item]

    def _write(self, first: int, stop: int) -> None:
        policy, foregone, rows = self._policy, self._policy.foregone, stop - first
        if not rows:
            return
        room = len(foregone.data) + self._room if first == 0 else _extent(self._table[first:stop])
        out = np.empty(room + min(self._maps, rows) * _UID_ROOM, np.uint8)
        runs, entries = np.empty((rows, COUNTED + len(COUNTS)), np.int64), np.empty((rows, 3), np.int64)
        made, found = write(
            self._data,
            self._table,
            (self._marks, policy.following, self._whole, self._intact),
            policy.encoding,
            policy.borders,
            self._texts,
            policy.days,
            (foregone.tags, foregone.kinds, foregone.starts, foregone.data),
            out,
            runs,
            entries,
            (first, stop, policy.depth),
        )
        done, written = runs[:made].tolist(), memoryview(out.data)
        for item, run, row in entries[:found].tolist():
            part = self._cells[row, TAG] if run < 0 else _part(done[run], written)
            self._parts.setdefault(item, []).append(part)


def _extent(rows: Table) -> int:
    return int(rows[:, END].max()) - int(rows[0, OFFSET])


@dataclass(frozen=True, slots=True)
class Settled:
    """What an instance's transcript depends on, besides its rows. ``encoding``: implicit VR, big endian.

    Dates move by ``days``; ``depth``: how deep sequences may be nested.
    """

    following: NDArray[np.int64]
    encoding: tuple[bool, bool]
    borders: NDArray[np.int64]
    days: int
    foregone: Foregone
    depth: int


def _mapped(
    data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64], uid: Callable[[str], str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """What UIDs become, padded: all in one, where each begins, and whether it is what it was."""
    view = memoryview(data.data)
    before = [str(view[start:stop], "ascii") for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    after = [uid(value) for value in before]
    padded = [value + "\0" * (len(value) % 2) for value in after]
    limits = list(accumulate(map(len, padded), initial=0))
    same = [old == new for old, new in zip(before, after, strict=True)]
    return np.frombuffer("".join(padded).encode("ascii"), np.uint8), np.array(limits), np.array(same, np.bool_)


def _part(run: list[int], written: memoryview) -> Run | Gone:
    tag, start, stop, kept, *others = run
    if tag < 0:
        return Gone(others[0])
    told = tuple([pair for pair in zip(_OTHERS, others, strict=True) if pair[1]]) if any(others) else ()
    return Run(tag, bytes(written[start:stop]), kept, told)
