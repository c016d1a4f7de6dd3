"""Signed notes: in the form of C2SP signed-note, recomputed here from its text; nothing else is read."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.audit.chain import Position
from proxy.audit.keys import AuditKey, witness
from proxy.audit.notes import SIGNS, BadNote, Checkpoint, Verifier, joined, read_note, split
from proxy.audit.verify_notes import Keys

SIGNER = AuditKey(bytes(range(32))).signer("veil")
WITNESS = witness("witness.example", bytes(32))
POINT = Checkpoint("veil.audit/veil", Position(7, "ab" * 32), "2026-11-21T09:00:00.000042Z")
NOTE = SIGNER.sign(POINT)


def test_the_note_is_what_the_document_says() -> None:
    text, _, signatures = NOTE.encode().decode().partition("\n\n")
    root = base64.b64encode(bytes.fromhex("ab" * 32)).decode()
    zero = base64.b64encode(bytes(32)).decode()
    assert text == f"veil.audit/veil\n7\n{root}\ntime 2026-11-21T09:00:00.000042Z\nprevious {zero}"
    dash, name, encoded = signatures.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", "veil.audit/veil")
    data, public = base64.b64decode(encoded), SIGNER.verifier.public
    assert data[:4] == hashlib.sha256(b"veil.audit/veil\n\x01" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(data[4:], (text + "\n").encode())


def test_a_cosignature_is_over_the_time_and_the_text() -> None:
    note = WITNESS.sign(POINT, *NOTE.signatures, seconds=1_700_000_000)
    value = note.signatures[1].value
    assert int.from_bytes(value[:8], "big") == 1_700_000_000
    signed = b"cosignature/v1\ntime 1700000000\n" + POINT.text().encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier.public).verify(value[8:], signed)
    assert note.signatures[1].id == hashlib.sha256(b"witness.example\n\x04" + WITNESS.verifier.public).digest()[:4]
    assert SIGNER.verifier.signed(note)
    assert WITNESS.verifier.signed(note)
    assert not WITNESS.verifier.signed(NOTE)
    assert note.digest() == NOTE.digest()
    assert read_note(note.encode()) == note


def test_every_changed_byte_shows() -> None:
    data = NOTE.encode()
    for index in range(len(data)):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[index] ^= bit
            try:
                assert not SIGNER.verifier.signed(read_note(bytes(changed)))
            except BadNote:
                continue


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\n\n\xff", NOTE.encode()[:-1], NOTE.encode() + b"\n", b"a\n\n\n"])
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(BadNote):
        read_note(data)


def test_notes_in_a_file_are_told_apart() -> None:
    other = SIGNER.sign(Checkpoint(POINT.origin, Position(9, "cd" * 32), POINT.time, NOTE.digest()))
    data = joined([NOTE, other])
    assert [read_note(piece) for piece in split(data)] == [NOTE, other]
    assert b"".join(split(data[:-30])).startswith(NOTE.encode())


def test_a_public_key_is_handed_out_in_one_line() -> None:
    text = SIGNER.verifier.text()
    assert Verifier.read(text + "\n") == SIGNER.verifier
    assert SIGNER.verifier.kind == SIGNS
    for wrong in ("", "a+b+c", text.replace("veil.audit/veil", "veil.audit/evil"), text[:-2], text + "+x"):
        with pytest.raises(BadNote):
            Verifier.read(wrong)


def test_each_key_signs_for_its_time_only() -> None:
    later = AuditKey(bytes(32)).signer("veil")
    keys = Keys.read(f"{SIGNER.verifier.text()}\n\n{later.verifier.text()} from 8\n")
    assert keys.signed(NOTE)
    assert not keys.signed(later.sign(POINT))
    eighth = Checkpoint(POINT.origin, Position(8, "ab" * 32), POINT.time)
    assert keys.signed(later.sign(eighth))
    assert not keys.signed(SIGNER.sign(eighth))
    elsewhere = Checkpoint("veil.audit/other", POINT.position, POINT.time)
    assert not keys.signed(SIGNER.sign(elsewhere))


@pytest.mark.parametrize("text", ["", "\n", "x", f"{SIGNER.verifier.text()}\n" * 2, WITNESS.verifier.text()])
def test_what_is_no_file_of_keys(text: str) -> None:
    with pytest.raises(BadNote):
        Keys.read(text)


def test_an_identifier_has_one_digest_by_project_and_key() -> None:
    key = AuditKey(bytes(range(32)))
    said = key.conceal("research", "4711")
    assert said == key.conceal("research", " 4711\0")
    assert said.startswith("hmac:")
    assert len(said) == 37
    others = {
        key.conceal("other", "4711"),
        key.conceal("research", "4712"),
        AuditKey(bytes(32)).conceal("research", "4711"),
    }
    assert said not in others
    assert len(others) == 3
    assert key.conceal("research", "Mu\u0308ller") == key.conceal("research", "M\u00fcller")
