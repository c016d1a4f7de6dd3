"""The kernel that walks through the packets of one JPEG 2000 tile (T.800 B.9, B.10; T.814) to where the last one ends.

Packet headers are read, bodies passed over; nothing is decoded. Every read is inside the data. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined

#: a row of ``bands``: code-blocks across and down in one precinct, first code-block, first node of its tag trees
WIDE, HIGH, BLOCK, NODE = range(4)
#: a row of ``precincts``: first band, bands, style of code-blocks
FIRST_BAND, BANDS, STYLE = range(3)
#: bits of the style of code-blocks (T.800 Table A.19)
_BYPASS, _TERMINATE, _HIGH_THROUGHPUT = 0x01, 0x04, 0x40
#: bits of Scod: a marker may stand before each packet, behind each packet header
_SOP, _EPH = 0x02, 0x04
#: what a code-block remembers: included before, Lblock, passes of its open segment, passes that this may have
_KNOWN, _LBLOCK, _PASSES, _MOST = range(4)
#: the reader: position, last byte, bits left of it
_AT, _BYTE, _LEFT = range(3)
_UNKNOWN, _LEVELS = 1 << 20, 32
#: passes of a code-block in one segment: OpenJPEG reads more as two, so samples of more than 37 bits are refused
_MOST_PASSES = 109


@inlined
def _bit(data: Any, reader: Any) -> Any:
    """The next bit of a packet header, -1 behind the data; after 0xFF a byte has 7 bits (T.800 B.10.1)."""
    if reader[_LEFT] == 0:
        if reader[_AT] >= len(data):
            return -1
        reader[_LEFT] = 7 if reader[_BYTE] == 0xFF else 8
        reader[_BYTE] = data[reader[_AT]]
        reader[_AT] += 1
    reader[_LEFT] -= 1
    return reader[_BYTE] >> reader[_LEFT] & 1


@inlined
def _bits(data: Any, reader: Any, count: int) -> Any:
    value = 0
    for _ in range(count):
        bit = _bit(data, reader)
        if bit < 0:
            return -1
        value = value << 1 | bit
    return value


@compiled
def _reaches(data: Any, reader: Any, tree: Any, band: Any, block: int, limit: int) -> Any:
    """Whether the value of a leaf of a tag tree is below ``limit`` (T.800 B.10.2); -1 behind the data.

    ``tree``: value and lower bound of each node.
    """
    column, row = block % band[WIDE], block // band[WIDE]
    wide, high, levels = np.empty(_LEVELS, np.int64), band[HIGH], 1
    first = np.empty(_LEVELS, np.int64)
    wide[0], first[0] = band[WIDE], band[NODE]
    while wide[levels - 1] > 1 or high > 1:
        first[levels] = first[levels - 1] + wide[levels - 1] * high
        wide[levels], high = (wide[levels - 1] + 1) // 2, (high + 1) // 2
        levels += 1
    low, node = 0, 0
    for level in range(levels - 1, -1, -1):
        node = first[level] + (row >> level) * wide[level] + (column >> level)
        low = max(low, tree[node, 1])
        while low < limit and low < tree[node, 0]:
            bit = _bit(data, reader)
            if bit < 0:
                return -1
            if bit:
                tree[node, 0] = low
            else:
                low += 1
        tree[node, 1] = low
    return 1 if tree[node, 0] < limit else 0


@compiled
def _passes(data: Any, reader: Any) -> Any:
    """The number of new coding passes (T.800 Table B.4); -1 behind the data."""
    for offset, count in ((1, 1), (2, 1), (3, 2), (6, 5), (37, 7)):
        value = _bits(data, reader, count)
        if value < 0:
            return -1
        if value < (1 << count) - 1 or count == 7:
            return offset + value
    return -1


@compiled
def _lengths(data: Any, reader: Any, state: Any, style: int, passes: int) -> Any:
    """Bytes of a code-block in this packet (T.800 B.10.7); -1 behind the data. ``state``: of the code-block."""
    while True:
        bit = _bit(data, reader)
        if bit < 0 or state[_LBLOCK] > 32:
            return -1
        if bit == 0:
            break
        state[_LBLOCK] += 1
    total = 0
    while passes > 0:
        if state[_PASSES] == state[_MOST]:
            if style & _TERMINATE:
                state[_MOST] = 1
            elif style & _BYPASS:
                state[_MOST] = 2 if state[_MOST] in (1, 10) else 1
            elif style & _HIGH_THROUGHPUT:
                state[_MOST] = _MOST_PASSES
            else:
                return -1
            state[_PASSES] = 0
        new, bits = min(passes, state[_MOST] - state[_PASSES]), 0
        while new >> bits + 1:
            bits += 1
        length = _bits(data, reader, state[_LBLOCK] + bits)
        if length < 0:
            return -1
        total, passes = total + length, passes - new
        state[_PASSES] += new
    return total


@inlined
def _first_segment(style: int) -> Any:
    """Passes that the first segment of a code-block may have: until it is terminated (T.800 D.4.2; T.814 B.3)."""
    if style & (_TERMINATE | _HIGH_THROUGHPUT):
        return 1
    return 10 if style & _BYPASS else _MOST_PASSES


@compiled
def _block(
    data: Any, reader: Any, band: Any, block: int, layer: int, style: int, states: Any, included: Any, planes: Any
) -> Any:
    """Bytes of one code-block in a packet, -1 for what is no header."""
    state = states[band[BLOCK] + block]
    here = _bit(data, reader) if state[_KNOWN] else _reaches(data, reader, included, band, block, layer + 1)
    if here <= 0:
        return here
    if not state[_KNOWN]:
        limit, reached = 1, 0
        while reached == 0:
            reached = _reaches(data, reader, planes, band, block, limit)
            limit += 1
            if reached < 0 or limit > 80:
                return -1
        state[_KNOWN], state[_LBLOCK], state[_PASSES], state[_MOST] = 1, 3, 0, _first_segment(style)
    passes = _passes(data, reader)
    return _lengths(data, reader, state, style, passes) if 0 < passes <= _MOST_PASSES else -1


@compiled
def walk(data: Any, packets: Any, precincts: Any, bands: Any, blocks: int, nodes: int, markers: int) -> Any:
    """The position behind the last of ``packets`` (rows of precinct and layer), -1 when ``data`` hold no such packets.

    ``blocks``, ``nodes``: how many ``bands`` have in all; ``markers``: Scod.
    """
    states, reader = np.zeros((blocks, 4), np.int64), np.zeros(3, np.int64)
    included, planes = np.zeros((nodes, 2), np.int64), np.zeros((nodes, 2), np.int64)
    included[:, 0] = _UNKNOWN
    planes[:, 0] = _UNKNOWN
    for number in range(len(packets)):
        at, body = reader[_AT], 0
        if markers & _SOP and at + 6 <= len(data) and data[at] == 0xFF and data[at + 1] == 0x91:
            reader[_AT] = at + 6
        reader[_BYTE], reader[_LEFT] = 0, 0
        filled = _bit(data, reader)
        if filled < 0:
            return -1
        precinct = precincts[packets[number, 0]]
        for place in range(precinct[BANDS] if filled else 0):
            band = bands[precinct[FIRST_BAND] + place]
            for block in range(band[WIDE] * band[HIGH]):
                length = _block(
                    data, reader, band, block, packets[number, 1], precinct[STYLE], states, included, planes
                )
                if length < 0:
                    return -1
                body += length
        at = reader[_AT] + (1 if reader[_BYTE] == 0xFF else 0)
        if markers & _EPH and at + 2 <= len(data) and data[at] == 0xFF and data[at + 1] == 0x92:
            at += 2
        reader[_AT] = at + body
        if reader[_AT] > len(data):
            return -1
    return reader[_AT]
