"""Huffman tables: codes that are there stay what they are, symbols that are missing come behind, look-ups are right."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from proxy.deid.pixels.jpeg_entropy import ENDS, FIRST, STEPS
from proxy.deid.pixels.jpeg_tables import Huffman, coder_of, completed, read_huffman
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.jpeg_pictures import TABLES, crowded_table, sparse_table
from tests.deid.pixels.jpeg_reference import optimal

AC = [run << 4 | size for run in range(16) for size in range(1, 11)] + [0, 0xF0]


def some(rnd: random.Random, among: list[int]) -> dict[int, int]:
    chosen = rnd.sample(among, rnd.randint(2, len(among)))
    return {symbol: max(1, int(rnd.paretovariate(0.4)) % 100000) for symbol in chosen}


def table(pair: tuple[bytes, bytes]) -> Huffman:
    return Huffman(*pair)


def is_prefix_free(found: Huffman) -> bool:
    texts = sorted(format(code, f"0{length}b") for _, code, length in found.codes())
    return all(not b.startswith(a) for a, b in pairwise(texts))


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_completed_has_all_and_is_a_code(make: object) -> None:
    rnd, fresh = random.Random(4), Counter[bool]()
    for most in [12, 16] * 60:
        before = table(make(some(rnd, list(range(most)))))  # type: ignore[operator]
        after, changed = completed(before, range(most))
        assert set(after.symbols) == set(range(most))
        assert len(after.symbols) == sum(after.counts) == most
        assert is_prefix_free(after)
        assert (
            "0"
            in format(max(code for _, code, length in after.codes() if length == after.longest), "b").zfill(
                after.longest
            )
            or after == before
        )  # the code of ones is left free
        old, new = {s: (c, n) for s, c, n in before.codes()}, {s: (c, n) for s, c, n in after.codes()}
        assert changed is (any(new[symbol] != old[symbol] for symbol in old))
        assert all(new[symbol][1] <= old[symbol][1] + 1 for symbol in old)
        fresh[changed] += 1
    assert fresh[False]
    assert bool(fresh[True]) is (make in (sparse_table, crowded_table))


def test_what_has_all_stays_itself() -> None:
    full = table(optimal(dict.fromkeys(range(12), 1)))
    assert completed(full, range(12)) == (full, False)
    assert completed(full, range(0)) == (full, False)


def test_an_end_of_block_is_added_behind_the_longest_codes() -> None:
    """The lengths of T.81 table K.5, which reaches 16 bits, without the end of block."""
    counts = bytes((0, 2, 1, 2, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D))
    before = Huffman(counts, bytes(symbol for symbol in AC if symbol))
    assert sum(counts) == len(before.symbols)
    after, changed = completed(before, range(1))
    assert not changed
    assert after == Huffman(counts[:15] + b"\x7e", before.symbols + b"\0")


def test_a_table_without_any_code_left_gets_longer_codes() -> None:
    before = Huffman(bytes((1, 1, 2)) + bytes(13), b"\1\2\3\4")
    after, changed = completed(before, range(1))
    assert changed
    assert [(symbol, length) for symbol, _, length in after.codes()] == [(1, 2), (2, 3), (3, 4), (4, 4), (0, 4)]


def test_look_ups_read_what_a_slow_reader_reads() -> None:
    rnd = random.Random(9)
    for _ in range(25):
        found = table(rnd.choice(TABLES)(some(rnd, AC)))
        arrays = coder_of((found,), (found,), (False,), 10)
        codes = {format(code, f"0{length}b"): symbol for symbol, code, length in found.codes()}
        for place in range(1 << STEPS):
            text = format(place, f"0{STEPS}b")
            assert int(arrays.steps[0, place]) == entry(text, codes)
        for place in range(1 << FIRST):
            text = format(place, f"0{FIRST}b")
            hit = next(((text[:n], codes[text[:n]]) for n in range(1, FIRST + 1) if text[:n] in codes), None)
            assert int(arrays.first[0, place]) == (len(hit[0]) << 8 | hit[1] if hit else 0)


def entry(text: str, codes: dict[str, int]) -> int:
    """What `steps` holds for these bits, by T.81 F.2.2.2."""
    taken = passed = ended = 0
    while not ended:
        rest = text[taken:]
        hit = next((rest[:n] for n in range(1, len(rest) + 1) if rest[:n] in codes), None)
        if hit is None:
            break
        symbol = codes[hit]
        whole = len(hit) + (symbol & 15)
        if taken and (taken + whole > STEPS or passed + (symbol >> 4) + 1 > 64):
            break
        taken, passed, ended = taken + whole, passed + (symbol >> 4) + 1, int(symbol == 0)
    return taken << 8 | passed | (ENDS if ended else 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00" + bytes(15),
        b"\x00" + bytes((3,)) + bytes(15) + b"abc",
        b"\x00" + bytes((0, 2)) + bytes(14) + b"aa",
        b"\x00" + bytes((0, 2)) + bytes(14) + b"a",
        b"\x20" + bytes((0, 1)) + bytes(14) + b"a",
        b"\x04" + bytes((0, 1)) + bytes(14) + b"a",
    ],
    ids=["short", "too many codes", "a symbol twice", "symbols missing", "class", "destination"],
)
def test_what_is_no_table_is_held(payload: bytes) -> None:
    with pytest.raises(InstanceHeld) as held:
        list(read_huffman(payload))
    assert held.value.reason is Reason.PIXELS_UNREADABLE
