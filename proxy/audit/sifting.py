"""A log read in blocks of whole lines, from either end, and the lines of a block in which certain bytes stand.

Looking for bytes in a block costs a hundredth of parsing its lines: what is rare is found in a large log without an
index beside it. Blocking; memory is that of a block.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from proxy.audit.chain import MAX_LINE
from proxy.audit.follow import Cursor, number_of
from proxy.audit.sink_file import segments

#: bytes that are read at once
BLOCK = 1 << 19
#: one of these bytes has to stand in a line
AnyOf = Sequence[bytes]


def blocks(folder: Path, low: Cursor, high: Cursor, oldest: bool, size: int = BLOCK) -> Iterator[bytes]:
    """What lies between two places of the log, in blocks of whole lines; the ``oldest`` block first, or the newest."""
    parts = _parts(folder, low, high)
    for path, start, end in parts if oldest else reversed(parts):
        with opened(path) as file:
            to = file.seek(0, 2) if end is None else end
            yield from _forwards(file, start, to, size) if oldest else _backwards(file, start, to, size)


def sift(block: bytes, needles: Sequence[AnyOf]) -> list[bytes]:
    """The lines of ``block``, in order, in which one of each of ``needles`` stands. A needle has no line end."""
    if not needles:
        return [line for line in block.split(b"\n") if line]
    if not all(any(needle in block for needle in any_of) for any_of in needles):
        return []
    rarest = min(needles, key=lambda any_of: sum(map(block.count, any_of))) if len(needles) > 1 else needles[0]
    others = [any_of for any_of in needles if any_of is not rarest]
    lines = (block[start:end] for start, end in sorted(_around(block, rarest).items()))
    return [line for line in lines if all(any(needle in line for needle in any_of) for any_of in others)]


def opened(path: Path) -> BinaryIO:
    """A segment; nothing where its time has come meanwhile."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()


def _around(block: bytes, any_of: AnyOf) -> dict[int, int]:
    """Where the lines begin and end in which one of ``any_of`` stands."""
    found: dict[int, int] = {}
    for needle in any_of:
        at = block.find(needle)
        while at >= 0:
            end = block.find(b"\n", at)
            end = end if end >= 0 else len(block)
            found[block.rfind(b"\n", 0, at) + 1] = end
            at = block.find(needle, end)
    return found


def _parts(folder: Path, low: Cursor, high: Cursor) -> list[tuple[Path, int, int | None]]:
    """The segments between two places, with the bytes of each that lie there; None: to its end."""
    found = []
    for path in segments(folder):
        number = number_of(path)
        if low.segment <= number <= high.segment:
            start = low.offset if number == low.segment else 0
            found.append((path, start, high.offset if number == high.segment else None))
    return found


def _forwards(file: BinaryIO, start: int, end: int, size: int) -> Iterator[bytes]:
    file.seek(start)
    rest = b""
    while start < end and (read := file.read(min(size, end - start))):
        start += len(read)
        block, newline, after = (rest + read).rpartition(b"\n")
        rest = after if len(after) <= MAX_LINE else b""
        if newline:
            yield block


def _backwards(file: BinaryIO, start: int, end: int, size: int) -> Iterator[bytes]:
    rest = b""
    while end > start:
        at = max(start, end - size)
        file.seek(at)
        block = file.read(end - at) + rest
        rest = b""
        if at > start:
            rest, _, block = block.partition(b"\n")
            rest = rest if len(rest) <= MAX_LINE else b""
        if block:
            yield block
        end = at
