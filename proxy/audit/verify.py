"""Offline verification of an audit folder or a copy of it: ``verify_folder(path) -> Result``. Reads, repairs nothing.

Finds edits, insertions, removals, reordering, gaps and cuts inside the chain, and with the public key every rewrite by
somebody who does not have the private one; says where (file:line, record). What a log cannot show of itself is that
its end was cut off, or that it is an older copy: compare with an anchor, a checkpoint or position kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from proxy.audit.chain import GENESIS, Position
from proxy.audit.notes import BadNote, Verifier, read_note, split
from proxy.audit.sink_file import SEGMENT, segments
from proxy.audit.verify_notes import Keys
from proxy.audit.verify_problem import Problem
from proxy.audit.verify_segment import check_segment
from proxy.audit.verify_whole import Whole

#: no key: checkpoints are held against the records, not against who signed them
ANY = Keys()


@dataclass(frozen=True, slots=True)
class Result:
    """What `verify_folder` found. ``seq`` and ``hash`` of the last record are the anchor for next time."""

    records: int
    seq: int
    hash: str
    segments: int
    signed: int  # the last record that a checkpoint covers
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def read_anchor(text: str) -> Position:
    """``SEQ:HASH``, as `Result` and the log itself state it. ValueError otherwise."""
    seq, _, stated = text.strip().partition(":")
    if not seq.isdecimal() or len(stated) != len(GENESIS) or set(stated) - set("0123456789abcdef"):
        raise ValueError("an anchor is SEQ:HASH, a number and 64 hexadecimal digits, or a file of checkpoints")
    return Position(int(seq), stated)


def read_anchors(data: bytes, keys: Keys = ANY, witnesses: Sequence[Verifier] = ()) -> list[Position]:
    """The positions in a file: SEQ:HASH, or checkpoints that the log's key and every witness have signed."""
    if b"\n\n" not in data:
        return [read_anchor(data.decode("ascii", "replace"))]
    notes = [read_note(piece) for piece in split(data)]
    if keys.since and not all(map(keys.signed, notes)):
        raise BadNote("a checkpoint in the anchor is not signed by the key of this log")
    if not all(witness.signed(note) for note in notes for witness in witnesses):
        raise BadNote("a checkpoint in the anchor is not signed by the witness")
    return [note.checkpoint.position for note in notes]


def verify_folder(
    path: Path, *anchors: Position | None, keys: Keys = ANY, complete: bool = False, processes: int = 1
) -> Result:
    """Check every segment in ``path`` and its checkpoints, and that the chain passes through each of ``anchors``.

    ``complete``: of a log that was closed the last record must be signed too.
    """
    files = segments(path)
    numbers = [int(m.group(1)) for f in files if (m := SEGMENT.fullmatch(f.name))]
    known = [anchor for anchor in anchors if anchor is not None and anchor.seq]
    check = partial(check_segment, anchors=frozenset(anchor.seq for anchor in known), keys=keys)
    if processes > 1 and len(files) > 1:
        with ProcessPoolExecutor(processes, get_context("forkserver")) as pool:
            walked = list(pool.map(check, files))
    else:
        walked = list(map(check, files))
    whole = Whole(walked, from_first=numbers[:1] == [1])
    problems = [*_numbering(path, files, numbers, whole), *whole.links(), *whole.notes()]
    problems += [*whole.anchored(known, path.name), *(whole.signed(path.name, complete) if keys.since else ())]
    records = sum(each.records for each in walked)
    return Result(records, whole.end.seq, whole.end.hash, len(files), whole.signed_to, tuple(problems))


def _numbering(path: Path, files: list[Path], numbers: list[int], whole: Whole) -> Iterator[Problem]:
    """Segments are numbered without a gap, from 1 or from after what was removed; checkpoints stand beside one."""
    for file, (before, number) in zip(files, pairwise([0, *numbers]), strict=True):
        if number != before + 1 and not (before == 0 and whole.recorded):
            yield Problem(file.name, 0, "the segment before it is missing")
    known = {file.with_suffix(".notes") for file in files}
    for stray in sorted(set(path.glob("*.notes")) - known):
        yield Problem(stray.name, 0, "the checkpoints stand beside no segment")
