"""The query parameters of rendered resources (PS3.18 8.3.5, and 9.4.1.2 for WADO-URI) as a `Rendering`.

What cannot be read is 400; what is not obeyed is told, for a warning. Messages never repeat what was asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from proxy.deid.pixels.display import Window
from proxy.deid.pixels.rendering import Rendering, Viewport
from proxy.deid.pixels.rendering_words import KINDS
from proxy.wire.uri import UriError

RENDERED = ("annotation", "quality", "viewport", "window", "iccprofile")
THUMBNAIL = ("viewport",)
URI = (
    "annotation", "columns", "frameNumber", "imageQuality", "region", "rows", "windowCenter", "windowWidth",
)  # fmt: skip
_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_PROFILES = frozenset({"no", "yes", "srgb", "adobergb", "rommrgb"})
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")
#: pixels of a side of the largest viewport
MOST = 8192
_THUMBNAIL = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """``ignored``: what was understood and is not obeyed."""

    rendering: Rendering
    ignored: tuple[str, ...] = ()


def rendered(query: MultiMapping[str]) -> Asked:
    """Of a rendered resource (PS3.18 8.3.5.1)."""
    said = _once(query, RENDERED)
    annotations, ignored = _annotations(said.get("annotation"))
    profile = said.get("iccprofile", "no")
    if profile not in _PROFILES:
        raise UriError("iccprofile is none that is defined")
    if profile != "no":
        ignored = (*ignored, "iccprofile")
    rendering = Rendering(
        viewport=_viewport(said["viewport"], 6) if "viewport" in said else None,
        window=_window(said["window"].split(",")) if "window" in said else None,
        quality=_quality(said.get("quality")),
        annotations=annotations,
    )
    return Asked(rendering, ignored)


def thumbnail(query: MultiMapping[str]) -> Asked:
    """Of a thumbnail (PS3.18 8.3.5.2): its size alone, and nobody's name on it."""
    said = _once(query, THUMBNAIL)
    return Asked(Rendering(viewport=_viewport(said.get("viewport", f"{_THUMBNAIL},{_THUMBNAIL}"), 2)))


def by_uri(query: MultiMapping[str]) -> Asked:
    """Of WADO-URI (PS3.18 9.4.1.2)."""
    said = _once(query, URI)
    annotations, ignored = _annotations(said.get("annotation"))
    window = [said[name] for name in ("windowCenter", "windowWidth") if name in said]
    rendering = Rendering(
        frame=_whole(said["frameNumber"], 999_999_999) if "frameNumber" in said else 0,
        viewport=_uri_viewport(said),
        window=_window([*window, "linear"]) if window else None,
        quality=_quality(said.get("imageQuality")),
        annotations=annotations,
    )
    return Asked(rendering, ignored)


def _once(query: MultiMapping[str], names: tuple[str, ...]) -> Mapping[str, str]:
    if any(len(query.getall(name, ())) > 1 for name in names):
        raise UriError("a rendering parameter is given twice")
    return {name: query[name] for name in names if name in query}


def _annotations(text: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is drawn, and a warning about what is not (PS3.18 8.3.5.1.1)."""
    if text is None:
        return (), ()
    words = text.split(",")
    if not all(_KEYWORD.fullmatch(word) for word in words):
        raise UriError("annotation is not keywords separated by commas")
    unknown = ("annotation",) if set(words) - set(KINDS) else ()
    return tuple(kind for kind in KINDS if kind in words), unknown


def _quality(text: str | None) -> int:
    return Rendering().quality if text is None else _whole(text, 100)


def _viewport(text: str, most: int) -> Viewport:
    """``vw,vh[,sx,sy,sw,sh]``: of the region each number may be left out (PS3.18 8.3.5.1.3)."""
    parts = text.split(",")
    if not 2 <= len(parts) <= most:
        raise UriError("viewport is not width, height and a region")
    region = [_real(part) if part else 0.0 for part in parts[2:]]
    left, top, width, height = (*region, *[0.0] * (4 - len(region)))
    if min(left, top) < 0 or any(part and not side for part, side in zip(parts[4:], region[2:], strict=True)):
        raise UriError("the region of the viewport is none")
    return Viewport(_whole(parts[0], MOST), _whole(parts[1], MOST), left, top, width, height)


def _uri_viewport(said: Mapping[str, str]) -> Viewport | None:
    """``region`` is left, top, right, bottom in shares of the image (PS3.18 9.4.1.2.8)."""
    if not {"rows", "columns", "region"} & set(said):
        return None
    columns, rows = (_whole(said[name], MOST) if name in said else 0 for name in ("columns", "rows"))
    if "region" not in said:
        return Viewport(columns, rows)
    parts = said["region"].split(",")
    if len(parts) != 4:
        raise UriError("region is not four numbers")
    left, top, right, bottom = map(_real, parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise UriError("region is not left, top, right and bottom between 0 and 1")
    return Viewport(columns, rows, left, top, right - left, bottom - top, shares=True)


def _window(parts: list[str]) -> Window:
    """``centre,width,function``, all three (PS3.18 8.3.5.1.4)."""
    if len(parts) != 3 or parts[2] not in _FUNCTIONS:
        raise UriError("window is not centre, width and function")
    centre, width = map(_real, parts[:2])
    if width <= 0 or (width < 1 and parts[2] == "linear"):
        raise UriError("the width of the window is too small")
    return Window(centre, width, _FUNCTIONS[parts[2]])


def _real(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise UriError("a rendering parameter is not a decimal number")
    return float(text)


def _whole(text: str, most: int) -> int:
    """From 1 to ``most``."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise UriError("a rendering parameter is not a number in its range")
    return int(text)
