"""A witness signs one past only: a log that was rewound, rewritten or is another one gets nothing from it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from proxy.audit.keys import witness
from proxy.audit.notes import BadNote
from proxy.audit.verify import read_anchors, verify_folder
from proxy.audit.verify_notes import Keys
from proxy.audit.witness import Witness
from tests.audit.tampering import OLD, THIEF, Files, Log, built
from tests.audit.test_tampering import put

KEYS = Keys.read(OLD.verifier.text())
SIGNER = witness("w", bytes(32))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    return folder


@pytest.fixture
def watching(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "memory.notes", SIGNER, KEYS)


def grown(records: int) -> Files:
    return built(records, 20, 7)


def test_a_log_that_grows_is_cosigned_each_time(copy: Path, watching: Witness, tmp_path: Path) -> None:
    for records in (30, 60):
        put(copy, built(records, 20, 30))
        note = watching.look(copy, 1_700_000_000 + records).note
        assert note is not None
        assert note.checkpoint.position.seq == records
        assert SIGNER.verifier.signed(note)
        assert watching.look(copy, 1).note is None
    data = (tmp_path / "memory.notes").read_bytes()
    anchors = read_anchors(data, KEYS, [SIGNER.verifier])
    assert [anchor.seq for anchor in anchors] == [30, 60]
    assert verify_folder(copy, *anchors, keys=KEYS).ok
    with pytest.raises(BadNote):
        read_anchors(data, KEYS, [witness("w", bytes(range(32))).verifier])
    with pytest.raises(BadNote):
        read_anchors(data, Keys.read(THIEF.verifier.text()))


@pytest.mark.parametrize("way", [Log.roll_back, Log.sign_anew, Log.rewrite, Log.lose_segment])
def test_another_past_is_not_cosigned(copy: Path, watching: Witness, way: object) -> None:
    files = grown(60)
    put(copy, files)
    assert watching.look(copy, 1).note is not None
    for seed in range(5):
        put(copy, way(Log(files, 20, 7, random.Random(seed))).files)  # type: ignore[operator] # one of those above
        seen = watching.look(copy, 2)
        assert seen.note is None
        assert not seen.result.ok


def test_a_fork_by_whoever_has_the_key_is_not_cosigned(copy: Path, watching: Witness) -> None:
    """Longer than what the witness saw, in itself in order, rightly signed: and still another past."""
    put(copy, grown(40))
    assert watching.look(copy, 1).note is not None
    put(copy, built(80, 20, 7, project="other"))
    assert verify_folder(copy, keys=KEYS, complete=True).ok
    seen = watching.look(copy, 2)
    assert seen.note is None
    assert "not the one that the anchor names" in str(seen.result.problems[0])


def test_a_memory_that_was_changed_is_not_gone_on_from(copy: Path, watching: Witness, tmp_path: Path) -> None:
    put(copy, grown(40))
    assert watching.look(copy, 1).note is not None
    memory = tmp_path / "memory.notes"
    memory.write_bytes(memory.read_bytes().replace(b"time 2026", b"time 2027"))
    with pytest.raises(BadNote):
        watching.look(copy, 2)


def test_nothing_to_sign_is_not_signed(copy: Path, watching: Witness) -> None:
    assert watching.look(copy, 1).note is None
