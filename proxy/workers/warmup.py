"""A synthetic instance, so that a worker has imported and compiled everything before its first real one. Pure.

Whether it is released or held does not matter.
"""

from __future__ import annotations

import struct

_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_UID = "2.25.1"


def _element(group: int, number: int, vr: str, value: str) -> bytes:
    padded = value.encode("ascii")
    if len(padded) % 2:
        padded += b"\0" if vr == "UI" else b" "
    return struct.pack("<HH2sH", group, number, vr.encode("ascii"), len(padded)) + padded


def specimen() -> memoryview:
    """A Part 10 file (PS3.10 section 7.1) of a few elements."""
    meta = b"".join(
        (
            struct.pack("<HH2sHI2s", 2, 1, b"OB", 0, 2, b"\0\1"),
            _element(2, 2, "UI", _CT_IMAGE_STORAGE),
            _element(2, 3, "UI", _UID),
            _element(2, 0x10, "UI", _EXPLICIT_LITTLE_ENDIAN),
        )
    )
    inner = _element(8, 0x1150, "UI", _CT_IMAGE_STORAGE)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    sequence = struct.pack("<HH2sHI", 8, 0x1110, b"SQ", 0, len(item)) + item
    body = b"".join(
        (
            _element(8, 0x16, "UI", _CT_IMAGE_STORAGE),
            _element(8, 0x18, "UI", _UID),
            _element(8, 0x20, "DA", "20000101"),
            _element(8, 0x60, "CS", "CT"),
            sequence,
            _element(0x10, 0x10, "PN", "Warm^Up"),
            _element(0x10, 0x20, "LO", "1"),
            _element(0x20, 0x0D, "UI", _UID),
            _element(0x20, 0x0E, "UI", _UID),
        )
    )
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return memoryview(bytes(128) + b"DICM" + length + meta + body)
