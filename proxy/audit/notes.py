"""Signed notes (C2SP signed-note) and the checkpoints in them. Pure: bytes in, bytes out.

A checkpoint says how long a chain was and what its last hash was. Its root is the hash of the chain, not of a Merkle
tree, which the origin line says: ``veil.audit/NODE``. Ed25519 keys (type 1) sign the text, witnesses (type 4,
cosignature/v1) sign the text with the time at which they saw it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.audit.chain import Position

ORIGIN = "veil.audit/"
SIGNS, COSIGNS = 1, 4
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[!-*,-~]{1,200}")
_TEXT = re.compile(
    r"(?P<origin>[!-~]+)\n(?P<size>0|[1-9]\d{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"time (?P<time>[0-9T:.Z-]{27})\nprevious (?P<previous>[A-Za-z0-9+/]{43}=)\n"
)
FIRST = bytes(32)  # what stands for the note before the first


class BadNote(ValueError):
    """Something is no signed note, or its signature is not good."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a chain was, when, and which note (SHA-256) came before this one."""

    origin: str
    position: Position
    time: str
    previous: bytes = FIRST

    def text(self) -> str:
        """What is signed."""
        root = _b64(bytes.fromhex(self.position.hash))
        return f"{self.origin}\n{self.position.seq}\n{root}\ntime {self.time}\nprevious {_b64(self.previous)}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note's text: whose, and the bytes of the signature (cosignature: time and signature)."""

    name: str
    id: bytes
    value: bytes

    def line(self) -> str:
        """As it stands in a note."""
        return f"{_DASH}{self.name} {_b64(self.id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint and who signed it."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The note as a file."""
        return (self.checkpoint.text() + "\n" + "".join(s.line() for s in self.signatures)).encode()

    def digest(self) -> bytes:
        """What the next note names as the one before it: a hash over text and the first signature, the log's own."""
        return hashlib.sha256(Note(self.checkpoint, self.signatures[:1]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key by its name: NAME+ID+KEY."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def text(self) -> str:
        """The key in one line, to hand out."""
        return f"{self.name}+{self.id.hex()}+{_b64(bytes([self.kind]) + self.public)}"

    @classmethod
    def read(cls, text: str) -> Verifier:
        """`BadNote` for what is no public key."""
        name, _, rest = text.strip().partition("+")
        stated, _, key = rest.partition("+")
        data = _unb64(key)
        if not _NAME.fullmatch(name) or len(data) != 33 or data[0] not in (SIGNS, COSIGNS):
            raise BadNote("a public key is NAME+ID+KEY in one line")
        found = cls(name, data[0], data[1:])
        if found.id.hex() != stated:
            raise BadNote("the key is not the one of its ID")
        return found

    def signed(self, note: Note) -> bool:
        """Whether the note has a good signature of this key."""
        mine = [s for s in note.signatures if (s.name, s.id) == (self.name, self.id)]
        return bool(mine) and all(self.good(note.checkpoint.text().encode(), signature) for signature in mine)

    def good(self, text: bytes, signature: Signature) -> bool:
        """Whether ``signature`` is one of this key, over ``text``."""
        value = signature.value
        if (signature.name, signature.id) != (self.name, self.id):
            return False
        if self.kind == COSIGNS:
            text, value = _seen(int.from_bytes(value[:8], "big")) + text, value[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key by its name."""

    def __init__(self, name: str, seed: bytes, kind: int = SIGNS) -> None:
        """``seed``: 32 secret bytes."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = Verifier(name, kind, public)
        self._id = self.verifier.id

    def sign(self, checkpoint: Checkpoint, *others: Signature, seconds: int = 0) -> Note:
        """The note of ``checkpoint`` with this signature after ``others``; a cosignature states ``seconds``."""
        return Note(checkpoint, (*others, self.signature(checkpoint.text().encode(), seconds)))

    def signature(self, text: bytes, seconds: int = 0) -> Signature:
        """Of any ``text``, which says in its first line what it is, so that it is not taken for something else."""
        before = b""
        if self.verifier.kind == COSIGNS:
            text, before = _seen(seconds) + text, seconds.to_bytes(8, "big")
        return Signature(self.verifier.name, self._id, before + self._private.sign(text))


def read_note(data: bytes) -> Note:
    """`BadNote` for anything but a checkpoint with signatures, in the one form that it has."""
    try:
        text, _, signatures = data.decode("utf-8").partition("\n\n")
        match = _TEXT.fullmatch(text + "\n")
        lines = signatures.removesuffix("\n").split("\n")
        if match is None:
            raise BadNote("no checkpoint")
        root, previous = _unb64(match["root"]), _unb64(match["previous"])
        checkpoint = Checkpoint(match["origin"], Position(int(match["size"]), root.hex()), match["time"], previous)
        note = Note(checkpoint, tuple(map(read_signature, lines)))
    except UnicodeDecodeError:
        raise BadNote("no text") from None
    if note.encode() != data:
        raise BadNote("not in the form of a signed note")
    return note


def split(data: bytes) -> Iterator[bytes]:
    """The notes of a file in which an empty line follows each; what is not whole comes as it is."""
    while data:
        head, gap, rest = data.partition(b"\n\n")
        lines, end, rest = rest.partition(b"\n\n")
        yield head + gap + lines + (b"\n" if end else b"")
        data = rest


def joined(notes: Sequence[Note]) -> bytes:
    """Notes one after the other, as `split` takes them apart."""
    return b"".join(note.encode() + b"\n" for note in notes)


def read_signature(line: str) -> Signature:
    """What `Signature.line` gives, without its end. `BadNote`."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = _unb64(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(data) < 5:
        raise BadNote("no signature")
    return Signature(name, data[:4], data[4:])


def _seen(seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n".encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("no base64") from None
