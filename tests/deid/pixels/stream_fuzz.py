"""Mutated code streams through strip, decode and encode, in a process of its own: ``python stream_fuzz.py COUNT SEED``.

Started with NUMBA_BOUNDSCHECK=1: a kernel that leaves its arrays ends it. A mutant is held, or what is left of it after
stripping decodes to the same frame. Prints figures as JSON; whatever is wrong ends it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

import numpy as np

from proxy.deid.pixels import codecs
from proxy.deid.pixels.code_stream import Bytes
from proxy.errors import InstanceHeld
from tests.deid.pixels.code_streams import Frame, Sample
from tests.deid.pixels.stream_mutants import mutants


def decoded(stream: Bytes, sample: Sample) -> Frame | None:
    try:
        return codecs.decode(stream, sample.layout, sample.uid)
    except InstanceHeld:
        return None


def one(stream: bytes, sample: Sample) -> str:
    """What became of ``stream``."""
    before = decoded(stream, sample)
    try:
        clean = codecs.strip(stream, sample.layout, sample.uid)
        codecs.hides(stream, sample.layout, sample.uid)
    except InstanceHeld:
        return "held" if before is None else "decoded, not stripped"
    after = before if clean is None else decoded(clean, sample)
    if before is None:
        return "stripped, not decoded"
    assert after is not None, f"{sample.name}: not the same picture after stripping"
    assert np.array_equal(before, after), f"{sample.name}: another picture after stripping"
    return "as it was" if clean is None else "stripped"


def main(count: int, seed: int) -> None:
    """Figures over ``count`` mutants."""
    tally = Counter(one(mutant.stream, mutant.sample) for mutant in mutants(count, seed))
    print(json.dumps(tally))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
