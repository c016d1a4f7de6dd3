"""Reads how stored values of a grey image become light: Modality LUT, VOI LUT, presentation (PS3.3 C.11.1, C.11.2).

Only as far as it decides which stored value is darkest. Functional groups (PS3.3 C.7.6.16) count like the data set
itself; frames that do not agree on which end is dark are refused. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.header import Header, unreadable
from proxy.errors import InstanceHeld

_RESCALE_INTERCEPT, _RESCALE_SLOPE, _MODALITY_LUT = 0x00281052, 0x00281053, 0x00283000
_CENTRE, _WIDTH, _FUNCTION, _VOI_LUT = 0x00281050, 0x00281051, 0x00281056, 0x00283010
_LUT_DESCRIPTOR, _LUT_DATA = 0x00283002, 0x00283006
_PRESENTATION_LUT_SHAPE = 0x20500020
#: Shared and Per-Frame Functional Groups Sequence; Pixel Value Transformation and Frame VOI LUT Sequence in them
_SHARED, _PER_FRAME, _TRANSFORMATION, _FRAME_VOI = 0x52009229, 0x52009230, 0x00289145, 0x00289132


@dataclass(frozen=True, slots=True)
class Window:
    """(0028,1050), (0028,1051) and (0028,1056): LINEAR, LINEAR_EXACT or SIGMOID."""

    centre: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Table:
    """A Modality or VOI LUT: ``entries``, float64, for the values from ``first`` on; what lies outside is clamped.

    ``top``: the largest entry that its bits allow.
    """

    first: int
    entries: NDArray[np.float64] = field(compare=False, repr=False)
    top: int = field(default=65535, compare=False)


@dataclass(frozen=True, slots=True)
class Display:
    """What stands between stored values of an image and light, but for Photometric Interpretation."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Table | None = None
    windows: tuple[Window, ...] = ()
    tables: tuple[Table, ...] = ()
    inverse: bool = False


def display_of(header: Header, *, signed: bool) -> Display:
    """Of the data set ``header``; ``signed`` is its Pixel Representation."""
    groups = [item for tag in (_SHARED, _PER_FRAME) for item in header.items(tag)]
    transformed = [header, *chain.from_iterable(group.items(_TRANSFORMATION) for group in groups)]
    viewed = [header, *chain.from_iterable(group.items(_FRAME_VOI) for group in groups)]
    slope, intercept = _rescale(transformed)
    modality = [_table(item, signed) for item in header.items(_MODALITY_LUT)]
    if len(modality) > 1:
        raise unreadable("more than one Modality LUT", _MODALITY_LUT)
    return Display(
        slope,
        intercept,
        modality[0] if modality else None,
        tuple(dict.fromkeys(chain.from_iterable(_windows(each) for each in viewed))),
        tuple(_table(item, signed or intercept < 0) for item in header.items(_VOI_LUT)),
        header.code(_PRESENTATION_LUT_SHAPE) == "INVERSE",
    )


def display_at(header: Header, frame: int, common: Display) -> Display:
    """``common``, as `display_of` reads it, for one frame, from 0.

    Its own functional group goes before the shared one, and that before the data set.
    """
    groups = [*header.items(_PER_FRAME)[frame : frame + 1], *header.items(_SHARED)]
    transformed = [*chain.from_iterable(group.items(_TRANSFORMATION) for group in groups), header]
    viewed = [*chain.from_iterable(group.items(_FRAME_VOI) for group in groups), header]
    slope, intercept = next(filter(None, map(_slope, transformed)), (1.0, 0.0))
    windows = next(filter(None, (tuple(_windows(each)) for each in viewed)), ())
    return replace(common, slope=slope, intercept=intercept, windows=windows)


def _rescale(headers: Sequence[Header]) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 says nothing and is left out. Frames may differ, but not in the sign."""
    found = [pair for pair in map(_slope, headers) if pair is not None]
    if not found:
        return 1.0, 0.0
    if len({slope > 0 for slope, _ in found}) > 1:
        raise unreadable("frames that do not agree on which end is dark", _RESCALE_SLOPE)
    # where frames differ there is no one window edge: only the sign is left, see `black`
    return found[0] if len(set(found)) == 1 else (np.copysign(np.inf, found[0][0]).item(), 0.0)


def _slope(header: Header) -> tuple[float, float] | None:
    slope, intercept = header.decimals(_RESCALE_SLOPE), header.decimals(_RESCALE_INTERCEPT)
    if not slope or slope == (0.0,):
        return None
    if len(slope) != 1 or len(intercept) > 1:
        raise unreadable("more than one rescale slope or intercept", _RESCALE_SLOPE)
    return slope[0], intercept[0] if intercept else 0.0


def _windows(header: Header) -> Iterator[Window]:
    """Windows that make sense. Leaving one out is safe: the extreme of the stored range is dark in every window."""
    try:
        centres, widths = header.decimals(_CENTRE), header.decimals(_WIDTH)
        function = header.code(_FUNCTION) or "LINEAR"
    except InstanceHeld:
        return
    if len(centres) == len(widths):
        yield from (Window(*pair, function) for pair in zip(centres, widths, strict=True) if pair[1] > 0)


def _table(header: Header, signed: bool) -> Table:
    """An item of a LUT sequence (PS3.3 C.11.1.1, C.11.2.1.1): three numbers describe it, the second is US or SS.

    ``signed``: what goes into the table can be negative.
    """
    described = header.words(_LUT_DESCRIPTOR, 3)
    data = header.table(_LUT_DATA)
    if described is None:
        raise unreadable("a lookup table without descriptor", _LUT_DESCRIPTOR)
    count, first = described[0] or 65536, described[1]
    if signed and first >= 0x8000:
        first -= 0x10000
    if len(data) == 2 * count:
        entries = np.frombuffer(data, "<u2" if header.little else ">u2")
    elif described[2] <= 8 and len(data) == count + count % 2:
        entries = bytes_of_words(data, count, little=header.little)
    else:
        raise unreadable("a lookup table that is not as long as it says", _LUT_DATA)
    return Table(first, entries.astype(np.float64), (1 << min(max(described[2], 1), 16)) - 1)


def bytes_of_words(data: bytes, count: int, *, little: bool) -> NDArray[np.uint8]:
    """``count`` 8-bit entries packed into words of VR OW, the first into the low byte (PS3.3 C.7.6.3.1.6)."""
    packed = np.frombuffer(data, np.uint8)
    return (packed if little else packed.reshape(-1, 2)[:, ::-1].reshape(-1))[:count]
