"""Items leave a content tree: what hung on them leaves too, and references still point at what they pointed at."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.deid.structured_outline import Outline


def test_positions_move_up_when_a_sibling_leaves() -> None:
    outline = Outline()
    root = outline.add(-1, "CONTAINER")
    gone = outline.add(root, "TEXT", "CONTAINS", stays=False)
    group = outline.add(root, "CONTAINER", "CONTAINS")
    also = outline.add(group, "PNAME", "HAS OBS CONTEXT", stays=False)
    target = outline.add(group, "NUM", "CONTAINS")
    referrer = outline.add(root, "", "INFERRED FROM", reference=(1, 2, 2))
    settled = outline.settle()
    assert [settled.stays(n) for n in (root, gone, group, also, target, referrer)] == [
        True,
        False,
        True,
        False,
        *[True] * 2,
    ]
    assert settled.reference(referrer) == (1, 1, 1)
    assert settled.reference(target) == ()


def test_a_reference_to_what_left_leaves() -> None:
    outline = Outline()
    root = outline.add(-1)
    group = outline.add(root, "CONTAINER", "CONTAINS", stays=False)
    outline.add(group, "NUM", "CONTAINS")
    lost = outline.add(root, "", "INFERRED FROM", reference=(1, 1, 1))
    chained = outline.add(root, "", "INFERRED FROM", reference=(1, 2))
    kept = outline.add(root, "", "INFERRED FROM", reference=(1,))
    settled = outline.settle()
    assert not settled.stays(group + 1)
    assert not settled.stays(lost)
    assert not settled.stays(chained)
    assert settled.reference(kept) == (1,)


@pytest.mark.parametrize("reference", [(2,), (0,), (1, 0), (1, 3), (1, 1, 1), (1, 4294967295)])
def test_a_reference_to_nothing_leaves(reference: tuple[int, ...]) -> None:
    outline = Outline()
    root = outline.add(-1)
    outline.add(root, "TEXT", "CONTAINS")
    dangling = outline.add(root, "", "INFERRED FROM", reference=reference)
    assert not outline.settle().stays(dangling)


@pytest.mark.parametrize("kind", ["SCOORD", "TCOORD"])
def test_a_coordinate_without_its_image_leaves_and_the_measurement_stays(kind: str) -> None:
    outline = Outline()
    number = outline.add(outline.add(-1), "NUM", "CONTAINS")
    region = outline.add(number, kind, "INFERRED FROM")
    note = outline.add(region, "TEXT", "HAS PROPERTIES")
    outline.add(region, "IMAGE", "SELECTED FROM ", stays=False)
    settled = outline.settle()
    assert settled.stays(number)
    assert settled.childless(number)
    assert not settled.stays(region)
    assert not settled.stays(note)


def test_a_coordinate_that_loses_one_of_two_images_stays() -> None:
    outline = Outline()
    region = outline.add(outline.add(-1), "SCOORD", "CONTAINS")
    outline.add(region, "IMAGE", "SELECTED FROM", stays=False)
    outline.add(region, "IMAGE", "SELECTED FROM")
    outline.add(region, "TEXT", "HAS PROPERTIES", stays=False)
    assert outline.settle().stays(region)


def test_a_coordinate_selected_by_reference_falls_with_the_target() -> None:
    outline = Outline()
    root = outline.add(-1)
    outline.add(root, "IMAGE", "CONTAINS", stays=False)
    region = outline.add(root, "SCOORD", "CONTAINS")
    outline.add(region, "", "SELECTED FROM", reference=(1, 1))
    moment = outline.add(root, "TCOORD", "CONTAINS")
    outline.add(moment, "", "SELECTED FROM", reference=(1, 2))
    settled = outline.settle()
    assert not settled.stays(region)
    assert not settled.stays(moment)
    assert settled.childless(root)


def test_coordinates_in_space_need_no_image() -> None:
    outline = Outline()
    region = outline.add(outline.add(-1), "SCOORD3D", "CONTAINS")
    outline.add(region, "IMAGE", "SELECTED FROM", stays=False)
    assert outline.settle().stays(region)


def test_the_root_always_stays() -> None:
    outline = Outline()
    root = outline.add(-1, "SCOORD", stays=False, reference=(7,))
    outline.add(root, "IMAGE", "SELECTED FROM", stays=False)
    settled = outline.settle()
    assert settled.stays(root)
    assert settled.childless(root)


@pytest.mark.parametrize("parents", [(0,), (-1, -1), (-1, 1), (-1, 2)])
def test_items_come_in_order(parents: tuple[int, ...]) -> None:
    outline = Outline()
    for parent in parents[:-1]:
        outline.add(parent)
    with pytest.raises(ValueError, match="root"):
        outline.add(parents[-1])


def position(parents: list[int], number: int, gone: set[int]) -> tuple[int, ...]:
    """By the definition (PS3.3 C.17.3.2.5), without the outline."""
    if parents[number] < 0:
        return (1,)
    before = [n for n, parent in enumerate(parents[:number]) if parent == parents[number] and n not in gone]
    return (*position(parents, parents[number], gone), len(before) + 1)


@given(st.data())
def test_what_stays_points_at_what_it_pointed_at(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    parents = [-1] + [data.draw(st.integers(0, n - 1)) for n in range(1, size)]
    removed = data.draw(st.sets(st.integers(1, size)))
    targets = {n: data.draw(st.integers(0, size - 1)) for n in data.draw(st.sets(st.integers(0, size - 1)))}
    outline = Outline()
    for number, parent in enumerate(parents):
        reference = position(parents, targets[number], set()) if number in targets else ()
        outline.add(parent, "TEXT", "CONTAINS", stays=number not in removed, reference=reference)
    settled = outline.settle()
    gone = {n for n in range(size) if not settled.stays(n)}
    assert gone >= removed - {0, size}
    for number, parent in enumerate(parents):
        assert number in gone or parent not in gone
        children = [n for n, above in enumerate(parents) if above == number]
        assert settled.childless(number) == (not set(children) - gone)
        if number in targets and number not in gone and targets[number] not in gone:
            assert settled.reference(number) == position(parents, targets[number], gone)
        elif number in targets and number:
            assert number in gone
    assert all(n in removed or parents[n] in gone or targets.get(n) in gone for n in gone)


def test_a_hundred_thousand_items_that_fall_one_after_the_other() -> None:
    outline = Outline()
    root = outline.add(-1)
    size = 100_000
    for number in range(1, size):
        outline.add(
            root, "", "CONTAINS", stays=number != size - 1, reference=(1, number + 1) if number < size - 1 else ()
        )
    settled = outline.settle()
    assert not any(settled.stays(n) for n, _ in pairwise(range(1, size)))
