"""Kernels over the entropy-coded data of one scan (ITU-T T.81 Annex F): unstuffed, walked through, stuffed again.

Coefficients never exist as numbers: the walk notes where each block begins and its DC difference, the rest is bits that
`jpeg_rewrite` copies. Every loop is bounded by the buffers it was given; a word is read at most `SLACK` bytes behind
the data. Arrays are not handed to parts of a hot loop: numba would count references there, ten times its cost. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.pixels.jpeg_tables import ENDS, FIRST, STEPS

OK, GROW, TRUNCATED, BROKEN, RESTARTS, MISSING = range(6)
#: bytes behind the data that may be looked at: more than the 64 * 32 bits of one block
SLACK = 512


@compiled
def unstuff(source: Any, clean: Any, parts: Any) -> Any:
    """T.81 F.1.2.3 undone for the data of one scan; a code.

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
            return RESTARTS
        at = mark + 1
    parts[part, 1] = 8 * to
    clean[to : to + SLACK] = 0
    return OK if part + 1 == len(parts) else RESTARTS


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


@inlined
def symbol_at(window: Any, coder: Any, table: int) -> Any:
    """(symbol, length) of the code that ``window`` begins with, length 0 where there is none (T.81 F.2.2.3)."""
    code = np.int64(window >> np.uint64(48))
    for length in range(1, 17):
        if code < coder.limit[table, length]:
            return np.int64(coder.symbols[table, (coder.base[table, length] + (code >> 16 - length)) & 255]), length
    return np.int64(0), 0


@inlined
def is_coefficient(symbol: int, length: int, most: int, passed: int) -> Any:
    """Whether an AC symbol can stand behind ``passed`` coefficients (T.81 F.1.2.2)."""
    size = symbol & 15
    fits = symbol == 0 or passed + (symbol >> 4) + 1 <= 64
    return length > 0 and size <= most and fits and (size > 0 or symbol == 0 or symbol == 0xF0)


@inlined
def _value(window: Any, size: int) -> Any:
    """The next ``size`` bits, 1 to 16, as a difference (T.81 F.2.2.1, EXTEND)."""
    value = np.int64(window >> np.uint64(64 - size))
    return value if value >> (size - 1) else value - (1 << size) + 1


@compiled
def walk(words: Any, bounds: Any, plan: Any, total: int, coder: Any, most: Any, starts: Any, found: Any) -> Any:
    """Find every block of one restart interval; a code.

    ``words``, ``bounds``: of the interval (see `unstuff`). ``plan``: component, DC table, AC table of each block of an
    MCU; ``total``: blocks. ``starts``: the first bit of each block, and behind the last one; ``found``: for each
    block its DC difference << 5 | bits of it.
    """
    window, count, at, block, end = np.uint64(0), 0, bounds[0], 0, bounds[1]
    first, steps = coder.first, coder.steps
    for number in range(total):
        starts[number] = 32 * at - count
        table = plan[block, 1]
        if count < 32:
            window |= np.uint64(words[at]) << np.uint64(32 - count)
            count, at = count + 32, at + 1
        entry: Any = np.int64(first[table, window >> np.uint64(64 - FIRST)])
        size, length = entry & 255, entry >> 8
        if length == 0:
            size, length = symbol_at(window, coder, table)
        if length == 0 or size > most[0]:
            return BROKEN
        value = _value(window << np.uint64(length), size) if size else 0
        found[number] = value << 5 | (length + size)
        window, count = window << np.uint64(length + size), count - length - size
        table, passed = plan[block, 2], 1
        while passed < 64:
            if count < 32:
                window |= np.uint64(words[at]) << np.uint64(32 - count)
                count, at = count + 32, at + 1
            entry = np.int64(steps[table, window >> np.uint64(64 - STEPS)])
            bits, past = entry >> 8, passed + (entry & 0x7F)
            if entry == 0 or past > 64:
                symbol, length = symbol_at(window, coder, table)
                if not is_coefficient(symbol, length, most[1], passed):
                    return BROKEN
                bits, past = length + (symbol & 15), passed + (symbol >> 4) + 1
                entry = 0 if symbol else ENDS
            window, count = window << np.uint64(bits), count - bits
            passed = 64 if entry & ENDS else past
        if 32 * at - count > end:
            return TRUNCATED
        block = 0 if block + 1 == len(plan) else block + 1
    starts[total] = 32 * at - count
    return OK
