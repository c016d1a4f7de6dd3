"""Entropy-coded data of JPEG between bytes and bits (ITU-T T.81 F.1.2.3): zeros stuffed behind FF, restart markers.

Reads and writes inside the buffers given only. Pure.
"""

from __future__ import annotations

from typing import Any

from proxy.deid.compiled import compiled

#: zero bytes behind the data, for readers that look ahead: more than the 64 * 32 bits of one block
SLACK = 512


@compiled
def unstuff(source: Any, clean: Any, parts: Any) -> Any:
    """T.81 F.1.2.3 undone for the data of one scan; False where restart markers are not those that there must be.

    ``clean`` has room for ``source``, 4 bytes a part and `SLACK`; ``parts``: a row for each restart interval: its
    first 32-bit word in ``clean``, the bit behind its last byte.
    """
    at, to, part, size = 0, 0, 0, len(source)
    parts[0, 0] = 0
    while at < size:
        byte = source[at]
        if byte != 0xFF:
            clean[to] = byte
            to += 1
            at += 1
            continue
        mark = at + 1
        while mark < size and source[mark] == 0xFF:
            mark += 1
        if mark < size and source[mark] == 0 and mark == at + 1:
            clean[to] = 0xFF
            to += 1
        elif mark < size and source[mark] == 0xD0 + part % 8 and part + 1 < len(parts):
            parts[part, 1] = 8 * to
            while to % 4:
                clean[to] = 0
                to += 1
            part += 1
            parts[part, 0] = to // 4
        else:
            return False
        at = mark + 1
    parts[part, 1] = 8 * to
    clean[to : to + SLACK] = 0
    return part + 1 == len(parts)


@compiled
def stuff(clean: Any, parts: Any, final: Any) -> Any:
    """Bytes written to ``final``: each part with its FF stuffed, restart markers between them.

    ``parts``: a row for each part: its first byte in ``clean``, the one behind its last. ``final`` has room for twice
    the parts and a marker each.
    """
    to = 0
    for part in range(len(parts)):
        if part > 0:
            final[to], final[to + 1] = 0xFF, 0xD0 + (part - 1) % 8
            to += 2
        for at in range(parts[part, 0], parts[part, 1]):
            byte = clean[at]
            final[to] = byte
            to += 1
            if byte == 0xFF:
                final[to] = 0
                to += 1
    return to
