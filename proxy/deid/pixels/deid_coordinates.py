"""What the coordinates of a pydicom/deid label blank: painted one after the other, as deid does. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.deid.pixels.boxes import without
from proxy.deid.pixels.imported import box_words
from proxy.deid.pixels.plan import Box

_REGIONS = "from:SequenceOfUltrasoundRegions"
_NUMBERS = re.compile(r"[0-9]{1,5}(?:\s*,\s*[0-9]{1,5}){3}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One coordinate line. ``box`` None: everything, or with ``regions`` the ultrasound regions of the header."""

    keep: bool
    box: Box | None = None
    regions: bool = False


def read_operation(text: str, *, extent: bool, keep: bool) -> Operation:
    """A line's coordinates; ``extent``: width and height (ctpcoordinates). ValueError for what is none."""
    value = text.strip()
    if value.lower() == "all":
        return Operation(keep)
    if value == _REGIONS and keep:
        return Operation(True, regions=True)
    if not _NUMBERS.fullmatch(value):
        raise ValueError(f"'{value[:40]}' are no coordinates")
    left, top, right, bottom = (int(part) for part in value.split(","))
    if extent:
        right, bottom = left + right, top + bottom
    if left >= right or top >= bottom:
        raise ValueError("coordinates without extent")
    return Operation(keep, Box(left, top, right, bottom))


def painted(operations: Sequence[Operation], *, blanked: bool) -> dict[str, Any]:
    """What is blanked in the end, in our words; ``blanked``: all was before. ValueError where they cannot say it.

    Later lines paint over earlier ones.
    """
    everything, regions = blanked, False
    boxes: tuple[Box, ...] = ()  # what differs: kept where everything is blanked, else blanked
    after: list[Box] = []  # blanked after regions were kept
    for operation in operations:
        if operation.regions:
            everything, regions = _regions(everything, boxes), True
        elif operation.box is None:
            everything, regions, boxes, after = not operation.keep, False, (), []
        elif regions:
            if operation.keep:
                raise ValueError("it keeps boxes beside the ultrasound regions")
            after.append(operation.box)
        elif operation.keep == everything:
            boxes = (*without(boxes, [operation.box]), operation.box)
        else:
            boxes = without(boxes, [operation.box])
    listed = [box_words(box) for box in boxes]
    if regions:
        return {"keep": "ultrasound"} | ({"blank": [box_words(box) for box in after]} if after else {})
    if everything:
        return {"keep": listed} if listed else {"blank": "all"}
    if not listed:
        raise ValueError("it keeps what nothing before it blanks")
    return {"blank": listed}


def _regions(everything: bool, boxes: Sequence[Box]) -> bool:
    if not everything or boxes:
        raise ValueError("it keeps the ultrasound regions of an image that is not blanked as a whole")
    return True
