"""The gate on pixels, asked directly: what was demanded, covered, blanked, told and claimed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from proxy.deid.pixels.plan import Area, Box, Decision, Work
from proxy.deid.tables import TransferSyntax
from proxy.deid.witness import CLEAN_PIXELS, check_claims, check_legible, check_pixels, is_told
from proxy.errors import InstanceHeld, Reason

PIXELS, LITTLE, VIDEO = 0x7FE00010, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.102"
ROWS, COLUMNS, FRAMES = 8, 10, 3


class Image:
    """What describes three frames of grey pixels, as a level of an output."""

    def __init__(self) -> None:
        numbers = {0x00280002: 1, 0x00280010: ROWS, 0x00280011: COLUMNS, 0x00280100: 8, 0x00280101: 8, 0x00280102: 7,
                   0x00280103: 0}  # fmt: skip
        self._values: dict[int, tuple[str, bytes]] = {t: ("US", n.to_bytes(2, "little")) for t, n in numbers.items()}
        self._values |= {0x00280004: ("CS", b"MONOCHROME2 "), 0x00280008: ("IS", b"3 ")}

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def value(self, tag: int) -> tuple[str, bytes]:
        return self._values[tag]

    def items(self, tag: int) -> list[Any]:
        return []


def syntax(make: ModuleType, uid: str = LITTLE) -> TransferSyntax:
    found: TransferSyntax = make.policy().transfer_syntaxes[uid]
    return found


def area(left: int, top: int, right: int, bottom: int, *frames: int) -> Area:
    return Area(Box(left, top, right, bottom), "a rule", frames or None)


def held(make: ModuleType, work: Work, *black: Area, wrong: tuple[int, int, int] | None = None) -> bool:
    """Whether frames in which ``black`` is black, but for one pixel, are refused for ``work``."""
    frames = np.full((FRAMES, ROWS, COLUMNS), 99, np.uint8)
    for each in black:
        for index in range(FRAMES) if each.frames is None else each.frames:
            frames[index, each.box.top : each.box.bottom, each.box.left : each.box.right] = 0
    if wrong is not None:
        frames[wrong] = 1
    image: Any = Image()
    try:
        check_pixels(image, make.leaf(PIXELS, "OB", frames.tobytes()), syntax(make), work)
    except InstanceHeld as refused:
        return refused.reason is Reason.PIXELS_NOT_CLEAN
    return False


BANNER, CORNER = area(1, 0, 9, 3), area(4, 2, 10, 8)


@pytest.mark.parametrize("blanked", [BANNER, area(1, 0, 9, 3, 0, 2), area(0, 0, 1, 1), area(9, 7, 10, 8)])
def test_every_pixel_of_an_area_in_every_frame_of_it(make: ModuleType, blanked: Area) -> None:
    box, work = blanked.box, Work(areas=(blanked,))
    assert not held(make, work, blanked)
    for frame in range(FRAMES):
        for at in ((box.top, box.left), (box.bottom - 1, box.right - 1)):
            assert held(make, work, blanked, wrong=(frame, *at)) is (blanked.frames is None or frame in blanked.frames)
        if box.right < COLUMNS:
            assert not held(make, work, blanked, wrong=(frame, box.top, box.right)), "outside"


@pytest.mark.parametrize(
    ("asked", "done", "enough"),
    [
        ((BANNER,), (BANNER,), True), ((BANNER,), (area(0, 0, 10, 8),), True), ((BANNER,), (area(1, 0, 8, 3),), False),
        ((BANNER,), (area(1, 0, 9, 2),), False), ((BANNER,), (area(2, 0, 9, 3),), False),
        ((BANNER,), (area(1, 1, 9, 3),), False), ((BANNER,), (area(1, 0, 5, 3), area(5, 0, 9, 3)), True),
        ((BANNER,), (area(1, 0, 5, 3), area(6, 0, 9, 3)), False), ((BANNER,), (area(1, 0, 9, 3, 0, 1, 2),), True),
        ((BANNER,), (area(1, 0, 9, 3, 0, 1),), False), ((area(1, 0, 9, 3, 1),), (area(1, 0, 9, 3, 1),), True),
        ((area(1, 0, 9, 3, 1),), (area(1, 0, 9, 3, 0),), False), ((BANNER, CORNER), (BANNER,), False),
        ((BANNER, CORNER), (BANNER, CORNER), True), ((area(5, 5, 40, 40),), (area(5, 5, 10, 8),), True),
        ((area(50, 50, 60, 60),), (), True), ((BANNER,), (), False),
    ],
)  # fmt: skip
def test_what_was_asked_for_was_blanked(
    make: ModuleType, asked: tuple[Area, ...], done: tuple[Area, ...], enough: bool
) -> None:
    assert held(make, Work(Decision(areas=asked), areas=done), *done) is not enough


def test_areas_of_frames_and_places_that_are_not_there(make: ModuleType) -> None:
    assert held(make, Work(areas=(area(0, 0, 2, 2, FRAMES),)), area(0, 0, 2, 2))
    assert not held(make, Work(areas=(area(0, 0, 2, 2, FRAMES - 1),)), area(0, 0, 2, 2))
    assert held(make, Work(areas=(area(20, 20, 30, 30),)))


@pytest.mark.parametrize(
    ("decision", "more", "fine"),
    [
        ({"look": "full"}, {"looked": "full"}, True), ({"look": "full"}, {"looked": "screen"}, False),
        ({"look": "screen"}, {"looked": "no"}, False), ({"look": "screen"}, {"looked": "full"}, True),
        ({"insist": True}, {}, False), ({"insist": True}, {"areas": (BANNER,)}, True),
        ({}, {"clean": True}, False), ({"covered": True}, {"clean": True}, True),
        ({}, {"clean": True, "looked": "full"}, True), ({}, {"clean": True, "looked": "screen"}, False),
    ],
)  # fmt: skip
def test_what_was_demanded(make: ModuleType, decision: dict[str, Any], more: dict[str, Any], fine: bool) -> None:
    assert held(make, Work(Decision(**decision), **more), BANNER) is not fine


@pytest.mark.parametrize(("work", "fine"), [(Work(), True), (Work(areas=(BANNER,)), False), (Work(clean=True), False)])
def test_an_instance_without_pixels(make: ModuleType, work: Work, fine: bool) -> None:
    image: Any = Image()
    if fine:
        check_pixels(image, None, syntax(make), work)
    else:
        with pytest.raises(InstanceHeld) as refused:
            check_pixels(image, None, syntax(make), work)
        assert refused.value.reason is Reason.PIXELS_NOT_CLEAN


def test_a_strict_profile_needs_somebody_who_reads(make: ModuleType) -> None:
    image: Any = Image()
    reader: Any = object()
    for uid, asked in ((LITTLE, None), (VIDEO, reader)):
        with pytest.raises(InstanceHeld) as refused:
            check_legible(image, make.leaf(PIXELS, "OB", bytes(240)), syntax(make, uid), asked, ())
        assert refused.value.reason is Reason.PIXELS_UNINSPECTED


BLANKED, RECODED = b"Burned-in annotation blanked", b"Re-encoded without further loss"
DERIVATION, CODES = 0x00082111, (0x00089215, 0)


@pytest.mark.parametrize(
    ("tag", "path", "value", "areas", "recoded", "told"),
    [
        (DERIVATION, (), BLANKED, True, "", True), (DERIVATION, (), RECODED + b" ", False, LITTLE, True),
        (DERIVATION, (), BLANKED, False, "", False), (DERIVATION, (), b"Quendel", True, "", False),
        (DERIVATION, CODES, BLANKED, True, "", False), (DERIVATION, (), b" " * 1024 + BLANKED, True, "", False),
        (DERIVATION, (), BLANKED + b" " * (1024 - len(BLANKED)), True, "", True),
        (0x00080100, CODES, b"113047", True, "", True), (0x00080102, CODES, b"DCM ", True, "", True),
        (0x00080104, CODES, b"Pixel by pixel mask ", True, "", True), (0x00080104, CODES, b"Quendel", True, "", False),
        (0x00080100, CODES, b"113047", False, LITTLE, False), (0x00080100, (), b"113047", True, "", False),
        (0x00080103, CODES, b"DCM", True, "", False), (0x00080100, (*CODES, *CODES), b"113047", True, "", False),
    ],
)  # fmt: skip
def test_what_an_instance_tells_of_its_changed_pixels(
    make: ModuleType, tag: int, path: tuple[int, ...], value: bytes, areas: bool, recoded: str, told: bool
) -> None:
    work = Work(areas=(BANNER,) if areas else (), recoded=recoded)
    assert is_told(make.leaf(tag, "LO", value, path), work) is told


@pytest.mark.parametrize(
    ("burned_in", "methods", "came", "clean", "fine"),
    [
        ("NO", set(), ("", False), False, False), ("NO", set(), ("NO", False), False, True),
        ("NO", set(), ("YES", False), True, True), ("YES", set(), ("", False), False, True),
        ("", {CLEAN_PIXELS}, ("", False), False, False), ("", {CLEAN_PIXELS}, ("", True), False, True),
        ("", {CLEAN_PIXELS}, ("NO", False), True, True), ("", {b"113100"}, ("", False), False, True),
    ],
)  # fmt: skip
def test_claims(burned_in: str, methods: set[bytes], came: tuple[str, bool], clean: bool, fine: bool) -> None:
    if fine:
        check_claims(burned_in, methods, came, Work(clean=clean))
    else:
        with pytest.raises(InstanceHeld) as refused:
            check_claims(burned_in, methods, came, Work(clean=clean))
        assert refused.value.reason is Reason.PIXELS_NOT_CLEAN


def test_nothing_here_reads_a_video(make: ModuleType) -> None:
    """The decision answers for it; what cannot be decoded is no error of the output."""
    image: Any = Image()
    check_pixels(image, make.leaf(PIXELS, "OB", b"no stream at all"), syntax(make, VIDEO), Work())
    with pytest.raises(InstanceHeld):
        check_pixels(image, make.leaf(PIXELS, "OB", b"no stream at all"), syntax(make, VIDEO), Work(clean=True))
    with pytest.raises(InstanceHeld):
        check_pixels(image, make.leaf(PIXELS, "OB", b"no stream at all"), syntax(make), Work())
