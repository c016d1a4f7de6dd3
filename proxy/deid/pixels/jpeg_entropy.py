"""Kernels over the entropy-coded data of one scan (ITU-T T.81 Annex F): walked through and written again.

Coefficients never exist as numbers: the walk notes where each block begins and its DC difference. Blocks are blanked,
all others copied bit by bit; only the DC difference behind a blanked block changes, as it counts from the block before.
Loops end with their buffers; a word is read at most 64 * 32 bits behind the data, written where room was seen. Pure.

All in one file, constants too: numba's cache sees changes of a kernel's own file alone. Hot loops hand no array on and
take none out of a tuple: counting references there costs ten times the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined

OK, GROW, TRUNCATED, BROKEN, MISSING = range(5)
#: bits that one look-up sees (`jpeg_tables.Coder`): of a DC table, of an AC table
FIRST, STEPS = 9, 11
#: an entry of ``steps``: coefficients passed (bits 0 to 6), whether the block ends (bit 7), bits taken (from bit 8)
ENDS = 0x80
#: words that one block may need beside the bits copied before it: 64 coefficients of 32 bits, the end of an interval
ROOM = 80
#: the writer: bits not yet written, how many, words written
_BITS, _COUNT, _WORDS = range(3)
#: rows of DC values, by component: those read, those written, black
_READ, _WRITTEN, _BLACK = range(3)
_LOW = np.uint64(0xFFFFFFFF)


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

    ``words``, ``bounds``: of the interval (see `jpeg_stuffing.unstuff`). ``plan``: component, DC table, AC table of
    each block of an MCU; ``total``: blocks. ``starts``: the first bit of each block, and behind the last one;
    ``found``: for each block its DC difference << 5 | bits of it.
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

    ``words``, ``plan``, ``starts``, ``found``: see `walk`. ``black``: DC coefficient by component of the
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
    """Blank one scan: a code. ``bounds``: as `jpeg_stuffing.unstuff` left them; ``ends``: as `stuff` wants them.

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
