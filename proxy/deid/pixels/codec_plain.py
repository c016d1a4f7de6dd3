"""Fragments that hold native frames: as they are (PS3.5 A.4.11, .1.98) and deflated (A.4.13, .8.1). Pure."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from proxy.deid.pixels import hidden
from proxy.deid.pixels.code_stream import Bytes, bounded, unreadable
from proxy.deid.pixels.plan import Layout
from proxy.deid.pixels.unpack import frame_at, pack

#: zlib's level and the window of a bare deflate stream (RFC 1951)
_LEVEL, _BARE = 6, -15


def frame(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """Stored values of an uncompressed frame."""
    return frame_at(_even(stream), _one(layout), 0)


def encode(values: NDArray[Any], layout: Layout) -> bytes:
    """Stored values as an uncompressed frame."""
    return pack(values, layout)


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """The frame without bytes and bits behind its last pixel, None where there are none."""
    one, value = _one(layout), _even(stream)
    if hidden.BEHIND not in hidden.hidden(value, one):
        return None
    end = hidden.padded(hidden.checked(value, one))
    tail = hidden.tail(value[:end], one)
    return bytes(value[: end - len(tail)]) + tail


def hides(stream: Bytes, layout: Layout) -> tuple[str, ...]:
    """What the unused bits of samples hold."""
    one = _one(layout)
    value = _even(stream)
    return hidden.hidden_bits(value[: hidden.padded(hidden.checked(value, one))], one)


def inflated(stream: Bytes, layout: Layout) -> bytes:
    """The native frame of a deflated one; never more than it may have, and a pad byte."""
    return _inflate(stream, layout)[0]


def deflated(native: bytes) -> bytes:
    """A native frame, deflated."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _BARE)
    return packer.compress(native) + packer.flush()


def stripped_deflated(stream: Bytes, layout: Layout) -> bytes | None:
    """The deflated frame without bytes behind its end or behind its last pixel, None where there are none."""
    native, behind = _inflate(stream, layout)
    clean = stripped(native, layout)
    if clean is None and behind in (b"", b"\0"):
        return None
    return bytes(stream[: len(stream) - len(behind)]) if clean is None else deflated(clean)


def _inflate(stream: Bytes, layout: Layout) -> tuple[bytes, bytes]:
    """The native frame, and what stands behind the deflate stream."""
    bounded(layout)
    size = hidden.padded((layout.frame_bits + 7) // 8)
    unpacker = zlib.decompressobj(_BARE)
    try:
        native = unpacker.decompress(bytes(stream), size + 1)
        native += unpacker.decompress(unpacker.unconsumed_tail, 1) if not unpacker.eof else b""
    except zlib.error:
        raise unreadable("a frame that is not a deflate stream") from None
    if len(native) > size or not unpacker.eof:
        raise unreadable("a deflated frame of another length than its pixels have")
    return native, unpacker.unused_data


def _one(layout: Layout) -> Layout:
    return replace(layout, frames=1)


def _even(stream: Bytes) -> memoryview:
    return memoryview(bytes(stream) + b"\0") if len(stream) % 2 else memoryview(stream)
