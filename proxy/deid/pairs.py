"""Finds which de-identified instance came from which original, by what both still share; no pseudonym is computed.

Shared are attributes that no row of Table E.1-1 names (instance number, view, laterality, size ...), the digest of the
pixel data, and the shape of the series: what its instances are, together. From the strongest evidence to the weakest,
a pair is made where exactly one is left on either side; what stays ambiguous stays unmatched. A `Record` holds digests
of identifiers, never the identifiers. Pure.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from proxy.deid.contents import Contents
from proxy.deid.reading import Path

#: SOP Class UID, Modality, Series Number, Instance Number, Rows, Columns, Number of Frames
CORE = (0x00080016, 0x00080060, 0x00200011, 0x00200013, 0x00280010, 0x00280011, 0x00280008)
#: Image Type, View Position, Acquisition Number, Image Position (Patient), Laterality, Image Laterality, Bits Stored
FURTHER = (0x00080008, 0x00185101, 0x00200012, 0x00200032, 0x00200060, 0x00200062, 0x00280101)
#: View Code Sequence > Code Value
_VIEW: tuple[Path, int] = ((0x00540220, 0), 0x00080100)
_PATIENT_ID, _ISSUER, _STUDY, _SERIES = 0x00100020, 0x00100021, 0x0020000D, 0x0020000E
_NUMBERS = frozenset({"DS", "IS"})
_BINARY = frozenset({"US"})
_MOST_ROUNDS = 8
_MOST_CANDIDATES = 16
Digest = bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of one file: some hundred bytes, however large it is. ``number`` is the caller's.

    A digest is b"" where there is nothing.
    """

    number: int
    patient: Digest = field(repr=False)
    study: Digest = field(repr=False)
    series: Digest = field(repr=False)
    core: Digest = field(repr=False)
    traits: Digest = field(repr=False)
    #: of the pixel data's bytes as they stand; b"" without pixel data
    pixels: Digest = field(repr=False)
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Pair:
    """``basis``: by which evidence."""

    original: Record
    output: Record
    basis: str

    @property
    def pixels(self) -> str:
        """none, same or changed: byte for byte."""
        if not self.original.pixels and not self.output.pixels:
            return "none"
        return "same" if self.original.pixels == self.output.pixels else "changed"


@dataclass(frozen=True, slots=True)
class Matched:
    """Every record is in exactly one of these: a pair, or left over on its side."""

    pairs: tuple[Pair, ...]
    originals: tuple[Record, ...]
    outputs: tuple[Record, ...]

    def candidates(self) -> Iterator[Pair]:
        """Each unmatched output with every unmatched original that shares all attributes and pixels with it."""
        alike: dict[tuple[Digest, ...], list[Record]] = defaultdict(list)
        for each in self.originals:
            alike[(each.traits, each.pixels)].append(each)
        for output in self.outputs:
            found = alike.get((output.traits, output.pixels), [])
            yield from (Pair(original, output, f"one of {len(found)}") for original in found[:_MOST_CANDIDATES])


def record(number: int, contents: Contents, pixels: Digest) -> Record:
    """The record of one instance; ``pixels`` is a digest of its pixel data."""
    core = [_trait(contents, (), tag) for tag in CORE]
    further = [_trait(contents, (), tag) for tag in FURTHER]
    return Record(
        number,
        patient=_said(contents, _PATIENT_ID, _ISSUER),
        study=_said(contents, _STUDY),
        series=_said(contents, _SERIES),
        core=digest(*core),
        traits=digest(*core, *further, _trait(contents, *_VIEW)),
        pixels=pixels,
        transfer_syntax_uid=contents.transfer_syntax_uid,
    )


def _said(contents: Contents, *tags: int) -> Digest:
    values = [contents.plain(tag) for tag in tags]
    return digest(*values) if values[0] else b""


def digest(*values: bytes) -> Digest:
    """16 bytes for a row of values."""
    sums = hashlib.blake2b(digest_size=16)
    for value in values:
        sums.update(len(value).to_bytes(4, "big") + value)
    return sums.digest()


def _trait(contents: Contents, path: Path, tag: int) -> bytes:
    """A value in a spelling that survives another writer: 1, 1.0 and +1 are one number."""
    leaf = contents.places.get((path, tag))
    if leaf is None:
        return b""
    raw = bytes(leaf.value)
    if leaf.vr in _BINARY:
        return b"%d" % int.from_bytes(raw, "little" if contents.little else "big")
    plain = raw.strip(b" \0")
    if leaf.known in _NUMBERS:
        try:
            return b"\\".join(b"%.9g" % float(part) for part in plain.split(b"\\"))
        except ValueError:
            return plain
    return b"\\".join(part.strip(b" ") for part in plain.split(b"\\"))


Key = Callable[[Record], tuple[Hashable, ...]]
Shape = Callable[[Record], tuple[Digest, ...]]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A way to tell instances apart. ``shape``: the series must be alike in this, too; ``known``: must be paired."""

    basis: str
    key: Key
    shape: Shape | None = None
    needs_pixels: bool = False
    known: bool = False


_EVIDENCE = (
    _Evidence("pixel data, attributes, series", lambda r: (r.traits, r.pixels), lambda r: (r.traits, r.pixels), True),
    _Evidence("pixel data, attributes", lambda r: (r.traits, r.pixels), None, True),
    _Evidence(
        "pixel data, attributes, transfer syntax", lambda r: (r.traits, r.pixels, r.transfer_syntax_uid), None, True
    ),
    _Evidence("pixel data", lambda r: (r.pixels,), None, True),
    _Evidence("attributes, series", lambda r: (r.traits,), lambda r: (r.traits,)),
    _Evidence(
        "attributes, transfer syntax, series", lambda r: (r.traits, r.transfer_syntax_uid), lambda r: (r.traits,)
    ),
    _Evidence("numbers and size, series", lambda r: (r.core,), lambda r: (r.core,)),
    _Evidence("attributes, series known", lambda r: (r.traits,), known=True),
    _Evidence("numbers and size, series known", lambda r: (r.core,), known=True),
)


def match(originals: Sequence[Record], outputs: Sequence[Record]) -> Matched:
    """Pair what can be paired. What one round finds out about studies and series helps the next."""
    matching = _Matching(originals, outputs)
    for _ in range(_MOST_ROUNDS):
        before = len(matching.pairs)
        for evidence in _EVIDENCE:
            matching.apply(evidence)
        if len(matching.pairs) == before:
            break
    pairs = tuple(sorted(matching.pairs, key=lambda pair: pair.original.number))
    return Matched(pairs, tuple(matching.left[0]), tuple(matching.left[1]))


class _Matching:
    def __init__(self, originals: Sequence[Record], outputs: Sequence[Record]) -> None:
        self._every = (originals, outputs)
        self.left = (list(originals), list(outputs))
        self.pairs: list[Pair] = []
        #: by side: series → its partner's place in the list of paired series, the same for studies
        self._known: tuple[dict[Digest, int], dict[Digest, int]] = ({}, {})

    def apply(self, evidence: _Evidence) -> None:
        """Pair whatever is unique on both sides under ``evidence``."""
        sides = tuple(self._grouped(evidence, side) for side in (0, 1))
        found: list[Pair] = []
        for key, candidates in sides[0].items():
            others = sides[1].get(key, ())
            if len(candidates) == 1 and len(others) == 1:
                found.append(Pair(candidates[0], others[0], evidence.basis))
        # what is learnt must not depend on the order of files
        for pair in sorted(found, key=lambda each: (each.original.series, each.output.series, each.original.study)):
            self._learn(pair)
        self.pairs += found
        for side, done in enumerate(({p.original.number for p in found}, {p.output.number for p in found})):
            self.left[side][:] = [r for r in self.left[side] if r.number not in done]

    def _grouped(self, evidence: _Evidence, side: int) -> dict[tuple[Hashable, ...], list[Record]]:
        shapes = _shapes(self._every[side], evidence.shape) if evidence.shape is not None else {}
        known = self._known[side]
        groups: dict[tuple[Hashable, ...], list[Record]] = defaultdict(list)
        for each in self.left[side]:
            series, study = known.get(each.series, -1), known.get(each.study, -1)
            if (evidence.needs_pixels and not each.pixels) or (evidence.known and series < 0):
                continue
            groups[(*evidence.key(each), shapes.get(each.series, b""), series, study)].append(each)
        return groups

    def _learn(self, pair: Pair) -> None:
        for ours, theirs in ((pair.original.series, pair.output.series), (pair.original.study, pair.output.study)):
            if ours not in self._known[0] and theirs not in self._known[1]:
                self._known[0][ours] = self._known[1][theirs] = len(self._known[0])


def _shapes(records: Iterable[Record], key: Shape) -> dict[Digest, Digest]:
    members: dict[Digest, list[bytes]] = defaultdict(list)
    for each in records:
        members[each.series].append(digest(*key(each)))
    return {series: digest(*sorted(listed)) for series, listed in members.items()}
