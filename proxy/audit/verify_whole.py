"""Whether segments, each verified on its own, are one log: they follow one another, pass the anchors and are signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from proxy.audit.chain import Position
from proxy.audit.notes import FIRST
from proxy.audit.verify_problem import Problem
from proxy.audit.verify_segment import Walked

#: how far the log may be ahead of its last checkpoint: what a second brings, or a last batch; a disk may be slow
MOST_UNSIGNED, LONGEST_UNSIGNED = 5000, timedelta(minutes=1)


class Whole:
    """The segments of a log in their order."""

    def __init__(self, walked: Sequence[Walked], from_first: bool) -> None:
        """``from_first``: the log is there from its first record on; else it begins after what was removed."""
        self._walked = walked
        starts = [each.start for each in walked if each.start is not None]
        self._start = Position() if from_first or not starts else starts[0]
        self.end = next((each.end for each in reversed(walked) if each.records), Position())
        signed = [(each.noted.positions[-1][1].seq, each.noted.time) for each in walked if each.noted.positions]
        self.signed_to, self._signed_at = max(signed, default=(0, ""))

    @property
    def recorded(self) -> bool:
        """Whether the log says itself that it begins after a segment that was removed (retention)."""
        return self._removal() is not None

    def _removal(self) -> dict[str, object] | None:
        removed = [each for segment in self._walked for each in segment.removed]
        start = (self._start.seq, self._start.hash)
        return next((each for each in removed if (each.get("last"), each.get("hash")) == start), None)

    def links(self) -> Iterator[Problem]:
        """Between the segments, and inside them, in the order of the log."""
        at, node = self._start, ""
        for walked in self._walked:
            if not walked.lines and walked is not self._walked[-1]:
                yield Problem(walked.file, 0, "the segment is empty", at.seq + 1)
            if walked.start is not None:
                yield from _link(walked, walked.start, at, node)
                at, node = walked.end, walked.node
            yield from walked.problems

    def notes(self) -> Iterator[Problem]:
        """Between the checkpoints of one segment and those of the next."""
        removal = self._removal()
        before = bytes.fromhex(str(removal["note"])) if removal is not None and "note" in removal else FIRST
        for walked in self._walked:
            noted = walked.noted
            if noted.previous is not None and noted.previous != before:
                file = Path(walked.file).with_suffix(".notes").name
                yield Problem(file, 1, "the checkpoint does not follow the one before it", noted.positions[0][1].seq)
            before = noted.last or before

    def anchored(self, anchors: Sequence[Position], name: str) -> Iterator[Problem]:
        """Each anchor must have been passed."""
        kept = [anchor for anchor in anchors if anchor.seq >= self._start.seq or not self.recorded]
        if anchors and not kept:
            yield Problem(name, 0, f"every anchor is older than record {self._start.seq + 1}, the first that is kept")
        for anchor in kept:
            walked = next((each for each in self._walked if anchor.seq in each.found), None)
            if walked is not None and walked.start is not None:
                line = walked.first + anchor.seq - walked.start.seq - 1
                if walked.found[anchor.seq] != anchor.hash:
                    yield Problem(walked.file, line, "the record is not the one that the anchor names", anchor.seq)
            elif anchor.seq > self.end.seq:
                text = f"the log ends at record {self.end.seq}, before the anchor at {anchor.seq}"
                yield Problem(self._walked[-1].file if self._walked else name, 0, text, anchor.seq)
            elif anchor != self._start:
                yield Problem(name, 0, f"the anchor's record {anchor.seq} is not in the log", anchor.seq)

    def signed(self, name: str, complete: bool) -> Iterator[Problem]:
        """The checkpoints reach the end: of a ``complete`` log really, else but for what came since."""
        file = self._walked[-1].file if self._walked else name
        if self.end.seq and not self.signed_to:
            yield Problem(file, 0, "no checkpoint signs any of the records")
        elif self.end.seq - self.signed_to > (0 if complete else MOST_UNSIGNED) or self._late():
            yield Problem(file, 0, "the records from here on were not signed in time", self.signed_to + 1)

    def _late(self) -> bool:
        time = next((each.time for each in reversed(self._walked) if each.records), "")
        try:
            ends, signed = datetime.fromisoformat(time), datetime.fromisoformat(self._signed_at)
        except ValueError:
            return False
        return self.end.seq > self.signed_to and ends - signed > LONGEST_UNSIGNED


def _link(walked: Walked, start: Position, at: Position, node: str) -> Iterator[Problem]:
    seq = start.seq + 1
    if start.seq != at.seq:
        yield Problem(walked.file, walked.first, f"record {seq} stands where {at.seq + 1} belongs", seq)
    if start.hash != at.hash:
        yield Problem(walked.file, walked.first, "the record does not follow the one before it", seq)
    if node and walked.node != node:
        yield Problem(walked.file, walked.first, "the record is another node's", seq)
