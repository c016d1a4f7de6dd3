"""Where an ultrasound image shows ultrasound: Sequence of Ultrasound Regions (PS3.3 C.8.5.5), bounds included.

What the device draws around them (names, dates, settings) is outside. Regions that do not fit the image were written
for another size, or are no regions, and hold the instance: a guess would leave a name. Pure.
"""

from __future__ import annotations

from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.plan import Box
from proxy.errors import InstanceHeld, Reason

SEQUENCE = 0x00186011
#: left, top, right, bottom: the last two are inside the region
_BOUNDS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
_SPATIAL_FORMAT, _DATA_TYPE = 0x00186012, 0x00186014
#: Region Spatial Format none, or graphics: a region only with a data type (grey and colour bars)
_MAY_BE_TEXT: tuple[list[float], ...] = ([], [0.0], [5.0])
#: Region Data Type none
_NO_DATA: tuple[list[float], ...] = ([], [0.0])
#: SOP classes with the US Region Calibration module (PS3.3 A.6, A.7)
CLASSES = frozenset(
    {"1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.3.1"}
    | {"1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.6.1"}
)


def regions(root: Attributes, columns: int, rows: int) -> tuple[Box, ...]:
    """The regions of an image of this size, () where the header names none; `PIXEL_RULE_MISMATCH` where one is wrong.

    Regions without data (format none or graphics, type none) may be text and do not count.
    """
    items = root.items(SEQUENCE)
    found = [_box(item, columns, rows) for item in items if not _without_data(item)]
    if items and not found:
        raise _mismatch("no ultrasound region has data")
    return tuple(found)


def _without_data(item: Attributes) -> bool:
    return item.numbers(_SPATIAL_FORMAT) in _MAY_BE_TEXT and item.numbers(_DATA_TYPE) in _NO_DATA


def _box(item: Attributes, columns: int, rows: int) -> Box:
    bounds: list[int] = []
    for tag in _BOUNDS:
        value = item.numbers(tag)
        if value is None or len(value) != 1:
            raise _mismatch("an ultrasound region lacks a bound", tag)
        bounds.append(int(value[0]))
    left, top, last_column, last_row = bounds
    # some devices write the first column and row outside instead of the last inside: cut, which shows no more
    if not (0 <= left < last_column <= columns and 0 <= top < last_row <= rows):
        raise _mismatch("an ultrasound region does not fit the image")
    return Box(left, top, min(last_column + 1, columns), min(last_row + 1, rows))


def _mismatch(detail: str, tag: int = SEQUENCE) -> InstanceHeld:
    return InstanceHeld(Reason.PIXEL_RULE_MISMATCH, detail, tag)
