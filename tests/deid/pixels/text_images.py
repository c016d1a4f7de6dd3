"""Generator of images with burned-in text: what was drawn, where and how is known. Everything follows from the seed.

Fonts come with Pillow (Aileron, and a bitmap font as old scanners have them), so the same pictures arise offline and
anywhere. Text is always legible to a reader who chooses the window, plane or palette that shows it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.pixels.plan import Area, Box, Layout
from tests.deid.pixels.text_backgrounds import FILES, Background, background
from tests.deid.pixels.text_inks import INKS, LEAST_QUALITY, Span, ink, kind_of, through_jpeg

FONTS = ("regular", "bold", "italic", "rimmed", "bitmap")
_NAMES = "DOE SMITH MUELLER GARCIA NGUYEN KOWALSKA OKAFOR ROSSI YAMADA ANDERSSON PETROV KIM LI DUBOIS O'BRIEN".split()
_GIVEN = "JANE John Anna Maria Wei Olga Chidi Lars Emeka Sofia Pierre Yuki Tom Ivy Zoe".split()
_PLACES = ("St. Mary Hospital", "GENERAL HOSP", "Klinikum Nord", "Univ Med Ctr", "Radiology Dept", "CITY CLINIC")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


@dataclass(frozen=True, slots=True)
class Planted:
    """One string, the box of its ink, and how it was drawn. ``size`` in pixels an em; ``angle`` counter-clockwise."""

    text: str
    box: Box
    font: str
    size: int
    ink: str
    angle: int
    quality: int


@dataclass(frozen=True, slots=True)
class TextImage:
    """A frame of stored values with ``strings`` in it. ``quality``: of the JPEG it went through, 0 for none."""

    name: str
    modality: str
    frame: NDArray[Any]
    layout: Layout
    strings: tuple[Planted, ...]


def images(seed: int, strings: int, modalities: Sequence[str] = tuple(FILES)) -> Iterator[TextImage]:
    """Images that take turns over ``modalities`` until ``strings`` were drawn."""
    rng = np.random.default_rng(seed)
    turn = 0
    while strings > 0:
        modality = modalities[turn % len(modalities)]
        name, numbers = FILES[modality][int(rng.integers(len(FILES[modality])))]
        image = draw(background(modality, name, int(rng.choice(numbers))), rng, int(rng.integers(1, 7)))
        strings -= len(image.strings)
        turn += 1
        yield image


def text_of(rng: np.random.Generator) -> str:
    """A name, a number, a date or a place, as they are burned in; none shorter than three letters."""

    def pick(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    year, month, day = int(rng.integers(1920, 2026)), int(rng.integers(1, 13)), int(rng.integers(1, 29))
    forms = (
        lambda: f"{pick(_NAMES)}^{pick(_GIVEN)}",
        lambda: f"{pick(_GIVEN)} {pick(_NAMES).title()}",
        lambda: f"{pick(_NAMES)}, {pick(_GIVEN)[0]}.",
        lambda: pick(("KIM", "LIU", "Roe", "Ito", "WEI")),
        lambda: f"ID: {int(rng.integers(10**5, 10**8))}",
        lambda: f"{int(rng.integers(10**6, 10**9))}",
        lambda: f"ACC{int(rng.integers(10**6, 10**8))}",
        lambda: f"{day:02d}.{month:02d}.{year}",
        lambda: f"{year}/{month:02d}/{day:02d} {int(rng.integers(24)):02d}:{int(rng.integers(60)):02d}",
        lambda: f"{day}-{_MONTHS[month - 1]}-{year}",
        lambda: pick(_PLACES),
    )
    return forms[int(rng.integers(len(forms)))]()


def draw(background: Background, rng: np.random.Generator, count: int) -> TextImage:
    """``background`` with up to ``count`` strings, fewer where there is no room."""
    frame, layout = background.frame.copy(), background.layout
    kind = kind_of(layout)
    quality = int(rng.integers(50, 96)) if kind != "palette" and rng.random() < 0.3 else 0
    inks = [name for name in INKS[kind] if quality >= LEAST_QUALITY.get(name, 0) or not quality]
    taken: list[Planted] = []
    for _ in range(4 * count):
        if len(taken) < count:
            planted = _plant(frame, layout, inks, rng, [each.box for each in taken], quality)
            taken += [planted] if planted else []
    if quality:
        frame = through_jpeg(frame, layout, quality)
    return TextImage(background.name, background.modality, frame, layout, tuple(taken))


def covered(box: Box, areas: Sequence[Area | Box], frame: int = 0) -> float:
    """The share of ``box`` that ``areas`` cover together in ``frame``."""
    hidden = np.zeros((box.bottom - box.top, box.right - box.left), bool)
    for area in areas:
        if isinstance(area, Area) and area.frames is not None and frame not in area.frames:
            continue
        other = area.box if isinstance(area, Area) else area
        top, left = max(other.top - box.top, 0), max(other.left - box.left, 0)
        hidden[top : max(other.bottom - box.top, 0), left : max(other.right - box.left, 0)] = True
    return float(hidden.mean())


def _plant(
    frame: NDArray[Any],
    layout: Layout,
    inks: Sequence[str],
    rng: np.random.Generator,
    taken: Sequence[Box],
    quality: int,
) -> Planted | None:
    """Draw one string into ``frame`` where it touches none of ``taken``; None when there is no such place."""
    text, font, name = text_of(rng), FONTS[int(rng.integers(len(FONTS)))], inks[int(rng.integers(len(inks)))]
    size = int(rng.integers(8, 17) if rng.random() < 0.5 else rng.integers(17, 49))
    angle = int(rng.choice((0, 0, 0, 90, 180, 270)))
    mask, rim = (np.rot90(each, angle // 90) for each in glyphs(text, font, size))
    high, wide = mask.shape
    if high + 4 > layout.rows or wide + 4 > layout.columns:
        return None
    span = Span.of(frame, layout)
    edge = 2 if name == "boxed" else 0
    if edge:
        mask, rim = np.pad(mask, edge), np.zeros((high + 2 * edge, wide + 2 * edge))
    for _ in range(20):
        top, left = int(rng.integers(2, layout.rows - high - 1)), int(rng.integers(2, layout.columns - wide - 1))
        around = Box(left - 8, top - 8, left + wide + 8, top + high + 8)
        part = frame[top - edge : top + high + edge, left - edge : left + wide + edge]
        if not any(_meet(around, other) for other in taken) and ink(part, layout, span, mask, rim, name, rng):
            return Planted(text, Box(left, top, left + wide, top + high), font, size, name, angle, quality)
    return None


def _meet(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


@functools.lru_cache(maxsize=512)
def glyphs(text: str, font: str, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ink and dark rim of a string, 0 to 1, cut to the ink."""
    if font == "bitmap":
        image = Image.new("L", (8 * len(text) + 8, 20))
        ImageDraw.Draw(image).text((2, 2), text, 255, font=ImageFont.load_default_imagefont())
        times = max(1, round(size / 11))
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
        rim = image
    else:
        image = Image.new("L", (size * (len(text) + 3), 3 * size))
        rim = image.copy()
        face = ImageFont.load_default(size)
        heavy = max(1, size // 20) if font == "bold" and size >= 14 else 0  # strokes would run together
        ImageDraw.Draw(image).text((size, size // 2), text, 255, font=face, stroke_width=heavy)
        ImageDraw.Draw(rim).text((size, size // 2), text, 255, font=face, stroke_width=1)
        if font == "italic":
            image = image.transform(image.size, Image.Transform.AFFINE, (1, 0.2, 0, 0, 1, 0), Image.Resampling.BILINEAR)
    mask = np.asarray(image) / 255.0
    rows, columns = np.flatnonzero((mask > 0.3).any(axis=1)), np.flatnonzero((mask > 0.3).any(axis=0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    around = np.asarray(rim)[cut] / 255.0 if font == "rimmed" else np.zeros_like(mask[cut])
    return mask[cut], around
