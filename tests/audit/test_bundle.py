"""A bundle holds what was asked for, and whoever has the public key sees every change since it was made."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.audit import bundle as made_of
from proxy.audit.bundle import CHECKPOINT, FORMS, MANIFEST, SIGNATURE, Asked, bundle, signed_text
from proxy.audit.bundle_verify import verify_bundle
from proxy.audit.chain import Position, canonical, seal, stamp
from proxy.audit.keys import AuditKey
from proxy.audit.notes import Checkpoint, Signer
from proxy.audit.selection import Selection
from proxy.audit.verify_notes import Keys
from proxy.service.ports import AuditEvent

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
OWN, THIEF = AuditKey(bytes(32)).signer("veil"), AuditKey(bytes([1] * 32)).signer("veil")
KEYS = Keys.read(OWN.verifier.text())
Files = dict[str, bytes]


def log(count: int) -> list[tuple[bytes, Position]]:
    lines, last = [], Position()
    for n in range(count):
        event = AuditEvent(("held", "released")[n % 2], project="ab"[n % 3 == 0], object={"id": f"{n}"})
        line, last = seal(event, last, START + timedelta(seconds=n), "veil")
        lines.append((line, last))
    return lines


LOG = log(40)
EVERYTHING = Selection()


def made(
    selection: Selection = EVERYTHING,
    signer: Signer = OWN,
    through: int = 40,
    covered: int = 40,
    form: str = "",
) -> bytes:
    asked = Asked("0123abcd", "veil", START, {"caller": "account:anna"}, selection, LOG[through - 1][1], "0", form)
    lines = [line for line, position in LOG if position.seq <= through and selection.test()(line)]
    note = signer.sign(Checkpoint("veil.audit/veil", LOG[covered - 1][1], stamp(START)))
    return b"".join(bundle(asked, lines, lambda: note, signer))


def unpacked(data: bytes) -> Files:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(member.name, tar.extractfile(member)) for member in tar]
        return {name: file.read() for name, file in files if file is not None}


def packed(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def found(tmp_path: Path, data: bytes, keys: Keys = KEYS) -> list[str]:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(data)
    return [str(problem) for problem in verify_bundle(path, keys).problems]


SELECTIONS = [
    Selection(),
    Selection(types=frozenset({"held"}), projects=frozenset({"a"})),
    Selection(since=stamp(START + timedelta(seconds=7)), until=stamp(START + timedelta(seconds=9))),
    Selection(visible=frozenset({"b"})),
    Selection(types=frozenset({"nothing"})),
]


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("lines", [1, 3, 5000])
def test_what_was_made_verifies_and_has_what_was_meant(
    tmp_path: Path, selection: Selection, lines: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(made_of, "_LINES", lines)
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(made(selection))
    checked = verify_bundle(path, KEYS)
    assert checked.problems == []
    test = selection.test()
    expected = [line for line, _ in LOG if test(line)]
    files = unpacked(path.read_bytes())
    got = b"".join(data for name, data in files.items() if name.endswith(".jsonl")).splitlines()
    assert got == expected
    assert (checked.records, checked.manifest["records"]) == (len(expected), len(expected))
    assert checked.manifest["by"] == {"caller": "account:anna"}
    assert {name.partition("/")[0] for name in files} == {"veil-audit-veil-0123abcd"}


@pytest.mark.parametrize("form", FORMS)
def test_records_are_told_in_another_format_beside(tmp_path: Path, form: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(made_of, "_LINES", 15)
    files = unpacked(made(form=form))
    rendered = [name for name in files if "/rendered-" in name]
    assert [name.partition("/")[2] for name in rendered] == [f"rendered-{n:06d}.{FORMS[form]}" for n in (1, 2, 3)]
    assert LOG[39][1].hash in files[rendered[2]].decode() or form != "fhir"
    assert found(tmp_path, packed(files)) == []
    files[rendered[1]] = files[rendered[1]].replace(b"2", b"3", 1)
    assert "not the one that was signed" in found(tmp_path, packed(files))[0]


def of(files: Files, end: str) -> str:
    return next(name for name in files if name.endswith(end))


def edited(files: Files) -> None:
    name = of(files, "000001.jsonl")
    files[name] = files[name].replace(b'"id":"4"', b'"id":"5"')


def rehashed(files: Files) -> None:
    """The record, the sum in the manifest: everything but the signature."""
    name, manifest = of(files, "000001.jsonl"), of(files, MANIFEST)
    said = json.loads(files[manifest])
    lines = files[name].splitlines(keepends=True)
    files[name] = b"".join(lines[1:])
    said["files"][0] |= {"size": len(files[name]), "sha256": made_of.hashlib.sha256(files[name]).hexdigest()}
    said |= {"records": 39, "first": 2}
    files[manifest] = canonical(said) + b"\n"


def resigned(files: Files) -> None:
    rehashed(files)
    text = files[of(files, MANIFEST)]
    files[of(files, SIGNATURE)] = THIEF.signature(signed_text(text)).line().encode()


def swapped(files: Files) -> None:
    one, two = of(files, "000001.jsonl"), of(files, "000002.jsonl")
    files[one], files[two] = files[two], files[one]


def reordered(files: Files) -> None:
    first = files.pop(of(files, "000001.jsonl"))
    files[of(files, "000002.jsonl").replace("000002", "000001")] = first


def added(files: Files) -> None:
    files[of(files, MANIFEST).replace(MANIFEST, "records-000009.jsonl")] = LOG[0][0] + b"\n"


def dropped(end: str) -> Callable[[Files], None]:
    def drop(files: Files) -> None:
        del files[of(files, end)]

    return drop


def another_checkpoint(files: Files) -> None:
    files[of(files, CHECKPOINT)] = OWN.sign(Checkpoint("veil.audit/veil", LOG[3][1], stamp(START))).encode()


def elsewhere(files: Files) -> None:
    files["/etc/passwd"] = b"x"


CHANGES: dict[str, tuple[Callable[[Files], None], str]] = {
    "edited": (edited, "not the one that was signed"),
    "rehashed": (rehashed, "not signed by the key"),
    "resigned": (resigned, "not signed by the key"),
    "swapped": (swapped, "in its place"),
    "reordered": (reordered, "in its place"),
    "added": (added, "in its place"),
    "records": (dropped("000003.jsonl"), "in its place"),
    "checkpoint": (dropped(CHECKPOINT), "missing"),
    "manifest": (dropped(MANIFEST), "missing"),
    "signature": (dropped(SIGNATURE), "missing"),
    "readme": (dropped("README.txt"), "missing"),
    "another": (another_checkpoint, "not the one that the manifest names"),
    "elsewhere": (elsewhere, "no bundle has"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_somebody_changed_is_found(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(made_of, "_LINES", 10)
    change, said = CHANGES[name]
    files = unpacked(made())
    assert found(tmp_path, packed(files)) == []
    change(files)
    problems = found(tmp_path, packed(files))
    assert any(said in problem for problem in problems), problems


def test_the_bundle_of_another_key_is_refused_though_it_is_whole(tmp_path: Path) -> None:
    data = made(signer=THIEF)
    assert found(tmp_path, data, Keys.read(THIEF.verifier.text())) == []
    assert "not signed by the key" in found(tmp_path, data)[0]


def lied(**said: Any) -> bytes:
    """A bundle whose manifest the log's own key has signed, and that is not so."""
    files = unpacked(made(covered=20))
    manifest = of(files, MANIFEST)
    files[manifest] = canonical(json.loads(files[manifest]) | said) + b"\n"
    files[of(files, SIGNATURE)] = OWN.signature(signed_text(files[manifest])).line().encode()
    return packed(files)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"node": "offline"}, "another node's"),
        ({"through": {"seq": 30, "hash": "0" * 64}}, "out of order"),
        ({"selection": {"types": ["held"]}}, "was not asked for"),
        ({"records": 41}, "not those that the manifest counts"),
        ({"public_key": THIEF.verifier.text()}, "names another key"),
        ({"checkpoint": 7}, "not the one that the manifest names"),
        ({"selection": {"colour": "red"}}, "does not say"),
        ({"files": 7}, "does not say"),
        ({"format": "veil.audit-export/v2"}, "cannot be read"),
    ],
)
def test_a_signature_does_not_make_it_so(tmp_path: Path, said: dict[str, Any], problem: str) -> None:
    assert found(tmp_path, lied()) == []
    assert problem in "\n".join(found(tmp_path, lied(**said)))


def test_a_checkpoint_is_no_manifest_and_a_manifest_no_checkpoint() -> None:
    note = OWN.sign(Checkpoint("veil.audit/veil", LOG[3][1], stamp(START)))
    assert not OWN.verifier.good(signed_text(note.checkpoint.text().encode()), note.signatures[0])
    assert OWN.verifier.good(note.checkpoint.text().encode(), note.signatures[0])


def test_what_is_cut_lengthened_or_garbled_is_found_and_never_a_crash(tmp_path: Path) -> None:
    data, chance = made(), random.Random(7)
    assert found(tmp_path, data[:-9])
    assert found(tmp_path, b"")
    assert found(tmp_path, b"no archive")
    assert found(tmp_path, gzip.compress(gzip.decompress(data) + b"more"))
    assert found(tmp_path, gzip.compress(gzip.decompress(data) + packed_plain()))
    plain = gzip.decompress(data)
    for _ in range(150):
        at = chance.randrange(len(plain))
        changed = plain[:at] + bytes([plain[at] ^ 1 << chance.randrange(8)]) + plain[at + 1 :]
        # a tar says owner, time and padding of files, too, which nobody reads; its content is another
        if unpacked_or(changed) != unpacked_or(plain):
            assert found(tmp_path, gzip.compress(changed, 1)), at


def packed_plain() -> bytes:
    return gzip.decompress(packed({"x/y": b"z"}))


def unpacked_or(plain: bytes) -> Files | None:
    try:
        return unpacked(plain)
    except (tarfile.TarError, AttributeError):
        return None
