"""A slow reader and writer of sequential JPEG coefficients, made from ITU-T T.81 alone; nothing of the product in it.

`decode` gives what every coefficient is, `encode` makes a stream of given coefficients in any arrangement of scans,
tables, sampling factors and restart intervals that processes 1, 2 and 4 allow.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


def over(number: int, by: int) -> int:
    return -(-number // by)


@dataclass
class Picture:
    """Coefficients of each component: shape (block rows, block columns, 64), in zig-zag order, as coded."""

    precision: int
    rows: int
    columns: int
    identifiers: list[int]
    factors: list[tuple[int, int]]
    quantisers: list[list[int]]
    blocks: list[NDArray[np.int64]] = field(default_factory=list)

    def cell(self) -> tuple[int, int]:
        """Pixels across and down in one MCU of an interleaved scan; of a single component: one block."""
        if len(self.factors) == 1:
            return 8, 8
        return 8 * max(h for h, _ in self.factors), 8 * max(v for _, v in self.factors)

    def factor(self, component: int) -> tuple[int, int]:
        return self.factors[component] if len(self.factors) > 1 else (1, 1)

    def padded(self, component: int) -> tuple[int, int]:
        """Blocks down and across with those that only fill the last MCU."""
        (width, height), (h, v) = self.cell(), self.factor(component)
        return over(self.rows, height) * v, over(self.columns, width) * h

    def coded(self, component: int) -> tuple[int, int]:
        """Blocks down and across that hold samples: those of a scan of this component alone."""
        (width, height), (h, v) = self.cell(), self.factor(component)
        return over(over(self.rows * 8 * v, height), 8), over(over(self.columns * 8 * h, width), 8)

    def touched(self, component: int, boxes: Any) -> NDArray[np.bool_]:
        """Blocks (padded) of MCUs under boxes."""
        (width, height), (h, v) = self.cell(), self.factor(component)
        down, across = self.padded(component)
        y, x = np.mgrid[0:down, 0:across]
        left, top = x // h * width, y // v * height
        found = np.zeros((down, across), bool)
        for a, b, c, d in boxes:
            found |= (left < c) & (left + width > a) & (top < d) & (top + height > b)
        return found


def order(picture: Picture, places: list[int]) -> list[tuple[int, list[tuple[int, int, int]]]]:
    """(number, blocks as component, row, column) of each MCU of a scan (T.81 A.2)."""
    if len(places) == 1:
        down, across = picture.coded(places[0])
        return list(enumerate([(places[0], y, x)] for y in range(down) for x in range(across)))
    width, height = picture.cell()
    found = []
    for y in range(over(picture.rows, height)):
        for x in range(over(picture.columns, width)):
            blocks = []
            for place in places:
                h, v = picture.factors[place]
                blocks += [(place, y * v + j, x * h + i) for j in range(v) for i in range(h)]
            found.append(blocks)
    return list(enumerate(found))


# --- reading


def _codes(counts: bytes, symbols: bytes) -> dict[str, int]:
    found, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            found[format(code, f"0{length}b")] = symbol
            code += 1
        at, code = at + count, code * 2
    return found


class _Bits:
    def __init__(self, data: bytes) -> None:
        self.text = "".join(format(byte, "08b") for byte in data)
        self.at = 0

    def symbol(self, codes: dict[str, int]) -> int:
        for length in range(1, 17):
            if (found := codes.get(self.text[self.at : self.at + length])) is not None:
                self.at += length
                return found
        raise ValueError("no code")

    def value(self, size: int) -> int:
        if size == 0:
            return 0
        text = self.text[self.at : self.at + size]
        if len(text) < size:
            raise ValueError("no bits")
        self.at += size
        return int(text, 2) if text[0] == "1" else int(text, 2) - (1 << size) + 1


def decode(stream: bytes, *, slack: bool = False) -> Picture:
    """Coefficients of all components; whatever is odd raises. ``slack``: bits behind the last block are nothing odd."""
    assert stream[:2] == b"\xff\xd8"
    at, restart = 2, 0
    quantisers: dict[int, list[int]] = {}
    huffman: dict[int, dict[str, int]] = {}
    picture = Picture(0, 0, 0, [], [], [])
    wanted: list[int] = []
    while True:
        assert stream[at] == 0xFF
        while stream[at + 1] == 0xFF:
            at += 1
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        body = stream[at + 4 : at + 2 + length]
        if marker == 0xD9:
            return picture
        at += 2 + length
        if marker == 0xDB:
            while body:
                width = 1 + (body[0] >> 4)
                table = [int.from_bytes(body[1 + i * width : 1 + (i + 1) * width], "big") for i in range(64)]
                quantisers[body[0] & 15] = table
                body = body[1 + 64 * width :]
        elif marker == 0xC4:
            while body:
                total = sum(body[1:17])
                huffman[body[0]] = _codes(body[1:17], body[17 : 17 + total])
                body = body[17 + total :]
        elif marker == 0xDD:
            restart = int.from_bytes(body, "big")
        elif marker in (0xC0, 0xC1):
            parts = [body[i : i + 3] for i in range(6, len(body), 3)]
            picture = Picture(
                body[0],
                int.from_bytes(body[1:3], "big"),
                int.from_bytes(body[3:5], "big"),
                [part[0] for part in parts],
                [(part[1] >> 4, part[1] & 15) for part in parts],
                [[] for _ in parts],
            )
            wanted = [part[2] for part in parts]
            for place in range(len(parts)):
                picture.blocks.append(np.zeros((*picture.padded(place), 64), np.int64))
        elif marker == 0xDA:
            places = [picture.identifiers.index(body[1 + 2 * i]) for i in range(body[0])]
            tables = {
                place: (huffman[body[2 + 2 * i] >> 4], huffman[0x10 | body[2 + 2 * i] & 15])
                for i, place in enumerate(places)
            }
            for place in places:
                picture.quantisers[place] = quantisers[wanted[place]]
            at = _scan(stream, at, picture, places, tables, restart, slack)


def _interval(stream: bytes, at: int) -> tuple[bytes, int]:
    data = bytearray()
    while stream[at] != 0xFF or stream[at + 1] == 0:
        data.append(stream[at])
        at += 2 if stream[at] == 0xFF else 1
    return bytes(data), at


def _scan(stream: bytes, at: int, picture: Picture, places: list[int], tables: Any, restart: int, slack: bool) -> int:
    data, at = _interval(stream, at)
    bits, before = _Bits(data), dict.fromkeys(places, 0)
    for number, blocks in order(picture, places):
        if restart and number and number % restart == 0:
            while stream[at + 1] == 0xFF:
                at += 1
            assert stream[at : at + 2] == bytes((0xFF, 0xD0 + (number // restart - 1) % 8)), "a restart marker"
            _end(bits, slack)
            data, at = _interval(stream, at + 2)
            bits, before = _Bits(data), dict.fromkeys(places, 0)
        for place, y, x in blocks:
            dc, ac = tables[place]
            before[place] += bits.value(bits.symbol(dc))
            block = picture.blocks[place][y, x]
            block[0], k = before[place], 1
            while k < 64:
                symbol = bits.symbol(ac)
                if symbol == 0:
                    break
                k += symbol >> 4
                block[k] = bits.value(symbol & 15)
                k += 1
    _end(bits, slack)
    return at


def _end(bits: _Bits, slack: bool) -> None:
    rest = bits.text[bits.at :]
    assert slack or len(rest) < 8, "bytes behind the last block"
    assert slack or set(rest) <= {"1"}, "padding that is not ones"


# --- writing


def symbols(block: Any, before: int) -> list[tuple[int, int, int]]:
    """(class, symbol, coefficient) in the order of coding (T.81 F.1.2)."""
    difference = int(block[0]) - before
    found, run = [(0, abs(difference).bit_length(), difference)], 0
    for value in map(int, block[1:]):
        if value == 0:
            run += 1
            continue
        found += [(1, 0xF0, 0)] * (run // 16)
        found.append((1, (run % 16) << 4 | abs(value).bit_length(), value))
        run = 0
    if run:
        found.append((1, 0, 0))
    return found


def optimal(counts: dict[int, int], spare: bool = True) -> tuple[bytes, bytes]:
    """BITS and HUFFVAL for these frequencies, the code of ones left free; no code longer than 16 bits (T.81 K.2)."""
    weights = [(count, symbol, {symbol: 0}) for symbol, count in counts.items()]
    if spare or len(weights) == 1:
        weights.append((0, 256, {256: 0}))
    heapq.heapify(weights)
    while len(weights) > 1:
        (a, first, left), (b, second, right) = heapq.heappop(weights), heapq.heappop(weights)
        depth = {symbol: length + 1 for part in (left, right) for symbol, length in part.items()}
        heapq.heappush(weights, (a + b, min(first, second), depth))
    lengths = weights[0][2]
    if max(lengths.values()) > 16:
        return flat(list(counts))
    longest = max(lengths.values())
    if 256 in lengths:  # the code of ones is the last of the longest
        lengths[256] = longest
        if sum(2.0**-length for length in lengths.values()) > 1:
            return flat(list(counts))
        del lengths[256]
    ordered = sorted(lengths, key=lambda symbol: (lengths[symbol], symbol))
    return bytes(list(lengths.values()).count(length) for length in range(1, 17)), bytes(ordered)


def flat(wanted: list[int]) -> tuple[bytes, bytes]:
    """All codes of one length."""
    length = max(1, len(wanted).bit_length())
    return bytes(len(wanted) if n == length else 0 for n in range(1, 17)), bytes(wanted)


@dataclass
class Writing:
    """How to write: ``scans``: places of components; ``tables``: makes a Huffman table of frequencies."""

    scans: list[list[int]]
    restart: list[int]
    slots: list[tuple[int, int]]
    quantiser_slots: list[int]
    wide: bool = False
    extended: bool = False
    tables: Any = optimal
    applications: list[tuple[int, bytes]] = field(default_factory=list)
    between: bytes = b""
    fill: int = 0


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def encode(picture: Picture, how: Writing) -> bytes:
    """A stream of these coefficients."""
    out = [b"\xff\xd8", *(_segment(marker, body) for marker, body in how.applications)]
    head = bytes((picture.precision,)) + picture.rows.to_bytes(2, "big") + picture.columns.to_bytes(2, "big")
    head += bytes((len(picture.identifiers),))
    for identifier, (h, v), slot in zip(picture.identifiers, picture.factors, how.quantiser_slots, strict=True):
        head += bytes((identifier, h << 4 | v, slot))
    out.append(_segment(0xC1 if how.extended or picture.precision == 12 else 0xC0, head))
    restart = 0
    for places, interval in zip(how.scans, how.restart, strict=True):
        for place in places:
            table = picture.quantisers[place]
            values = b"".join(step.to_bytes(1 + how.wide, "big") for step in table)
            out.append(_segment(0xDB, bytes((how.wide << 4 | how.quantiser_slots[place],)) + values))
        coded = _coded(picture, places, interval)
        tables = _tables(coded, how)
        out += [
            _segment(0xC4, bytes((kind << 4 | slot,)) + counts + values)
            for (kind, slot), (counts, values) in tables.items()
        ]
        if interval != restart:
            out.append(_segment(0xDD, interval.to_bytes(2, "big")))
            restart = interval
        body = bytes((len(places),))
        body += b"".join(bytes((picture.identifiers[p], how.slots[p][0] << 4 | how.slots[p][1])) for p in places)
        out += [b"\xff" * how.fill, _segment(0xDA, body + b"\0\x3f\0"), _bits(coded, tables, how), how.between]
    return b"".join(out) + b"\xff" * how.fill + b"\xff\xd9"


def _coded(picture: Picture, places: list[int], interval: int) -> list[list[tuple[int, int, int, int]]]:
    """(component, class, symbol, coefficient) of each restart interval."""
    found: list[list[tuple[int, int, int, int]]] = [[]]
    before = dict.fromkeys(places, 0)
    for number, blocks in order(picture, places):
        if interval and number and number % interval == 0:
            found.append([])
            before = dict.fromkeys(places, 0)
        for place, y, x in blocks:
            block = picture.blocks[place][y, x]
            found[-1] += [(place, *symbol) for symbol in symbols(block, before[place])]
            before[place] = int(block[0])
    return found


def _tables(coded: Any, how: Writing) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    counts: dict[tuple[int, int], Counter[int]] = {}
    for part in coded:
        for place, kind, symbol, _ in part:
            counts.setdefault((kind, how.slots[place][kind]), Counter())[symbol] += 1
    for place in {place for part in coded for place, *_ in part}:
        counts.setdefault((1, how.slots[place][1]), Counter({0: 1}))
    return {where: how.tables(found) for where, found in sorted(counts.items())}


def _bits(coded: Any, tables: Any, how: Writing) -> bytes:
    codes = {where: {symbol: text for text, symbol in _codes(*table).items()} for where, table in tables.items()}
    parts = []
    for part in coded:
        text = []
        for place, kind, symbol, value in part:
            text.append(codes[kind, how.slots[place][kind]][symbol])
            if size := symbol & 15 if kind else symbol:
                text.append(format(value if value > 0 else value + (1 << size) - 1, f"0{size}b"))
        bits = "".join(text)
        bits += "1" * (-len(bits) % 8)
        data = int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""
        parts.append(data.replace(b"\xff", b"\xff\x00"))
    marks = [bytes((0xFF, 0xD0 + number % 8)) for number in range(len(parts))]
    return b"".join(part + mark for part, mark in zip(parts[:-1], marks, strict=False)) + parts[-1]
