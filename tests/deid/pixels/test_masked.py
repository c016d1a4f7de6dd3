"""A masked picture shows what is decided and nothing else: letters are black, coarse pictures cannot be read."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.pixels.masked import masked
from proxy.deid.pixels.plan import Area, Box, Decision, Work
from proxy.deid.pixels.shown import BLACK, COARSE, NOTHING, WHOLE, Masked
from proxy.errors import InstanceHeld, Reason
from proxy.workers.text_reader import make_reader

READER = make_reader()
SIDE = 256
#: where the letters are
INK = Box(30, 46, 226, 66)
#: stripes of one pixel, which only a whole picture shows
STRIPES = np.s_[150:250, 0:256]


class Mute:
    """Holds whatever it is shown."""

    def find(self, image: NDArray[np.uint8]) -> tuple[Box, ...]:
        raise InstanceHeld(Reason.TEXT_UNDECIDED)

    def read(self, image: NDArray[np.uint8], box: Box) -> tuple[str, float]:
        raise InstanceHeld(Reason.TEXT_UNDECIDED)


def frame() -> NDArray[np.uint8]:
    canvas = Image.new("L", (SIDE, SIDE), 60)
    ImageDraw.Draw(canvas).text((30, 40), "KOWALSKA^ANNA", 230, font=ImageFont.load_default(24))
    made = np.array(canvas)
    made[STRIPES] = np.where(np.arange(SIDE) % 2, 0, 200)
    return made


def encoded(make: ModuleType, frames: int = 1, **attributes: Any) -> memoryview:
    ds = make.with_pixels(make.dataset(**attributes), b"12")
    ds.Rows, ds.Columns, ds.PixelData = SIDE, SIDE, frame().tobytes() * frames
    if frames > 1:
        ds.NumberOfFrames = frames
    return memoryview(make.encode(ds))


def seen(made: Masked, box: Box | None = None) -> NDArray[np.uint8]:
    """The picture, in greys; or what ``box`` of the image is in it."""
    picture = np.array(Image.open(io.BytesIO(made.png)).convert("L"))
    if box is None:
        return picture
    scale = picture.shape[1] / SIDE
    left, top, right, bottom = (round(edge * scale) for edge in (box.left, box.top, box.right, box.bottom))
    return picture[top:bottom, left:right]


def has_stripes(made: Masked) -> bool:
    row = seen(made)[400]
    return int(row.max()) - int(row.min()) > 150


def test_what_leaves_is_shown_but_text_that_the_rules_leave(make: ModuleType) -> None:
    made = masked(encoded(make), make.policy(), READER, 1, Work(), None)
    assert (made.shown, made.frames, made.frame) == (WHOLE, 1, 1)
    assert seen(made, INK).max() < 40
    assert {mark.source for mark in made.marks} == {"text that the rules leave"}
    assert has_stripes(made)


def test_areas_of_the_rules_are_black_in_the_frames_that_they_are_for(make: ModuleType) -> None:
    area = Area(Box(0, 0, SIDE, 70), "rule acme", (1,))
    work = Work(areas=(area,), looked="full")
    first, second = (masked(encoded(make, 2), make.policy(), READER, number, work, None) for number in (1, 2))
    assert first.marks == ()
    assert [mark.source for mark in second.marks] == ["rule acme"]
    assert seen(second, Box(4, 20, SIDE - 4, 60)).max() == 0
    assert seen(first, INK).max() > 200


def test_what_is_held_is_too_coarse_to_read(make: ModuleType) -> None:
    made = masked(encoded(make), make.policy(), READER, 1, None, Reason.BLANK_PATIENT_ID)
    assert made.shown == COARSE
    assert seen(made, INK).max() < 40
    assert not has_stripes(made)
    assert seen(made)[450].max() > 60


def test_where_text_or_a_face_is_the_matter_nothing_is_shown(make: ModuleType) -> None:
    for reason in (Reason.TEXT_UNDECIDED, Reason.PIXELS_NOT_CLEAN, Reason.FACE, Reason.BURNED_IN):
        made = masked(encoded(make), make.policy(), READER, 1, None, reason)
        assert made.shown == BLACK
        assert made.why
        assert seen(made, INK).max() < 40
        assert seen(made)[450].max() == 0
    for more in ({"BurnedInAnnotation": "YES"}, {"BodyPartExamined": "HEAD"}, {"SOPClassUID": "1.2.3"}):
        made = masked(encoded(make, **more), make.policy(), READER, 1, None, Reason.BLANK_PATIENT_ID)
        assert (made.shown, int(seen(made)[450].max())) == (BLACK, 0)


def test_a_face_that_is_forwarded_is_not_shown(make: ModuleType) -> None:
    made = masked(encoded(make), make.policy(), READER, 1, Work(Decision(face=True)), None)
    assert (made.shown, int(seen(made)[450].max())) == (BLACK, 0)


def test_what_nothing_reads_is_not_shown(make: ModuleType) -> None:
    for reader in (None, Mute()):
        for held in (None, Reason.BLANK_PATIENT_ID):
            made = masked(encoded(make), make.policy(), reader, 1, Work() if held is None else None, held)
            assert (made.shown, made.marks, int(seen(made).max())) == (BLACK, (), 0)
            assert "cannot be read" in made.why


def test_there_is_not_always_a_picture(make: ModuleType) -> None:
    assert masked(encoded(make), make.policy(), READER, 2, Work(), None) == Masked(NOTHING, "there is no such frame", 1)
    bare = memoryview(make.encode(make.dataset()))
    assert masked(bare, make.policy(), READER, 1, Work(), None).shown == NOTHING


def test_so_many_areas_are_told_and_no_more(make: ModuleType) -> None:
    work = Work(areas=tuple(Area(Box(n, n, n + 9, n + 9), "rule acme") for n in range(200)), looked="full")
    made = masked(encoded(make), make.policy(), READER, 1, work, None)
    assert len(made.marks) == 100
