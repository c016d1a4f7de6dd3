"""Finds the code stream in a JP2 file (T.800 Annex I), which PS3.5 8.2.4 does not allow but writers have put there.

Only where the boxes around it change no sample: a palette, or channels in another order, is `PIXELS_UNREADABLE`. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from proxy.deid.pixels.code_stream import Bytes, unreadable

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_CHANGING = frozenset({b"pclr", b"cmap"})
_MOST_BOXES = 4096


class Box(NamedTuple):
    """``stream[start:end]`` is the content of a box."""

    kind: bytes
    start: int
    end: int


def boxes(stream: Bytes, at: int, stop: int, padding: int = 0) -> Iterator[Box]:
    """The boxes that fill ``stream[at:stop]`` (T.800 I.4), but for up to ``padding`` bytes."""
    for _ in range(_MOST_BOXES):
        if stop - at <= padding:
            return
        length, start = int.from_bytes(stream[at : at + 4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(stream[at + 8 : at + 16], "big"), at + 16
        end = at + length if length else stop
        if not start <= end <= stop:
            break
        yield Box(bytes(stream[at + 4 : at + 8]), start, end)
        at = end
    raise unreadable("a file format around a code stream that does not add up")


def code_stream(stream: Bytes) -> tuple[int, int]:
    """Where the code stream is: all of ``stream`` unless it is a JP2 file."""
    if bytes(stream[:12]) != SIGNATURE:
        return 0, len(stream)
    found = list(boxes(stream, 0, len(stream), padding=1))
    streams = [box for box in found if box.kind == b"jp2c"]
    headers = [box for box in found if box.kind == b"jp2h"]
    if len(streams) != 1 or len(headers) != 1:
        raise unreadable("a JP2 file without exactly one code stream")
    for box in boxes(stream, headers[0].start, headers[0].end):
        if box.kind in _CHANGING or (box.kind == b"cdef" and not _is_in_order(bytes(stream[box.start : box.end]))):
            raise unreadable("a JP2 file whose boxes change samples")
    return streams[0].start, streams[0].end


def _is_in_order(body: bytes) -> bool:
    """Whether a channel definition says that channel n is colour n + 1 (T.800 I.5.3.6)."""
    entries = [body[at : at + 6] for at in range(2, len(body), 6)]
    return all(entry == struct.pack(">HHH", number, 0, number + 1) for number, entry in enumerate(entries))
