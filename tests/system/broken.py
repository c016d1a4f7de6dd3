"""Instances that nobody should send, encoded by hand, each with the reasons it may be held for."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass, field
from functools import cache

from proxy.errors import Reason
from tests.system.modality import DEFLATED, EXPLICIT, IMPLICIT
from tests.system.planting import planted

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.1511.9."
_LONG = {"OB", "OW", "SQ", "UN", "UT"}
_LENGTHS = frozenset({Reason.LENGTH_BEYOND_BUFFER, Reason.TRUNCATED})


@dataclass(frozen=True)
class Broken:
    """``dimse``: it can also be sent by C-STORE, where file meta information is not sent."""

    name: str
    part10: bytes = field(repr=False)
    reasons: frozenset[Reason]
    dimse: bool = True


def element(tag: int, vr: str, value: bytes | str, length: int | None = None) -> bytes:
    """One element in explicit VR little endian; ``length`` overrides the true one."""
    raw = value.encode() if isinstance(value, str) else value
    raw += (b"\0" if vr in ("UI", "OB") else b" ") * (len(raw) % 2)
    said = len(raw) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<HI", 0, said) if vr in _LONG else struct.pack("<H", said)) + raw


def head(uid: str, syntax: str = EXPLICIT, sop_class: str = CT) -> bytes:
    """Preamble, prefix and file meta information."""
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020002, "UI", sop_class)
    meta += element(0x00020003, "UI", uid) + element(0x00020010, "UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta


def body(uid: str, middle: bytes = b"", end: bytes = b"") -> bytes:
    """A small CT data set; ``middle`` stands behind (0008,0060), ``end`` at the end."""
    return (
        element(0x00080016, "UI", CT)
        + element(0x00080018, "UI", uid)
        + element(0x00080060, "CS", "CT")
        + middle
        + element(0x00100010, "PN", "Zqxplant^Broken")
        + element(0x00100020, "LO", "ZQXIDENT1")
        + element(0x0020000D, "UI", ROOT + "1")
        + element(0x0020000E, "UI", ROOT + "2")
        + end
    )


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    """One element in implicit VR little endian."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def _implicit_body(uid: str, end: bytes) -> bytes:
    def ui(tag: int, text: str) -> bytes:
        return implicit(tag, text.encode() + b"\0" * (len(text) % 2))

    return (
        ui(0x00080016, CT) + ui(0x00080018, uid) + implicit(0x00100020, b"ZQXIDENT1 ") + ui(0x0020000D, ROOT + "1")
        + ui(0x0020000E, ROOT + "2") + end
    )  # fmt: skip


def _deep(levels: int, *, closed: bool) -> bytes:
    opened = (element(0x00081140, "SQ", b"", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * levels
    return opened + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0) * (levels if closed else 0)


def _deep_with_lengths(levels: int) -> bytes:
    inner = b""
    for _ in range(levels):
        inner = element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    return inner


def _deflated(plain: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(plain) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def _bomb(uid: str, mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    size = mebibytes << 20
    packed = packer.compress(body(uid) + element(0x7FE00010, "OB", b"", size)) + packer.flush(zlib.Z_FULL_FLUSH)
    # a full flush ends on a byte and forgets what was before: the same mebibyte can come again and again
    packed += (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * mebibytes + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


@cache
def broken() -> tuple[Broken, ...]:
    """All of them."""
    good = planted(1_000_001).part10
    uids = (f"{ROOT}3.{number}" for number in range(1, 1000))
    two_gib, half = 0x7FFFFFFE, len(good) // 2
    cases: list[Broken] = []

    def add(name: str, reasons: frozenset[Reason] | Reason, content: bytes, dimse: bool = True) -> None:
        cases.append(Broken(name, content, frozenset({reasons} if isinstance(reasons, Reason) else reasons), dimse))

    def explicit(name: str, reasons: frozenset[Reason] | Reason, middle: bytes = b"", end: bytes = b"") -> None:
        uid = next(uids)
        add(name, reasons, head(uid) + body(uid, middle, end))

    add("cut inside pixel data", _LENGTHS, good[:-1000])
    add("cut inside an element", _LENGTHS, good[:half])
    add("cut inside an element's header", Reason.TRUNCATED, head(next(uids)) + b"\x08\x00\x16")
    add("no data set", Reason.MISSING_UID, head(next(uids)))
    explicit("10 000 deep, never closed", Reason.TOO_DEEP, _deep(10_000, closed=False))
    explicit("10 000 deep, closed", Reason.TOO_DEEP, _deep(10_000, closed=True))
    explicit("10 000 deep, with lengths", Reason.TOO_DEEP, _deep_with_lengths(10_000))
    explicit("2 GiB of pixel data said", _LENGTHS, end=element(0x7FE00010, "OW", b"1234", two_gib))
    explicit("2 GiB sequence said", _LENGTHS, element(0x00081140, "SQ", b"1234", two_gib))
    explicit("2 GiB item said", _LENGTHS, element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, two_gib)))
    explicit("2 GiB of UN said", _LENGTHS, end=element(0x00111001, "UN", b"1234", two_gib))
    explicit("4 GiB of text said", _LENGTHS, end=element(0x00401160, "UT", b"1234", 0xFFFFFFFE))
    uid = next(uids)
    add(
        "2 GiB said in implicit VR",
        _LENGTHS,
        head(uid, IMPLICIT) + _implicit_body(uid, implicit(0x7FE00010, b"1234", two_gib)),
    )
    add(
        "2 GiB said in the file meta information",
        _LENGTHS,
        good[:132] + element(0x00020102, "OB", b"12", two_gib),
        False,
    )
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 300_000
    explicit("300 000 items", Reason.TOO_MANY_ELEMENTS, element(0x00081140, "SQ", items))
    uid = next(uids)
    add("deflate bomb", Reason.INFLATE_LIMIT, head(uid, DEFLATED) + _bomb(uid, 400))
    uid = next(uids)
    add("deflate stream cut off", Reason.TRUNCATED, head(uid, DEFLATED) + _deflated(body(uid))[:-20])
    add("deflated in name only", Reason.MALFORMED, head(next(uids), DEFLATED) + b"\xff" * 500)
    explicit("an unknown VR", Reason.MALFORMED, b"\x08\x00\x70\x00??\x04\x00abcd")
    explicit("the same element twice", Reason.MALFORMED, element(0x00080070, "LO", "A") * 2)
    explicit("a character set that is none", Reason.BAD_CHARSET, element(0x00080005, "CS", "ISO_IR 9999"))
    chance = random.Random(7)
    noise = chance.randbytes(100_000)
    malformed = frozenset({Reason.MALFORMED, Reason.TOO_DEEP, Reason.TOO_MANY_ELEMENTS, Reason.MISSING_UID}) | _LENGTHS
    add("noise behind file meta information", malformed, head(next(uids)) + noise)
    add("noise", Reason.NOT_DICOM, noise, False)
    add("no preamble", Reason.NOT_DICOM, good[132:], False)
    add("prefix without preamble", Reason.NOT_DICOM, good[128:], False)
    add("only a data set", Reason.NOT_DICOM, body(next(uids)), False)
    add("a preamble and nothing else", frozenset({Reason.NOT_DICOM, Reason.TRUNCATED}), bytes(128), False)
    add("file meta information cut off", _LENGTHS, good[:141], False)
    other = next(uids)
    add("another SOP instance in the file meta information", Reason.UID_MISMATCH, head(next(uids)) + body(other), True)
    uid = next(uids)
    mr = "1.2.840.10008.5.1.4.1.1.4"
    add(
        "another SOP class in the file meta information", Reason.UID_MISMATCH, head(uid, EXPLICIT, mr) + body(uid), True
    )
    uid = "1.2.3.not-a-uid"
    add("a UID that is none", frozenset({Reason.BAD_UID, Reason.MALFORMED}), head(uid) + body(uid), False)
    return tuple(cases)
