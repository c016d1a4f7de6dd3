"""What the gate wants to see of an instance whose pixel data was decompressed: nothing else is different.

``before`` was released; the output has to be the same but for how its pixels are coded, element by element in its
bytes, and every frame has to have the same stored values. Decodes again, and shares nothing with `decompressed` but
the codecs. Pure; refuses with `InstanceHeld`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from proxy.deid.assembly import Output
from proxy.deid.deidentified import describe
from proxy.deid.part10 import Part10
from proxy.deid.pixels import hidden
from proxy.deid.pixels.plan import Layout
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA
from proxy.deid.rows import START, TAG
from proxy.deid.said import Said
from proxy.deid.types import Claimed, Report
from proxy.deid.view import View
from proxy.deid.witness import read_pixels
from proxy.errors import InstanceHeld, Reason

_EXPLICIT_LE = "1.2.840.10008.1.2.1"
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
#: extended offset tables, encapsulated total length: about what is no longer there
_STALE = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
#: by what came: what PS3.5 8.2 lets stand in native pixel data
_COLOURS = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB", "XYB": "RGB"}
_SAME = ("rows", "columns", "frames", "samples", "allocated", "stored", "high_bit", "signed", "kind")


def check(before: View, head: Part10, output: Output, policy: Policy) -> Report:
    """Raises unless ``output`` is ``before`` (whose file began with ``head``), decompressed."""
    report = describe(before, head, Claimed(), policy)
    if output.syntax.uid != _EXPLICIT_LE or len(output.bulk) != 1:
        raise _different("not one native pixel data element")
    if (output.sop_class_uid, output.sop_instance_uid) != (report.sop_class_uid, report.sop_instance_uid):
        raise _different("file meta information of another instance")
    was, now = _elements(before), _elements(output.view)
    for tag in was.keys() | now.keys():
        if was.get(tag) != now.get(tag) and not _may_differ(tag, before, output.view):
            raise _different("an element was changed", tag)
    _check_pixels(before, head, output, policy)
    return replace(report, transfer_syntax_uid=output.syntax.uid)


def _elements(view: View) -> dict[int, bytes]:
    """Each element of the data set but pixel data, whole as it is encoded."""
    numbers = view.below(-1).tolist()
    starts = [view.cells[row, START] for row in numbers] + [len(view.body)]
    tags = [view.cells[row, TAG] for row in numbers]
    found = zip(tags, starts, starts[1:], strict=False)
    return {tag: bytes(view.body[start:stop]) for tag, start, stop in found if tag not in PIXEL_DATA}


def _may_differ(tag: int, before: View, after: View) -> bool:
    if tag in _STALE:
        return after.at_top(tag) is None
    if tag == _PLANAR:
        row = after.at_top(tag)
        return row is not None and bytes(after.value(row)) == b"\0\0"
    came = Said(before).text(_PHOTOMETRIC)
    return tag == _PHOTOMETRIC and Said(after).text(tag) == _COLOURS.get(came, came)


def _check_pixels(before: View, head: Part10, output: Output, policy: Policy) -> None:
    row = before.at_top(0x7FE00010)
    if row is None:
        raise _different("pixels that were not there")
    syntax = policy.transfer_syntaxes[head.transfer_syntax_uid]
    was = read_pixels(before.leaf(row), Said(before).root, syntax)
    now = read_pixels(output.bulk[0], Said(output.view).root, output.syntax)
    if _shape(was.layout) != _shape(now.layout) or hidden.hidden(now.value, now.layout):
        raise _different("pixels of another form, or with something beside them")
    for index in range(was.layout.frames):
        one, other = was.frame(index), now.frame(index)
        if one.dtype != other.dtype or not np.array_equal(one, other):
            raise _different("a frame has other values")


def _shape(layout: Layout) -> tuple[object, ...]:
    return tuple(getattr(layout, name) for name in _SAME)


def _different(why: str, tag: int | None = None) -> InstanceHeld:
    return InstanceHeld(Reason.PIXELS_NOT_CLEAN, f"decompressed: {why}", tag)
