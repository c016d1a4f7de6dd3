"""Previews through the socket of a worker: as plain values, and back. The picture itself goes as a chunk."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.shown import Mark, Masked
from proxy.deid.previewed import Previewed, Row, Table


def plain(found: Previewed) -> Any:
    """``found`` without classes and without its picture's bytes."""
    picture, rows = found.picture, [astuple(row) for row in found.table.rows]
    marks = [(mark.source, astuple(mark.box)) for mark in picture.marks]
    return (
        (found.reason, found.detail, found.tag, found.pixels),
        (found.table.elements, rows, found.table.missing),
        (picture.shown, picture.why, picture.frames, picture.frame, marks),
    )


def restored(values: Any, png: bytes) -> Previewed:
    """What `plain` made; raises what nonsense raises."""
    outcome, (elements, rows, missing), (shown, why, frames, frame, marks) = values
    reason, detail, tag, pixels = map(str, outcome)
    table = Table(int(elements), tuple(_row(row) for row in rows), str(missing))
    areas = tuple(Mark(str(source), Box(*map(int, box))) for source, box in marks)
    return Previewed(
        reason, detail, tag, pixels, table, Masked(str(shown), str(why), int(frames), int(frame), areas, png)
    )


def _row(values: Any) -> Row:
    return Row(*map(str, values))
