"""Matching: every record is used once, order does not matter, and nothing is paired on a guess."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from proxy.deid.pairs import Matched, Record, match

#: series of one side: instances as (core, traits, pixels)
Series = list[tuple[int, int, int]]
_SERIES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=4)


def records(side: str, every: list[Series]) -> list[Record]:
    found = []
    for number, series in enumerate(every):
        for core, traits, pixels in series:
            found.append(
                Record(
                    len(found),
                    b"patient " + side.encode(),
                    f"{side} study {number // 2}".encode(),
                    f"{side} series {number}".encode(),
                    b"core%d" % core,
                    b"core%d traits%d" % (core, traits),
                    b"pixels%d" % pixels if pixels else b"",
                    "1.2.840.10008.1.2.1",
                )
            )
    return found


def numbers(matched: Matched) -> set[tuple[int, int]]:
    return {(pair.original.number, pair.output.number) for pair in matched.pairs}


@given(st.lists(_SERIES, max_size=5), st.lists(_SERIES, max_size=5))
def test_every_record_is_used_exactly_once(first: list[Series], second: list[Series]) -> None:
    originals, outputs = records("a", first), records("b", second)
    matched = match(originals, outputs)
    used = [[pair.original for pair in matched.pairs], [pair.output for pair in matched.pairs]]
    assert sorted(r.number for r in (*used[0], *matched.originals)) == list(range(len(originals)))
    assert sorted(r.number for r in (*used[1], *matched.outputs)) == list(range(len(outputs)))
    assert all(pair.original.core == pair.output.core or pair.basis == "pixel data" for pair in matched.pairs)


@given(st.lists(_SERIES, max_size=5), st.lists(_SERIES, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter(first: list[Series], second: list[Series], chance: random.Random) -> None:
    originals, outputs = records("a", first), records("b", second)
    expected = numbers(match(originals, outputs))
    chance.shuffle(originals)
    chance.shuffle(outputs)
    assert numbers(match(originals, outputs)) == expected


@given(st.lists(_SERIES, max_size=5))
def test_a_copy_of_a_side_is_never_paired_wrongly(every: list[Series]) -> None:
    """Where one pair is not the identity, the two originals are alike in everything that was compared."""
    originals, outputs = records("a", every), records("b", every)
    for first, second in numbers(match(originals, outputs)):
        assert originals[first].traits == outputs[second].traits
        assert originals[first].pixels == outputs[second].pixels


def test_different_instances_are_not_paired_because_they_are_the_only_ones_left() -> None:
    matched = match(records("a", [[(0, 0, 1)]]), records("b", [[(1, 0, 2)]]))
    assert matched.pairs == ()


def test_weak_evidence_needs_the_series() -> None:
    """Same numbers, other attributes and pixels: paired beside a sure pair of the series, not without one."""
    originals, outputs = [[(0, 0, 1), (1, 0, 2), (2, 0, 1)]], [[(0, 0, 1), (1, 1, 3)]]
    matched = match(records("a", originals), records("b", outputs))
    assert {(p.original.number, p.output.number): p.basis for p in matched.pairs} == {
        (0, 0): "pixel data, attributes",
        (1, 1): "numbers and size, series known",
    }
    assert match(records("a", [originals[0][1:]]), records("b", [outputs[0][1:]])).pairs == ()


def test_candidates_are_what_is_alike_and_left() -> None:
    alike = [[(0, 0, 1)], [(0, 0, 1)], [(0, 1, 1)]]
    matched = match(records("a", alike), records("b", alike[:2]))
    assert matched.pairs == ()
    found = [(p.original.number, p.output.number, p.basis) for p in matched.candidates()]
    assert found == [(0, 0, "one of 2"), (1, 0, "one of 2"), (0, 1, "one of 2"), (1, 1, "one of 2")]
