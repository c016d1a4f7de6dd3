"""How engine and gate grow with the number of elements: 1 000, 10 000 and 100 000, public and private, nested.

Two kinds of growth: more content about the same few people, and with every item another person. The exponent is the
slope of log time over log elements, by least squares: 1 is linear. Small pixel data, so that elements are what counts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from bench.engine import Times, make_policy, note, repeat, size
from bench.instances import ct
from bench.modules import CT, encode
from bench.people import Seeded, code, one, reference
from bench.report import Row, timed
from bench.rivals import one_core
from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld

SECTION = "engine + gate by number of elements, one core"
SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (1_000, 4_000, 16_000)
_CREATOR, _BLOCK_ROOM, _FIRST_GROUP = "BENCH SCALE", 200, 0x0101
#: elements of one item of `_source`, and what share of an instance stands in such items
_ITEM_ELEMENTS, _NESTED = 14, 0.7
_SIDE = 16
_LONG = 5.0

#: how the names, numbers and places in the items come about
KINDS: dict[str, bool] = {"the same people": False, "another person in every item": True}


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """A row for each size and kind, and the exponent of each kind."""
    policy = make_policy(seed)
    for kind, strangers in KINDS.items():
        try:
            yield from _growth(kind, policy, seed, QUICK_SIZES if quick else SIZES, strangers, 3.0 if quick else 10.0)
        except InstanceHeld as held:
            yield Row(SECTION, kind, note=f"held: {held.reason}")


def _growth(
    kind: str, policy: Policy, seed: int, sizes: Sequence[int], strangers: bool, seconds: float
) -> Iterator[Row]:
    least: dict[str, list[float]] = {"engine": [], "gate": [], "both": []}
    for count in sizes:
        data = encode(grown(seed, count, strangers=strangers))
        engine, gate = timings(data, policy, seconds)
        both: Times = tuple([a + b for a, b in zip(*pair, strict=True)] for pair in zip(engine, gate, strict=True))
        for name, times in (("engine", engine), ("gate", gate), ("both", both)):
            least[name].append(min(times[1]))
        each = f"{1e6 * least['both'][-1] / count:.3g} µs CPU an element at least"
        parts = f"engine {1000 * least['engine'][-1]:.3g} ms, gate {1000 * least['gate'][-1]:.3g} ms"
        about = f"{each} ({parts}); {note(both)}, {size(len(data))}"
        yield timed(SECTION, f"{kind}: {count:,} elements", both[0], {}, about)
    slopes = {name: exponent(sizes, values) for name, values in least.items()}
    about = f"of the least CPU time, 1 is linear; engine {slopes['engine']:.3g}, gate {slopes['gate']:.3g}"
    yield Row(SECTION, f"{kind}: exponent", "", slopes["both"], note=about)


def timings(data: bytes, policy: Policy, seconds: float) -> tuple[Times, Times]:
    """Engine and gate in turn; an instance that takes longer than `_LONG` seconds is measured once."""
    gate, view, claimed = Gate(b"\x00" * 32), memoryview(data), Claimed()
    result = None

    def engine() -> None:
        nonlocal result
        result = deidentify(view, claimed, policy)

    def check() -> None:
        assert result is not None
        gate.verify(view, result, policy)

    with one_core():
        first = repeat(0, engine, check, warm=0, least=1)
        if sum(sum(wall) for wall, _ in first) > _LONG:
            return first[0], first[1]
        seen = repeat(seconds, engine, check)
    return seen[0], seen[1]


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of log ``times`` over log ``sizes``, by least squares."""
    x, y = ([math.log(value) for value in values] for values in (sizes, times))
    return statistics.linear_regression(x, y).slope


def grown(seed: int, count: int, *, strangers: bool) -> Dataset:
    """A CT of ``count`` elements at every level, most of them in items two sequences deep, private ones among them."""
    s = Seeded(seed)
    ds = ct(seed)
    for element in [element for element in ds if element.tag.is_private]:
        del ds[element.tag]
    ds.Rows = ds.Columns = _SIDE
    ds.PixelData = np.random.default_rng(seed).integers(-1024, 3072, _SIDE * _SIDE, "<i2").tobytes()
    ds["PixelData"].VR = "OW"
    left = count - sum(1 for _ in ds.iterall()) - 1
    items = int(left * _NESTED) // _ITEM_ELEMENTS
    known = [(s.name(), s.number(7), s.place()) for _ in range(3)]
    people = [
        (s.name(), s.number(7), f"{s.place()} {s.number(4)}") if strangers else known[n % 3] for n in range(items)
    ]
    ds.SourceImageSequence = [_source(s, *person) for person in people]
    _private(ds, s, left - items * _ITEM_ELEMENTS)
    return ds


def _source(s: Seeded, name: str, number: str, place: str) -> Dataset:
    """An item of `_ITEM_ELEMENTS` elements: codes, references, identifiers, texts, numbers, a private block."""
    item = reference(CT, s.uid())
    item.PurposeOfReferenceCodeSequence = one(code("121322", "DCM", "Source image for processing"))
    item.PatientName, item.PatientID, item.InstitutionName = name, number, place
    item.StudyDate, item.SeriesDescription, item.SliceThickness = s.day(), "thin slices", "1.25"
    block = item.private_block(0x0009, _CREATOR, create=True)
    block.add_new(1, "LO", name)
    return item


def _private(ds: Dataset, s: Seeded, count: int) -> None:
    """``count`` elements at the top level, creators included, in as many groups as they need (PS3.5 7.8.1)."""
    group = _FIRST_GROUP
    while count > 0:
        share = min(count, _BLOCK_ROOM)
        block = ds.private_block(group, _CREATOR, create=True)
        for offset in range(share - 1):
            vr, value = (("DS", s.number(4)), ("SL", s.random.randrange(1 << 20)), ("UI", s.uid()))[offset % 3]
            block.add_new(offset, vr, value)
        count, group = count - share, group + 2
