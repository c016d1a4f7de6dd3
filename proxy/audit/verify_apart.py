"""Verification of a log that is being written: in a process of its own that lets all others go first.

What is said is about the records up to where the log stood at the beginning; later ones are on their way to the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from proxy.audit.chain import Position
from proxy.audit.follow import number_of
from proxy.audit.lookup import Lookup, Question
from proxy.audit.notes import BadNote, Verifier
from proxy.audit.selection import Selection, parsed
from proxy.audit.sink_file import segments
from proxy.audit.verify import ANY, verify_folder
from proxy.audit.verify_notes import Keys
from proxy.audit.verify_problem import Problem

#: problems that are told one by one
_TOLD = 50
_NICE = 19
#: seconds after which the first checkpoint is there
_SOON = 3.0


class BrokenOff(Exception):
    """There is no verdict: the log could not be read to its end, or the process ended before it was there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``problems``: how many; ``told``: the first of them. ``signatures``: whether they were looked at."""

    records: int
    signed: int
    problems: int
    told: tuple[str, ...]
    signatures: bool


class Apart:
    """Runs one verification at a time. `verify` blocks, a thread's; `stop` ends it from any other, for good."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._stopped = False

    def verify(self, folder: Path, anchors: Sequence[Position], key: str) -> Verdict:
        """Whether the log passes through ``anchors``, of which the last says where it stands. `BrokenOff`.

        ``key``: the public key that signs it now; "" where none does.
        """
        context = get_context("spawn")
        here, there = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(there, folder, tuple(anchors), key), daemon=True)
        try:
            self._process.start()
            there.close()
            if self._stopped:  # while it was started
                raise BrokenOff
            found = here.recv()
        except (EOFError, OSError):
            raise BrokenOff from None
        finally:
            here.close()
            self._end()
        if not isinstance(found, Verdict):
            raise BrokenOff
        return found

    def stop(self) -> None:
        """End what is under way, and begin nothing more."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        process = self._process
        if process is not None and process.pid is not None:
            process.kill()
            process.join()


def _work(answer: Connection, folder: Path, anchors: tuple[Position, ...], key: str) -> None:
    os.nice(_NICE)
    try:
        answer.send(judged(folder, anchors, key))
    except OSError:  # a segment went, or the disk does not answer
        answer.send(None)


def judged(folder: Path, anchors: Sequence[Position], key: str) -> Verdict:
    """The verdict on the records up to the last of ``anchors``. OSError."""
    end, passed = anchors[-1].seq, {anchor.seq for anchor in anchors}
    newest = max(map(number_of, segments(folder)), default=0)
    keys, problems = _keys(folder, end, key)
    result = verify_folder(folder, *anchors, keys=keys)
    if keys != ANY and not result.signed:  # a log that has just begun
        time.sleep(_SOON)
        result = verify_folder(folder, *anchors, keys=keys)
    problems += [
        each for each in result.problems if (each.seq <= end and _number(each) <= newest) or each.seq in passed
    ]
    told = tuple(str(each) for each in problems[:_TOLD])
    return Verdict(min(result.records, end), min(result.signed, end), len(problems), told, keys != ANY)


def _number(problem: Problem) -> int:
    return number_of(Path(problem.file).with_suffix(".jsonl"))


def _keys(folder: Path, end: int, key: str) -> tuple[Keys, list[Problem]]:
    """The key of now, and those before it as the log itself names them; `ANY` where it no longer names the first.

    Who checks with keys from elsewhere (`veil audit verify --pubkey`) need not believe the log in this.
    """
    if not key:
        return ANY, []
    question = Question(Selection(types=frozenset({"audit-key"})), 0, end + 1, oldest=True, limit=1000)
    changes = [record for line in Lookup(folder, lambda: end).page(question).lines if (record := parsed(line))]
    current = Verifier.read(key)
    if not changes:
        return Keys(((0, current),)), []
    if "before" in changes[0]["object"]:
        return ANY, []
    try:
        named = [(int(each["seq"]), Verifier.read(each["object"]["public_key"])) for each in changes]
    except (BadNote, KeyError, TypeError):
        return ANY, [Problem(folder.name, 0, "the log names a key that is none")]
    wrong = [] if named[-1][1] == current else [Problem(folder.name, 0, "the log names another key than its own")]
    return Keys(((0, named[0][1]), *named[1:])), wrong
