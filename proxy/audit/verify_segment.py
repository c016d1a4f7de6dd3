"""One segment and its checkpoints, verified on their own: what stands before the first record is taken from it.

So segments can be read by several processes; `proxy.audit.verify` sees whether they follow one another. A record that
is in order costs one SHA-256 and one match of its end; whatever is not is looked at closely to say what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from proxy.audit.chain import MAX_LINE, BadRecord, Position, unseal
from proxy.audit.checkpoints import notes_of
from proxy.audit.verify_notes import Keys, Noted, check_notes
from proxy.audit.verify_problem import Problem

#: the members that stand last in a record of ours, its hash and the newline
_END = re.compile(rb',"seq":(\d+),"ts":"([0-9TZ:.-]{27})","type":"([^"\\]*)","v":([12]),"hash":"([0-9a-f]{64})"}\n')
_HASH_LENGTH = len(',"hash":""}\n') + 64
_STEP, _REMOVED = b"clock-step", b"audit-removed"


@dataclass(slots=True)
class Walked:
    """What a segment says: where it starts and ends, what is wrong inside, and hashes at the numbers asked for.

    ``removed``: what `audit-removed` records say of segments that went before.
    """

    file: str
    start: Position | None = None
    first: int = 0  # the line of the first record
    end: Position = field(default_factory=Position)
    time: str = ""  # of the last record
    node: str = ""
    records: int = 0
    lines: int = 0
    found: dict[int, str] = field(default_factory=dict)
    removed: list[dict[str, Any]] = field(default_factory=list)
    noted: Noted = field(default_factory=Noted)
    problems: list[Problem] = field(default_factory=list)


def check_segment(path: Path, anchors: frozenset[int], keys: Keys) -> Walked:
    """Walk along a segment and compare its checkpoints with it."""
    noted = check_notes(notes_of(path), keys)
    walked = _Walk(path, anchors | {position.seq for _, position in noted.positions}).run()
    walked.noted = noted
    for line, position in noted.positions:
        if walked.found.get(position.seq) != position.hash:
            text = "the checkpoint is not of the record that stands in the segment"
            noted.problems.append(Problem(notes_of(path).name, line, text, position.seq))
    walked.problems += noted.problems
    return walked


class _Walk:
    """One way along the lines. After a problem it goes on from what the line states, so as to find the next one."""

    def __init__(self, path: Path, wanted: frozenset[int]) -> None:
        self._path, self._wanted = path, wanted
        self._seen = Walked(path.name)
        self._time = b""

    def run(self) -> Walked:
        """Every line, the short way where that will do."""
        with self._path.open("rb", buffering=1 << 20) as stream:
            for line in self._doubtful(stream):
                self._closely(line)
        self._seen.time = self._time.decode("ascii", "replace")
        return self._seen

    def _doubtful(self, stream: BinaryIO) -> Iterator[bytes]:
        """Pass the lines that are in order; give the others, and go on from what `_seen` says then."""
        seen, wanted, sha256, ends = self._seen, self._wanted, hashlib.sha256, _END.fullmatch
        seq, prev, said, node, time = self._state()
        for line in iter(partial(stream.readline, MAX_LINE), b""):
            seen.lines += 1
            end = ends(line, max(0, line.rfind(b',"seq":')))
            digest = sha256(prev + line[:-_HASH_LENGTH] + b"}").digest()
            if (
                end is not None
                and digest.hex().encode() == end[5]
                and said in line
                and node in line
                and int(end[1]) == seq + 1
                and (end[2] >= time or end[3] == _STEP or end[4] == b"1")
                and end[3] != _REMOVED
            ):
                seq, prev, said, time = seq + 1, digest, b'"prev":"%b"' % end[5], end[2]
                seen.records += 1
                if seq in wanted:
                    seen.found[seq] = prev.hex()
            else:
                seen.end, self._time = Position(seq, prev.hex()), time
                yield line
                seq, prev, said, node, time = self._state()
        seen.end, self._time = Position(seq, prev.hex()), time

    def _state(self) -> tuple[int, bytes, bytes, bytes, bytes]:
        end, node = self._seen.end, self._seen.node
        said = b'"prev":"%b"' % end.hash.encode()
        # no line has what stands for an unknown node: the first record is looked at closely
        named = b',"node":%b,' % json.dumps(node).encode() if node else b"\n\n"
        return end.seq, bytes.fromhex(end.hash), said, named, self._time

    def _closely(self, line: bytes) -> None:
        """A line that may not be in order: what is wrong with it, if anything is."""
        seen = self._seen
        if not line.endswith(b"\n"):
            self._complain("the line is cut off")
            return
        try:
            record, position = unseal(line[:-1])
        except BadRecord as error:
            self._complain(str(error))
            return
        if seen.start is None:
            seen.start, seen.first, seen.node = Position(position.seq - 1, record["prev"]), seen.lines, record["node"]
            seen.end = seen.start
        for wrong, text in self._breaks(record, position):
            if wrong:
                self._complain(text, position.seq)
        seen.end, seen.node, self._time = position, record["node"], str(record.get("ts")).encode()
        seen.records += 1
        if position.seq in self._wanted:
            seen.found.setdefault(position.seq, position.hash)
        if record.get("type") == _REMOVED.decode():
            seen.removed.append(record["object"])

    def _breaks(self, record: dict[str, Any], position: Position) -> Iterator[tuple[bool, str]]:
        seen, time = self._seen, str(record.get("ts")).encode()
        expected = seen.end.seq + 1
        yield position.seq != expected, f"record {position.seq} stands where {expected} belongs"
        yield record["prev"] != seen.end.hash, "the record does not follow the one before it"
        yield record["node"] != seen.node, "the record is another node's"
        stepped = record.get("v") == 1 or record.get("type") == _STEP.decode()
        yield time < self._time and not stepped, "the clock goes back, and no record says so"

    def _complain(self, text: str, seq: int = 0) -> None:
        self._seen.problems.append(Problem(self._seen.file, self._seen.lines, text, seq or self._seen.end.seq + 1))
