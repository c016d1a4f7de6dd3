"""The kernel that writes entropy-coded data again (ITU-T T.81 F.1.2): blocks are blanked, all others copied bit by bit.

Only what stands next to a blanked block changes: its DC difference, which counts from the block before. Bits are
written into 32-bit words, after a look whether there is room. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.pixels.jpeg_entropy import BROKEN, GROW, MISSING, OK, is_coefficient, symbol_at, walk

#: words that one block may need beside the bits copied before it: 64 coefficients of 32 bits, the end of an interval
ROOM = 80
#: the writer: bits not yet written, how many, words written
_BITS, _COUNT, _WORDS = range(3)
#: rows of DC values, by component: those read, those written, black
_READ, _WRITTEN, _BLACK = range(3)
_LOW = np.uint64(0xFFFFFFFF)


@inlined
def _put(out: Any, writer: Any, value: Any, bits: int) -> None:
    """Write the lowest ``bits`` (at most 32) of ``value``; the caller saw that there is room."""
    pending = writer[_BITS] << np.uint64(bits) | value
    count = np.int64(writer[_COUNT]) + bits
    if count >= 32:
        count -= 32
        out[np.int64(writer[_WORDS])] = np.uint32(pending >> np.uint64(count) & _LOW)
        writer[_WORDS] += np.uint64(1)
    writer[_BITS], writer[_COUNT] = pending, np.uint64(count)


@inlined
def _copy(words: Any, start: int, stop: int, out: Any, writer: Any) -> None:
    """Write the bits ``start`` to ``stop`` of ``words``; the caller saw that there is room."""
    pending, count, to = writer[_BITS], np.int64(writer[_COUNT]), np.int64(writer[_WORDS])
    while start < stop:
        bits = min(stop - start, 32)
        at = start >> 5
        window = np.uint64(words[at]) << np.uint64(32) | np.uint64(words[at + 1])
        pending = pending << np.uint64(bits) | (window << np.uint64(start & 31)) >> np.uint64(64 - bits)
        count += bits
        if count >= 32:
            count -= 32
            out[to] = np.uint32(pending >> np.uint64(count) & _LOW)
            to += 1
        start += bits
    writer[_BITS], writer[_COUNT], writer[_WORDS] = pending, np.uint64(count), np.uint64(to)


@inlined
def _put_symbol(out: Any, writer: Any, coder: Any, table: int, symbol: int) -> Any:
    """Write the code of ``symbol``."""
    size = coder.size[table, symbol]
    if size == 0:
        return MISSING
    _put(out, writer, np.uint64(coder.code[table, symbol]), size)
    return OK


@inlined
def _put_difference(out: Any, writer: Any, coder: Any, table: int, value: int, most: int) -> Any:
    """Write a DC difference (T.81 F.1.2.1)."""
    size = 0
    while size <= most and abs(value) >> size:
        size += 1
    if size > most:
        return BROKEN
    code = _put_symbol(out, writer, coder, table, size)
    if code == OK and size > 0:
        _put(out, writer, np.uint64(value if value >= 0 else value + (1 << size) - 1), size)
    return code


@inlined
def _recode(words: Any, start: int, coder: Any, table: int, most: int, out: Any, writer: Any) -> Any:
    """Write the AC coefficients that begin at bit ``start``, which were walked through before, with other codes."""
    passed = 1
    while passed < 64:
        at, shift = start >> 5, start & 31
        window = (np.uint64(words[at]) << np.uint64(32) | np.uint64(words[at + 1])) << np.uint64(shift)
        symbol, length = symbol_at(window, coder, table)
        if not is_coefficient(symbol, length, most, passed):
            return BROKEN
        code = _put_symbol(out, writer, coder, table, symbol)
        if code != OK:
            return code
        start += length
        _copy(words, start, start + (symbol & 15), out, writer)
        start += symbol & 15
        passed = 64 if symbol == 0 else passed + (symbol >> 4) + 1
    return OK


@inlined
def _align(out: Any, writer: Any) -> Any:
    """Fill the last byte with ones (T.81 F.1.2.3) and the word with zeros; the byte behind the interval."""
    fill = np.int64(8 - writer[_COUNT] % np.uint64(8)) % 8
    _put(out, writer, np.uint64((1 << fill) - 1), fill)
    words, count = np.int64(writer[_WORDS]), np.int64(writer[_COUNT])
    if count:
        out[words] = np.uint32(writer[_BITS] << np.uint64(32 - count) & _LOW)
        writer[_WORDS] = np.uint64(words + 1)
    writer[_BITS], writer[_COUNT] = np.uint64(0), np.uint64(0)
    return 4 * words + count // 8


@inlined
def _block(
    words: Any, start: int, bits: int, wiped: bool, value: int, tables: Any, coder: Any, most: Any, out: Any,
    writer: Any,
) -> Any:  # fmt: skip
    """Write one block with another DC difference: (code, first bit of what remains to be copied, -1 for none)."""
    code = _put_difference(out, writer, coder, tables[1], value, most[0])
    if code != OK:
        return code, -1
    if wiped:
        return _put_symbol(out, writer, coder, tables[2], 0), -1
    if coder.fresh[tables[2]]:
        return _recode(words, start + bits, coder, tables[2], most[1], out, writer), -1
    return OK, start + bits


@compiled
def rewrite(
    words: Any, plan: Any, cells: Any, black: Any, coder: Any, most: Any, starts: Any, found: Any, out: Any, writer: Any
) -> Any:
    """Write one restart interval, blanked where ``cells`` (by MCU) says so: (code, byte of ``out`` behind it).

    ``words``, ``plan``, ``starts``, ``found``: see `jpeg_entropy.walk`. ``black``: DC coefficient by component of the
    scan; ``most``: largest categories, DC and AC; ``writer``: goes on where it stands.
    """
    dc = np.zeros((3, len(black)), np.int64)
    dc[_BLACK] = black
    run, number, fresh = -1, 0, coder.fresh.any()
    for mcu in range(len(cells)):
        wiped = cells[mcu]
        for block in range(len(plan)):
            component, read, bits = plan[block, 0], np.int64(found[number]) >> 5, np.int64(found[number]) & 31
            dc[_READ, component] += read
            value = dc[_BLACK if wiped else _READ, component] - dc[_WRITTEN, component]
            dc[_WRITTEN, component] += value
            start = starts[number]
            number += 1
            if value == read and not wiped and not fresh:
                run = start if run < 0 else run
                continue
            if np.int64(writer[_WORDS]) + (start - run >> 5 if run >= 0 else 0) + ROOM > len(out):
                return GROW, 0
            if run >= 0:
                _copy(words, run, start, out, writer)
            code, run = _block(words, start, bits, wiped, value, plan[block], coder, most, out, writer)
            if code != OK:
                return code, 0
    if run >= 0:
        if np.int64(writer[_WORDS]) + (starts[number] - run >> 5) + ROOM > len(out):
            return GROW, 0
        _copy(words, run, starts[number], out, writer)
    return OK, _align(out, writer)


@compiled
def edit(
    words: Any, bounds: Any, plan: Any, cells: Any, interval: int, black: Any, coder: Any, most: Any, out: Any,
    ends: Any,
) -> Any:  # fmt: skip
    """Blank one scan: a code. ``bounds``: as `jpeg_entropy.unstuff` left them; ``ends``: as `stuff` wants them.

    ``interval``: MCUs of a restart interval; the other arguments: see `rewrite`.
    """
    blocks = min(interval, len(cells)) * len(plan)
    starts, found = np.empty(blocks + 1, np.int64), np.empty(blocks, np.int32)
    writer = np.zeros(3, np.uint64)
    for part in range(len(bounds)):
        inside = cells[part * interval : (part + 1) * interval]
        code = walk(words, bounds[part], plan, len(inside) * len(plan), coder, most, starts, found)
        if code != OK:
            return code
        ends[part, 0] = 4 * np.int64(writer[_WORDS])
        code, ends[part, 1] = rewrite(words, plan, inside, black, coder, most, starts, found, out, writer)
        if code != OK:
            return code
    return OK
