"""Pictures cut, scaled, mirrored, written on and encoded (PS3.18 8.3.5.1.1 to 8.3.5.1.3, 8.7.4). Pure.

Pillow does it, with the font that it brings along. Nothing here reads DICOM.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.pixels.rendering import ANIMATED, JPEG, MEDIA, PNG, Viewport
from proxy.deid.pixels.views import Picture

#: media type → Pillow's name and options
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    JPEG: ("JPEG", {"subsampling": 0}),
    ANIMATED: ("GIF", {}),
    PNG: ("PNG", {"compress_level": 3}),
}
_LEAST_FONT, _FONT_SHARE, _LEADING = 10, 1 / 36, 1.3


class OutsideImage(Exception):
    """A source region that has nothing of the image."""


def drawn(light: Picture, viewport: Viewport | None, lines: Mapping[str, tuple[str, ...]]) -> Picture:
    """``light`` through ``viewport``, with ``lines`` on it: patient at the top, technique at the bottom."""
    picture = Image.fromarray(light)
    if viewport is not None:
        picture = _seen(picture, viewport)
    if any(lines.values()):
        _write(picture, lines)
    return np.asarray(picture)


def _seen(picture: Image.Image, viewport: Viewport) -> Image.Image:
    """As large as it can be inside the viewport, neither distorted nor cut."""
    left, top, right, bottom = box = _region(picture.size, viewport)
    wide, high = right - left, bottom - top
    asked = [there / here for there, here in ((viewport.columns, wide), (viewport.rows, high)) if there]
    scale = min(asked, default=1.0)
    size = (max(round(wide * scale), 1), max(round(high * scale), 1))
    if size != picture.size or box != (0, 0, *picture.size):
        picture = picture.resize(size, Image.Resampling.BILINEAR, box=box)
    for side, turn in (
        (viewport.width, Image.Transpose.FLIP_LEFT_RIGHT),
        (viewport.height, Image.Transpose.FLIP_TOP_BOTTOM),
    ):
        picture = picture.transpose(turn) if side < 0 else picture
    return picture


def _region(size: tuple[int, int], viewport: Viewport) -> tuple[float, float, float, float]:
    ends: list[tuple[float, float]] = []
    for length, first, extent in zip(
        size, (viewport.left, viewport.top), (viewport.width, viewport.height), strict=True
    ):
        unit = length if viewport.shares else 1
        start, stop = first * unit, (first + abs(extent)) * unit if extent else float(length)
        start, stop = max(start, 0.0), min(stop, float(length))
        if not start < stop:
            raise OutsideImage
        ends.append((start, stop))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


def _write(picture: Image.Image, lines: Mapping[str, tuple[str, ...]]) -> None:
    size = max(_LEAST_FONT, round(picture.height * _FONT_SHARE))
    pen, font, step = ImageDraw.Draw(picture), ImageFont.load_default(size), size * _LEADING
    white, black = ((255, 255, 255), (0, 0, 0)) if picture.mode == "RGB" else (255, 0)
    margin = size / 2
    for kind, texts in lines.items():
        at = margin if kind == "patient" else picture.height - margin - step * len(texts)
        for text in texts:
            pen.text((margin, at), text, white, font=font, stroke_width=max(size // 12, 1), stroke_fill=black)
            at += step


def still(picture: Picture, media: str, quality: int) -> bytes:
    """``picture`` as a file of ``media``; ``quality``, 1 to 100, is for what loses."""
    name, options = _FORMATS[media]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, name, **options, **({"quality": quality} if media == JPEG else {}))
    return file.getvalue()


def animation(pictures: Iterator[Picture], milliseconds: int) -> bytes:
    """At least one picture, one after the other without end."""
    moving, file = map(Image.fromarray, pictures), io.BytesIO()
    next(moving).save(file, "GIF", save_all=True, append_images=moving, duration=milliseconds, loop=0)
    return file.getvalue()


def warm() -> None:
    """Load everything that encodes and writes, before the memory of a process is bounded."""
    picture = drawn(np.zeros((16, 16), np.uint8), Viewport(8, 8), {"patient": ("0",)})
    for media in MEDIA:
        still(picture, media, 90)
