"""Random coefficients and random ways to write them as a JPEG stream, for the tests of the editor in the DCT domain."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from proxy.deid.pixels.plan import Box, Layout
from tests.deid.pixels.jpeg_reference import Picture, Writing, flat, optimal

#: sampling factors by name
SAMPLINGS: dict[str, list[tuple[int, int]]] = {
    "grey": [(1, 1)],
    "grey 2x2": [(2, 2)],
    "4:4:4": [(1, 1), (1, 1), (1, 1)],
    "4:2:2": [(2, 1), (1, 1), (1, 1)],
    "4:4:0": [(1, 2), (1, 1), (1, 1)],
    "4:2:0": [(2, 2), (1, 1), (1, 1)],
    "4:1:1": [(4, 1), (1, 1), (1, 1)],
    "4:1:0": [(4, 2), (1, 1), (1, 1)],
    "odd": [(2, 2), (2, 1), (1, 2)],
    "3:2": [(3, 2), (2, 1), (1, 2)],
    "luma small": [(1, 1), (2, 2), (1, 1)],
    "all 2x2": [(2, 2), (2, 2), (2, 2)],
}
#: ways to divide three components into scans; 4:1:0 and others have more blocks than one MCU may hold
_SCANS = [[[0, 1, 2]], [[0], [1], [2]], [[0], [1, 2]], [[0, 1], [2]], [[2], [0], [1]], [[1], [0, 2]]]
IDENTIFIERS = {"YBR_FULL_422": [[1, 2, 3], [0, 1, 2], [7, 200, 9]], "RGB": [[82, 71, 66], [0, 1, 2]]}


def sparse_table(counts: dict[int, int]) -> tuple[bytes, bytes]:
    """Optimal for what is there, even the code of ones given away."""
    return optimal(counts, spare=False)


def flat_table(counts: dict[int, int]) -> tuple[bytes, bytes]:
    return flat(sorted(counts))


def crowded_table(counts: dict[int, int]) -> tuple[bytes, bytes]:
    """A staircase without any room behind: what is added makes all codes longer."""
    wanted = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    if not 2 <= len(wanted) <= 17:
        return sparse_table(counts)
    numbers = [1 if length < len(wanted) - 1 else 2 if length == len(wanted) - 1 else 0 for length in range(1, 17)]
    return bytes(numbers), bytes(wanted)


TABLES = [optimal, sparse_table, flat_table, crowded_table]


def layout_for(picture: Picture, photometric: str) -> Layout:
    allocated = 8 if picture.precision == 8 else 16
    samples = len(picture.factors)
    return Layout(
        picture.rows, picture.columns, 1, samples, 0, allocated, picture.precision, picture.precision - 1, False,
        photometric,
    )  # fmt: skip


def picture_of(rnd: random.Random, name: str, photometric: str, precision: int) -> Picture:
    """Coefficients as sparse as those of pictures, with a few of the largest there can be."""
    factors = SAMPLINGS[name]
    identifiers = rnd.choice(IDENTIFIERS.get(photometric, [[1], [0], [255]]))
    coarse = rnd.choice((1, 2, 3, 16, 99, 255))
    quantisers = [[rnd.randint(1, coarse) for _ in range(64)] for _ in factors]
    picture = Picture(precision, rnd.randint(1, 70), rnd.randint(1, 70), identifiers, factors, quantisers)
    rng = np.random.default_rng(rnd.randrange(1 << 30))
    for place in range(len(factors)):
        shape = (*picture.padded(place), 64)
        size = rng.geometric(0.35, shape) * rng.choice((-1, 1), shape)
        keep = rng.random(shape) < np.linspace(0.9, rnd.choice((0.0, 0.02, 0.4)), 64)
        largest = (1 << precision + 2) - 1
        blocks = np.where(keep, size, 0)
        blocks[rng.random(shape) < 0.002] = rnd.choice((largest, -largest))
        level = (1 << precision + 2) // quantisers[place][0]
        blocks[..., 0] = rng.integers(-level, level, shape[:2])
        picture.blocks.append(blocks.astype(np.int64))
    return picture


def writing_of(rnd: random.Random, picture: Picture) -> Writing:
    count = len(picture.factors)
    blocks = [h * v for h, v in picture.factors]
    divided = _SCANS if count == 3 else [[[0]]]
    scans = rnd.choice([s for s in divided if all(len(p) == 1 or sum(blocks[i] for i in p) <= 10 for p in s)])
    extended = picture.precision == 12 or rnd.random() < 0.3
    highest = 3 if extended else 1
    slots = [(rnd.randint(0, highest), rnd.randint(0, highest)) for _ in range(count)]
    # components with one slot in one scan share its quantisation table
    quantiser_slots = list(range(count)) if rnd.random() < 0.7 else [0] * count
    if quantiser_slots[0] == quantiser_slots[-1]:
        picture.quantisers = [picture.quantisers[0]] * count
        for place in range(1, count):
            level = (1 << picture.precision + 2) // picture.quantisers[0][0]
            np.clip(picture.blocks[place][..., 0], -level, level - 1, out=picture.blocks[place][..., 0])
    return Writing(
        scans, [rnd.choice((0, 0, 1, 2, 7, 100)) for _ in scans], slots, quantiser_slots, wide=rnd.random() < 0.3,
        extended=extended, tables=rnd.choice(TABLES), fill=rnd.choice((0, 0, 3)),
    )  # fmt: skip


def crowded_picture() -> tuple[Picture, Writing]:
    """12 000 blocks of few bits under a table without room behind: when it is completed, each takes a bit more."""
    picture = Picture(8, 500, 500, [0, 1, 2], SAMPLINGS["4:4:4"], [[1] * 64] * 3)
    rng = np.random.default_rng(5)
    for place in range(3):
        picture.blocks.append(np.zeros((*picture.padded(place), 64), np.int64))
        picture.blocks[-1][..., 0] = rng.integers(0, 2, picture.padded(place)) * 3
    return picture, Writing([[0, 1, 2]], [0], [(0, 0)] * 3, [0, 0, 0], tables=crowded_table)


def boxes_in(rnd: random.Random, picture: Picture) -> list[Box]:
    """None, one or some boxes that reach into the frame; they may reach out of it, or be all of it."""
    found = []
    for _ in range(rnd.choice((0, 1, 1, 2, 4))):
        left, top = rnd.randrange(picture.columns), rnd.randrange(picture.rows)
        found.append(Box(left - rnd.choice((0, 0, 5)), top, left + rnd.randint(1, 40), top + rnd.randint(1, 40)))
    return found if rnd.random() < 0.95 else [Box(0, 0, picture.columns, picture.rows)]


def reads(value: Any) -> tuple[int, int, int, int]:
    return value.left, value.top, value.right, value.bottom
