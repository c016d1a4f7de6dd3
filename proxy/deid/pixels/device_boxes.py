"""Reads what a device rule blanks: boxes to blank or to keep, matrix sizes, frames; checked to the letter.

What would blank another place than its author meant is refused here: boxes that leave their matrix (often x, y, width
and height taken for corners), corners in the wrong order. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.regions import Parts, Size
from proxy.errors import ConfigError

_PART_KEYS = frozenset({"blank", "keep", "frames"})
_SIZE = re.compile(r"([0-9]+|\*)x([0-9]+|\*)")
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_CORNERS = ("left", "top", "right", "bottom")
_EXTENT = ("left", "top", "width", "height")
_MOST = 65535
_MOST_FRAMES = 1 << 20


def read_parts(where: str, document: Any, size: Size) -> Parts:
    """What is blanked on images of ``size``."""
    keys(where, document, _PART_KEYS)
    if not {"blank", "keep"} & set(document):
        raise ConfigError(where, "it has blank or keep")
    blank, keep = document.get("blank", []), document.get("keep")
    frames = _frames(f"{where}.frames", document["frames"]) if "frames" in document else None
    if blank == "all":
        if keep is not None:
            raise ConfigError(where, "what is kept where all is blanked?", "keep alone blanks the rest")
        return Parts(keep=(), frames=frames)
    boxes = _boxes(f"{where}.blank", blank, size)
    if keep == "ultrasound":
        return Parts(boxes, ultrasound=True, frames=frames)
    kept = _boxes(f"{where}.keep", keep, size) if keep is not None else None
    if kept == ():
        raise ConfigError(f"{where}.keep", "nothing is kept", "blank: all says so")
    return Parts(boxes, kept, frames=frames)


def _boxes(where: str, listed: Any, size: Size) -> tuple[Box, ...]:
    if not isinstance(listed, list):
        raise ConfigError(where, "it is a list of boxes [left, top, right, bottom]")
    return tuple(_box(f"{where}[{number}]", each, size) for number, each in enumerate(listed))


def _box(where: str, value: Any, size: Size) -> Box:
    if isinstance(value, Mapping) and set(value) in (set(_CORNERS), set(_EXTENT)):
        names = _CORNERS if "right" in value else _EXTENT
        numbers = [value[name] for name in names]
    else:
        names, numbers = _CORNERS, value
    whole = isinstance(numbers, list) and all(type(number) is int for number in numbers)
    if not whole or len(numbers) != 4 or not all(0 <= number <= _MOST for number in numbers):
        raise ConfigError(where, "a box is [left, top, right, bottom], or left, top and right, bottom or width, height")
    left, top, right, bottom = numbers
    if names is _EXTENT:
        right, bottom = left + right, top + bottom
    if not (left < right and top < bottom):
        raise ConfigError(where, "its right and bottom come after left and top")
    columns, rows = size
    if (columns and right > columns) or (rows and bottom > rows):
        raise ConfigError(where, "it leaves the image", "right and bottom are the first column and row outside")
    return Box(left, top, right, bottom)


def read_size(where: str, text: str) -> Size:
    """``1024x768`` as columns and rows; a ``*`` is 0, whatever it is in the image."""
    match = _SIZE.fullmatch(text)
    size = tuple(0 if each == "*" else int(each) for each in match.groups()) if match else (0, 0)
    if size == (0, 0) or max(size) > _MOST:
        raise ConfigError(f"{where}.{text}", "a size is columns x rows, as 1024x768, or *x768")
    return size[0], size[1]


def _frames(where: str, listed: Any) -> tuple[int, ...]:
    """Frame numbers as DICOM counts them, from 1; a range is a text."""
    found: set[int] = set()
    for each in listed if isinstance(listed, list) else [None]:
        match = _RANGE.fullmatch(each) if isinstance(each, str) else None
        first, last = (int(match[1]), int(match[2])) if match else (each, each)
        if type(first) is not int or type(last) is not int or not 1 <= first <= last <= _MOST_FRAMES:
            raise ConfigError(where, 'it is a list of frame numbers, from 1, or ranges as "2-10"')
        found.update(range(first - 1, last))
    return tuple(sorted(found))


def keys(where: str, document: Any, known: frozenset[str]) -> None:
    """`ConfigError` where ``document`` is no mapping, or has other keys."""
    if not isinstance(document, Mapping):
        raise ConfigError(where, "it is not a mapping")
    for key in document:
        if key not in known:
            raise ConfigError(f"{where}.{key}", "this key is not known")
