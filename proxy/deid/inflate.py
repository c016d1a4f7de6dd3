"""Deflated data sets (PS3.5 A.5), unpacked under two bounds before anything parses them.

The absolute bound holds always; the ratio only above 16 MiB, because an empty mask honestly packs 1000 to 1.
Pure; peak memory is about twice the bound that applies.
"""

from __future__ import annotations

import struct
import zlib

from proxy.deid.part10 import Limits
from proxy.errors import InstanceHeld, Reason

_RATIO_HOLDS_ABOVE = 16 << 20


def inflate(data: memoryview, offset: int, limits: Limits) -> bytes:
    """Everything behind ``offset``, unpacked; `INFLATE_LIMIT`, `TRUNCATED` (no end), `MALFORMED` (not deflate)."""
    packed = data[offset:]
    bound = min(limits.inflated_bytes, max(_RATIO_HOLDS_ABOVE, limits.inflate_ratio * len(packed)))
    unpacker = zlib.decompressobj(-15)
    try:
        unpacked = unpacker.decompress(packed, bound + 1)
    except zlib.error:
        raise InstanceHeld(Reason.MALFORMED, "the data set is not a deflate stream") from None
    if len(unpacked) > bound:
        raise InstanceHeld(Reason.INFLATE_LIMIT, f"more than {bound} bytes from {len(packed)}")
    if not unpacker.eof:
        raise InstanceHeld(Reason.TRUNCATED, "the deflate stream has no end")
    if not _is_tail(unpacker.unused_data, unpacked):
        raise InstanceHeld(Reason.MALFORMED, "bytes follow the deflate stream")
    return unpacked


def _is_tail(tail: bytes, unpacked: bytes) -> bool:
    """Padding (one NUL makes the length even; some writers add more) or the end of gzip (RFC 1952: CRC32, length)."""
    if not tail:
        return True
    gzip_tail = struct.pack("<II", zlib.crc32(unpacked), len(unpacked) & 0xFFFFFFFF)
    return not tail.removeprefix(gzip_tail).strip(b"\0")
