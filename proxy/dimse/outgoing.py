"""A message on its way out: its command set and its data set as PDUs that the peer can take.

A file is sent as it lies there, block by block: neither decoded nor read into memory as a whole.
"""

from __future__ import annotations

import asyncio
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from proxy.dimse.stream import Stream
from proxy.wire.command import Command
from proxy.wire.messages import split
from proxy.wire.upper_layer import TooLate

#: for peers that announce no limit, or an absurd one
_LARGEST_PDU, _SMALLEST_PDU = 128 << 10, 1 << 10
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """The data set of a Part 10 file: everything from ``offset``, in bytes, on."""

    path: Path
    offset: int


Data = bytes | bytearray | File


def largest(announced: int) -> int:
    """The longest P-DATA-TF, after its header, for a peer that announced this (0: any length)."""
    return max(min(announced or _LARGEST_PDU, _LARGEST_PDU), _SMALLEST_PDU)


async def send(stream: Stream, announced: int, context: int, command: Command, data: Data | None) -> bool:
    """Send one message; False when the association ended under way.

    OSError where the file cannot be read: then half a message may be out, and the association is aborted.
    """
    most = largest(announced)
    try:
        parts = split(context, True, memoryview(command.encode(data is not None)), most)
        if isinstance(data, File):
            stream.send(parts)
            await _send_file(stream, most, context, data)
        elif data is not None:
            stream.send([*parts, *split(context, False, memoryview(_even(data)), most)])
        else:
            stream.send(parts)
        await stream.drain()
    except TooLate:
        return False
    return True


async def _send_file(stream: Stream, most: int, context: int, file: File) -> None:
    block = max(_BLOCK // (most - 6), 1) * ((most - 6) & ~1)  # whole PDUs
    try:
        # not in a thread: who is cancelled meanwhile would leave the file open
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            left, at = os.fstat(descriptor).st_size - file.offset, file.offset
            if left <= 0:
                raise OSError(0, "the spooled file has no data set")
            while left > 0:
                data = await asyncio.to_thread(os.pread, descriptor, min(block, left), at)
                if not data:
                    raise OSError(0, "the spooled file is shorter than it was")
                at, left = at + len(data), left - len(data)
                stream.send(split(context, False, memoryview(_even(data)), most, last=left == 0))
                await stream.drain()
        finally:
            os.close(descriptor)
    except (OSError, asyncio.CancelledError):  # half a message is out: nothing can follow it
        stream.abort()
        raise


def _even(data: bytes | bytearray) -> bytes | bytearray:
    """Pad a deflated data set of odd length (PS3.5 A.5): fragments are even (PS3.8 E.2), and some peers insist."""
    return data if len(data) % 2 == 0 else data + b"\x00"


def part10_offset(path: Path) -> int:
    """Where the data set of a Part 10 file begins: behind the group that (0002,0000) measures (PS3.10 7.1).

    OSError when it cannot be read, ValueError when it is no Part 10 file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # for every instance: no file object for it
    try:
        head = os.pread(descriptor, 144, 0)
    finally:
        os.close(descriptor)
    if len(head) < 144 or head[128:140] != b"DICM\x02\x00\x00\x00UL\x04\x00":
        raise ValueError("not Part 10")
    return 144 + int(struct.unpack("<I", head[140:144])[0])
