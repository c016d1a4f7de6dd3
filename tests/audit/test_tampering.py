"""No tampering passes: 10 000 of every way with ``VEIL_TAMPERINGS=10000`` (make soak), some of each in every run."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from proxy.audit.chain import Position
from proxy.audit.verify import Result, verify_folder
from proxy.audit.verify_notes import Keys
from tests.audit.tampering import NEW, OLD, PLAIN, WAYS, Files, Log, Tampered, built

TAMPERINGS = int(os.environ.get("VEIL_TAMPERINGS", "400"))
RECORDS, SEGMENT, EVERY, TURN = 120, 25, 9, 61
KEYS = Keys.read(OLD.verifier.text())
BOTH = Keys.read(f"{OLD.verifier.text()}\n{NEW.verifier.text()} from {TURN}\n")


def put(folder: Path, files: Files) -> None:
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def look(folder: Path, files: Files, keys: Keys, anchor: Position) -> Result:
    put(folder, files)
    return verify_folder(folder, anchor, keys=keys, complete=True)


@pytest.mark.parametrize(("turn", "keys"), [(0, KEYS), (TURN, BOTH)], ids=["one-key", "two-keys"])
def test_no_tampering_passes(tmp_path: Path, turn: int, keys: Keys) -> None:
    files = built(RECORDS, SEGMENT, EVERY, turn)
    genuine = look(tmp_path, files, keys, Position())
    assert genuine.ok
    assert (genuine.records, genuine.signed) == (RECORDS, RECORDS)
    anchor = Position(genuine.seq, genuine.hash)
    log = Log(files, SEGMENT, EVERY, random.Random(20261121 + turn))
    done = 0
    while done < TAMPERINGS // 2:
        for way in WAYS:
            tampered = way(log)
            if tampered.files == files:
                continue  # a swap of the same, a cut of nothing
            seen = look(tmp_path, tampered.files, keys, Position() if way in PLAIN else anchor)
            check(way.__name__, seen, tampered)
            done += 1
    assert look(tmp_path, files, keys, anchor).ok


def check(way: str, result: Result, tampered: Tampered) -> None:
    assert not result.ok, way
    assert all(problem.file for problem in result.problems), way
    if tampered.where is not None and way not in ("double", "insert"):
        file, line = tampered.where
        seq = (int(file[6:12]) - 1) * SEGMENT + line
        near = ((file, line), (file, line + 1))  # a split line, or the one that no longer follows
        assert any((p.file, p.line) in near or p.seq in (seq, seq + 1) for p in result.problems), (way, result)
