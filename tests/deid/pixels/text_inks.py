"""Draws the ink of test text into a frame of stored values: grey, colour and palette frames, legible all over.

`ink` changes nothing and says False where a reader could not see the whole text, whatever window, plane or palette he
chooses.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from proxy.deid.pixels.plan import Layout

#: inks by what a frame is made of. faint: 10 to 18 % of the image's range above or below the ground it stands on;
#: beyond: far outside the image's range; step: 1 to 3 stored values on flat ground; plane: in one of R, G, B only;
#: chroma: another colour of about the same luminance; index: palette entries of nearly the same colour
INKS = {
    "grey": ("bright", "bright", "dark", "boxed", "faint", "faint", "beyond", "step"),
    "colour": ("bright", "bright", "dark", "boxed", "faint", "yellow", "plane", "plane", "chroma"),
    "palette": ("bright", "bright", "dark", "boxed", "index"),
}
#: inks that a lossy codec of less quality washes out, or beside which it washes out others
LEAST_QUALITY = {"faint": 75, "step": 101, "chroma": 101, "index": 101, "beyond": 101}
#: least difference from the ground, as a share of the image's range
_LEAST, _FAINT = 0.25, 0.10
_FORWARD = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
Mask = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """Where an image's values lie, and the least and the most that can be stored."""

    low: float
    high: float
    least: int
    most: int

    @classmethod
    def of(cls, frame: NDArray[Any], layout: Layout) -> Span:
        if layout.samples == 3:
            return cls(0, 255, 0, 255)
        low, high = np.percentile(frame, (0.5, 99.5))
        bits = layout.stored - layout.signed
        return cls(low, max(high, low + 8), -(1 << bits) if layout.signed else 0, (1 << bits) - 1)


def kind_of(layout: Layout) -> str:
    """The key of `INKS`."""
    return "palette" if layout.lut is not None else "colour" if layout.samples == 3 else "grey"


def ink(
    part: NDArray[Any], layout: Layout, span: Span, mask: Mask, rim: Mask, name: str, rng: np.random.Generator
) -> bool:
    """Draw ``mask`` (0 to 1) and its rim into ``part``; whether that was possible."""
    if layout.lut is not None:
        return _palette(part, layout, mask > 0.5, name)
    if layout.samples == 3:
        return _colour(part, layout, span, mask, rim, name, rng)
    return _grey(part, span, mask, rim, name, rng)


def level(ground: NDArray[Any], name: str, span: Span, rng: np.random.Generator) -> float | None:
    """The value that differs enough from all of ``ground``, None when there is none."""
    width = span.high - span.low
    low, high = np.percentile(ground, (2, 98))
    share = float(rng.uniform(0.10, 0.18) if name == "faint" else rng.uniform(0.4, 1.0))
    up, down = high + share * width, low - share * width
    least = (_FAINT if name == "faint" else _LEAST) * width
    if name == "step":
        up, down = low + int(rng.integers(1, 4)), low - int(rng.integers(1, 4))
        least = 1 if low == high else np.inf
    elif name == "beyond":
        up, down = span.high + float(rng.uniform(0.5, 6)) * width, span.low - float(rng.uniform(0.5, 2)) * width
    up, down = min(up, span.most), max(down, span.least)
    first = down if name == "dark" or (name != "yellow" and rng.random() < 0.3) else up
    for value in (first, up + down - first):
        if value - high >= least or low - value >= least:
            return float(value)
    return None


def _blend(part: NDArray[Any], alpha: Mask, value: float, span: Span) -> None:
    mixed = np.rint(part * (1 - alpha) + value * alpha)
    part[...] = np.where(alpha > 0, np.clip(mixed, span.least, span.most), part)


def _grey(part: NDArray[Any], span: Span, mask: Mask, rim: Mask, name: str, rng: np.random.Generator) -> bool:
    if name == "boxed":
        part[...] = np.rint(span.high)
        _blend(part, mask, span.low, span)
        return True
    value = level(part, name, span, rng)
    if value is None:
        return False
    if name == "step":
        mask, rim = (mask > 0.5).astype(float), np.zeros_like(rim)
    _blend(part, rim, span.low if value > part.mean() else span.high, span)
    _blend(part, mask, value, span)
    return True


def _colour(
    part: NDArray[Any],
    layout: Layout,
    span: Span,
    mask: Mask,
    rim: Mask,
    name: str,
    rng: np.random.Generator,
) -> bool:
    """8-bit RGB or YBR_FULL; drawn in RGB, where every ink is defined; only inked pixels change."""
    ybr = layout.photometric.startswith("YBR")
    rgb = (to_rgb(part) if ybr else part).astype(np.float64)
    alpha = mask
    if name == "boxed":
        rgb[...] = 255 * (1 - mask[..., None])
        alpha = np.ones_like(mask)
    elif name == "chroma":
        if np.percentile(np.ptp(rgb, axis=2), 98) > 60:
            return False  # colours already
        rgb = np.clip(rgb, 40, 200) + mask[..., None] * np.array([90.0, -90 * 0.299 / 0.587, 0.0])
    else:
        plane = int(rng.integers(3)) if name == "plane" else None
        value = level(rgb if plane is None else rgb[..., plane], name, span, rng)
        if value is None:
            return False
        if plane is not None:
            rgb[..., plane] = rgb[..., plane] * (1 - mask) + value * mask
        else:
            colour = np.array([value, value, 0.25 * value if name == "yellow" and value > 127 else value])
            rgb = rgb * (1 - rim[..., None]) + (0 if value > rgb.mean() else 255) * rim[..., None]
            rgb = rgb * (1 - mask[..., None]) + colour * mask[..., None]
            alpha = np.maximum(mask, rim)
    out = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    part[...] = np.where(alpha[..., None] > 0, to_ybr(out) if ybr else out, part)
    return True


def _palette(part: NDArray[Any], layout: Layout, mask: NDArray[np.bool_], name: str) -> bool:
    """Palette entries: drawn without half tones, which would be any colour."""
    assert layout.lut is not None
    lut, first = layout.lut.astype(np.int64), layout.first_mapped
    luminance = np.array([0.299, 0.587, 0.114]) @ lut
    brightest, darkest = first + int(luminance.argmax()), first + int(luminance.argmin())
    if name == "boxed":
        part[...] = np.where(mask, darkest, brightest)
        return True
    if name == "index":  # on flat ground, the nearest colour that is far away in the table
        common = int(np.bincount(part.ravel().astype(int)).argmax())
        far = np.abs(np.arange(luminance.size) + first - common) >= 24 * (luminance.size // 256)
        near = np.where(far, np.abs(lut - lut[:, common - first, None]).sum(0), np.iinfo(np.int64).max)
        part[...] = np.where(mask, first + int(near.argmin()), common)
        return True
    ground = luminance[np.clip(part.astype(int) - first, 0, luminance.size - 1)]
    choice = (darkest, brightest) if name == "dark" else (brightest, darkest)
    for index in choice:
        if np.percentile(np.abs(ground - luminance[index - first]), 2) >= _LEAST * luminance.max():
            part[mask] = index
            return True
    return False


def to_ybr(rgb: NDArray[Any]) -> NDArray[np.uint8]:
    """YBR_FULL, PS3.3 C.7.6.3.1.2."""
    return np.clip(np.rint(rgb @ _FORWARD.T + (0, 128, 128)), 0, 255).astype(np.uint8)


def to_rgb(ybr: NDArray[Any]) -> NDArray[np.uint8]:
    """The inverse of `to_ybr`."""
    return np.clip(np.rint((ybr - np.array((0, 128, 128))) @ np.linalg.inv(_FORWARD).T), 0, 255).astype(np.uint8)


def through_jpeg(frame: NDArray[Any], layout: Layout, quality: int) -> NDArray[Any]:
    """``frame`` as it comes back from a lossy 8-bit JPEG of its whole range."""
    low, high = (0, 255) if layout.samples == 3 else (int(frame.min()), max(int(frame.max()), int(frame.min()) + 1))
    narrow = np.rint((frame.astype(np.float64) - low) * 255 / (high - low)).astype(np.uint8)
    mode = {1: "L", 3: "YCbCr" if layout.photometric.startswith("YBR") else "RGB"}[layout.samples]
    file = io.BytesIO()
    Image.fromarray(narrow, mode).save(file, "JPEG", quality=quality)
    image = Image.open(file)
    if mode == "YCbCr":
        image.draft("YCbCr", image.size)
    wide = np.asarray(image.convert(mode)).astype(np.float64)
    return np.rint(wide * (high - low) / 255 + low).astype(frame.dtype)
