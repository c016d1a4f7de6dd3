"""The editor of JPEG streams on mutated ones, in a process of its own: ``python jpeg_fuzz.py COUNT SEED``.

Each mutant is held, or what comes out is a sound stream, black where it must be, and equal elsewhere to what the slow
reader of `jpeg_reference` finds in the mutant. Started with NUMBA_BOUNDSCHECK=1, every stream against a page that may
not be touched. Prints figures as JSON; whatever is wrong ends it.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter

from proxy.deid.pixels.jpeg import Darkest, margin, wipe
from proxy.deid.pixels.plan import Box, Layout
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.jpeg_pictures import SAMPLINGS, boxes_in, crowded_picture, layout_for, picture_of, writing_of
from tests.deid.pixels.jpeg_reference import Picture, decode, encode
from tests.deid.scanner_fuzz import Fence

_BASES = 40
_MARKERS = (0x00, 0xC0, 0xC1, 0xC2, 0xC4, 0xD0, 0xD1, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xEE, 0xFE, 0xFF)
_BYTES = (0, 1, 2, 0x10, 0x11, 0x22, 0x3F, 0x7F, 0x80, 0xFE, 0xFF)


class Base:
    """A stream to be mutated, its layout, which end is black, and its boxes."""

    def __init__(self, rnd: random.Random) -> None:
        name = rnd.choice(list(SAMPLINGS))
        choice = ("MONOCHROME1", "MONOCHROME2") if name.startswith("grey") else ("RGB", "YBR_FULL_422")
        photometric = rnd.choice(choice)
        picture = picture_of(rnd, name, photometric, rnd.choice((8, 12)))
        how = writing_of(rnd, picture)
        self.stream = encode(picture, how)
        self.layout: Layout = layout_for(picture, photometric)
        self.darkest: Darkest = "high" if photometric == "MONOCHROME1" else "low"
        self.boxes: list[Box] = boxes_in(rnd, picture)
        self.marks = [at for at in range(len(self.stream) - 1) if self.stream[at] == 0xFF and self.stream[at + 1]]


def mutate(rnd: random.Random, base: Base, other: bytes) -> bytes:
    """One to three changes: of a segment's head, of any byte, of what stands where."""
    out = bytearray(base.stream)
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        head, anywhere = min(rnd.choice(base.marks), len(out) - 1), rnd.randrange(len(out))
        at = rnd.choice((head + rnd.randrange(24), anywhere)) % len(out)
        match rnd.randrange(11):
            case 0 | 1 | 2:
                out[at] ^= 1 << rnd.randrange(8)
            case 3 | 4:
                out[at] = rnd.choice((*_BYTES, rnd.randrange(256)))
            case 5:
                out[at : at + 2] = bytes((0xFF, rnd.choice(_MARKERS)))
            case 6:
                out[at:at] = bytes((0xFF, rnd.choice(_MARKERS)))
            case 7:
                del out[at : at + rnd.choice((1, 2, 3, 20))]
            case 8:
                out[at:at] = rnd.randbytes(rnd.choice((1, 2, 30)))
            case 9:
                begin = rnd.randrange(len(other))
                out[head:head] = other[begin : begin + rnd.choice((8, 40, 200))]
            case _:
                del out[anywhere:]
        if not out:
            out += b"\0"
    return bytes(out)


def check(base: Base, mutant: bytes, out: bytes) -> str:
    """How far the slow reader agrees; raises when it does not."""
    after = decode(out)
    across, down = margin(out)
    inside = [box.within(base.layout.columns, base.layout.rows) for box in base.boxes]
    grown = [(b.left - across, b.top - down, b.right + across, b.bottom + down) for b in inside if b]
    for place in range(len(after.blocks)):
        black = after.blocks[place][after.touched(place, grown)]
        assert not black[:, 1:].any(), "not black"
    assert wipe(out, base.boxes, base.darkest, base.layout)[0] == out, "not stable"
    try:
        before = decode(mutant, slack=True)
    except (AssertionError, ValueError, IndexError, KeyError):
        return "accepted, the slow reader gave up"
    same(before, after, grown)
    return "accepted, the same"


def same(before: Picture, after: Picture, grown: list[tuple[int, int, int, int]]) -> None:
    """All coefficients outside are equal, and what they are multiplied by."""
    assert before.quantisers == after.quantisers, "other quantisers"
    for place in range(len(after.blocks)):
        outside = ~after.touched(place, grown)
        assert (before.blocks[place][outside] == after.blocks[place][outside]).all(), "changed outside"


def spread() -> None:
    """Codes that get longer on more blocks than there are spare words: the writer must see the end of its buffer."""
    picture, how = crowded_picture()
    stream, layout = encode(picture, how), layout_for(picture, "RGB")
    wipe(stream, [Box(200, 200, 210, 210)], "low", layout)


def run(count: int, seed: int) -> dict[str, int]:
    """Figures over ``count`` mutated streams."""
    spread()
    rnd, tally = random.Random(seed), Counter[str]()
    bases = [Base(rnd) for _ in range(_BASES)]
    fence = Fence(1 + max(len(base.stream) for base in bases) // 2048)
    for number in range(count):
        base = rnd.choice(bases)
        mutant = mutate(rnd, base, rnd.choice(bases).stream)
        held = fence.hold(mutant, at_end=bool(number % 4))
        try:
            out, _ = wipe(held, base.boxes, base.darkest, base.layout)
        except InstanceHeld as refused:
            if refused.reason not in (Reason.PIXELS_UNREADABLE, Reason.NO_CODEC):
                raise
            tally[f"held: {refused.reason}"] += 1
            continue
        tally[check(base, mutant, out)] += 1
    return dict(tally)


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))
