"""Originals and their de-identified files: reads both folders, pairs them, and compares pair by pair.

Bounded memory: of each file only a `Record` stays; files are mapped, not loaded, two at a time, and pixel data is read
in pieces. Nothing is written. Findings name places, never values; only paths of files tell what belongs to what.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy.deid.compare import Comparison, Finding
from proxy.deid.contents import Contents, Reader
from proxy.deid.pairs import Matched, Pair, Record, match, record
from proxy.deid.tables import Tables
from proxy.errors import InstanceHeld, Reason
from proxy.service.offline import find

_PIECE = 1 << 20
#: entities whose originals and pseudonyms must correspond one to one
_ENTITIES = ("patient", "study", "series")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read as an instance."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair and what was found. ``broken``: entities whose pseudonym differs between pairs, or is shared.

    Not ``certain``: only one of several originals that it may have come from; then nothing but leaks is looked for.
    """

    original: Path
    output: Path
    basis: str
    pixels: str
    findings: tuple[Finding, ...]
    broken: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two folders: its files, and records whose ``number`` is the index of a file."""

    paths: tuple[Path, ...]
    records: tuple[Record, ...]
    unread: tuple[Unread, ...]
    #: files that are byte for byte another one of this side: (copy, the file that counts)
    copies: tuple[tuple[Path, Path], ...]


class Verification:
    """Two sides, paired. `compare` does the reading that costs."""

    def __init__(
        self,
        tables: Tables,
        originals: Path,
        outputs: Path,
        progress: Progress,
        retained: frozenset[int] = frozenset(),
    ) -> None:
        """``progress`` is told what is being read, how many files are done and how many there are.

        ``retained``: attributes that stay on purpose.
        """
        self._reader, self._progress, self._retained = Reader(tables), progress, retained
        self._constants = frozenset(text.encode("ascii") for m in tables.methods for text in (m.code, m.meaning))
        self.originals = self._side("originals", originals)
        self.outputs = self._side("outputs", outputs)
        self.matched: Matched = match(self.originals.records, self.outputs.records)
        self._partner: dict[tuple[str, int, bytes], bytes] = {}

    def compare(self) -> Iterator[Compared | Unread]:
        """Every pair, in the order of the originals, then what may be one. `Unread`: the file has changed meanwhile."""
        for done, pair in enumerate(self.matched.pairs, start=1):
            self._progress("compare", done, len(self.matched.pairs))
            yield self._compared(pair, certain=True)
        for pair in self.matched.candidates():
            yield self._compared(pair, certain=False)

    def unmatched(self) -> tuple[list[Path], list[Path]]:
        """Originals without an output, and outputs without an original."""
        return (
            [self.originals.paths[record.number] for record in self.matched.originals],
            [self.outputs.paths[record.number] for record in self.matched.outputs],
        )

    def _side(self, what: str, top: Path) -> Side:
        paths = tuple(source.path for source in find([top]))
        firsts: dict[bytes, Path] = {}
        records: list[Record] = []
        unread: list[Unread] = []
        copies: list[tuple[Path, Path]] = []
        for number, path in enumerate(paths):
            self._progress(what, number + 1, len(paths))
            opened = self._open(path)
            if isinstance(opened, Unread):
                unread.append(opened)
                continue
            contents, data = opened
            first = firsts.setdefault(_digest([data]), path)
            if first is path:
                records.append(record(number, contents, _digest([leaf.value for leaf in contents.pixels])))
            else:
                copies.append((path, first))
        return Side(paths, tuple(records), tuple(unread), tuple(copies))

    def _open(self, path: Path) -> tuple[Contents, memoryview] | Unread:
        try:
            data = _mapped(path)
            return self._reader.read(data), data
        except InstanceHeld as held:
            return Unread(path, str(held))
        except OSError as error:
            return Unread(path, f"cannot be read: {error.strerror or type(error).__name__}")

    def _compared(self, pair: Pair, certain: bool) -> Compared | Unread:
        paths = self.originals.paths[pair.original.number], self.outputs.paths[pair.output.number]
        original, output = (self._open(path) for path in paths)
        if isinstance(original, Unread):
            return original
        if isinstance(output, Unread):
            return output
        comparison = Comparison(self._reader, original[0], output[0], self._constants, self._retained)
        leaks = tuple(comparison.leaks())
        if not certain:
            return Compared(*paths, pair.basis, pair.pixels, leaks, certain=False)
        return Compared(*paths, pair.basis, pair.pixels, (*leaks, *comparison.lost()), tuple(self._broken(pair)))

    def _broken(self, pair: Pair) -> Iterator[str]:
        """PS3.15 E.1.1: one original, one replacement; two originals, two."""
        for entity in _ENTITIES:
            ours: bytes = getattr(pair.original, entity)
            theirs: bytes = getattr(pair.output, entity)
            if not ours or not theirs:
                continue
            forth = self._partner.setdefault((entity, 0, ours), theirs)
            back = self._partner.setdefault((entity, 1, theirs), ours)
            if forth != theirs:
                yield f"{entity} has another pseudonym elsewhere"
            if back != ours:
                yield f"{entity} shares its pseudonym with another"


def _mapped(path: Path) -> memoryview:
    """The file as a read-only view of a mapping that lives as long as the view."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            raise InstanceHeld(Reason.NOT_DICOM, "no bytes")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _digest(values: Sequence[memoryview]) -> bytes:
    """Read in pieces; b"" for nothing."""
    sums = hashlib.blake2b(digest_size=16)
    for value in values:
        for at in range(0, len(value), _PIECE):
            sums.update(value[at : at + _PIECE])
    return sums.digest() if values else b""
