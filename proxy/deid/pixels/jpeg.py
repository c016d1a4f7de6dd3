"""Blanks boxes in a sequential Huffman JPEG stream (Baseline, Extended 8 and 12 bit) without decoding the picture.

In every MCU that a box touches, the coefficients become those of display-black; every other coefficient stays exactly
what it was, and nothing but the image leaves the stream. What is coded otherwise raises `InstanceHeld` with NO_CODEC
(a codec may still do it), what is broken with PIXELS_UNREADABLE. Pure; time and memory follow the stream's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from proxy.deid.pixels.code_stream import Bytes, no_codec, unreadable
from proxy.deid.pixels.jpeg_scan import Grid, bounded, cells, edit, grid_of
from proxy.deid.pixels.jpeg_sequential import CodedScan, Sequential, read_sequential, steps
from proxy.deid.pixels.jpeg_writer import Writer
from proxy.deid.pixels.plan import Box, Layout

Darkest = Literal["low", "high"]
#: Photometric Interpretation → samples, and whether three of them are coded as red, green and blue (PS3.5 8.2.1)
_PHOTOMETRIC = {
    "MONOCHROME1": (1, False),
    "MONOCHROME2": (1, False),
    "RGB": (3, True),
    "YBR_FULL": (3, False),
    "YBR_FULL_422": (3, False),
}
#: identifiers by which decoders know components that are red, green and blue
_RGB = (82, 71, 66)


def wipe(stream: Bytes, boxes: Sequence[Box], darkest: Darkest, layout: Layout) -> tuple[bytes, tuple[Box, ...]]:
    """``stream`` with ``boxes`` blanked, and what is black now: the boxes grown to whole MCUs, cut to the frame.

    ``darkest``: which end of the stored values displays darkest. Where a component has fewer samples than another, a
    decoder may blend it over the border of an MCU (`margin`): boxes are grown before, so that the ones returned are
    black by any decoder, and pixels that far around the MCUs may change although their coefficients do not.
    """
    data = memoryview(stream).toreadonly()
    image = read_sequential(data)
    rgb = _checked(image, darkest, layout)
    grid = grid_of(image)
    bounded(image, grid)
    grown = [found for box in boxes if (found := _grown(grid, box, layout))]
    touched, writer = cells(grid, grown), Writer(image)
    for scan in image.scans:
        writer.scan(*edit(data, image, grid, scan, _black(image, scan, darkest, rgb), touched))
    return writer.finish(), tuple(_blackened(grid, box, layout) for box in grown)


def margin(stream: Bytes) -> tuple[int, int]:
    """Pixels to the left and right, above and below, over which a decoder may blend neighbouring MCUs; 0 in 4:4:4."""
    return grid_of(read_sequential(stream)).margin


def coded_as_rgb(jfif: bool, adobe: int | None, identifiers: Sequence[int]) -> bool | None:
    """What a stream of three components says of its colour, as decoders read it; None where it says nothing."""
    if jfif:
        return False
    if adobe is not None:
        return adobe == 0
    return True if tuple(identifiers) == _RGB else None


def _checked(image: Sequential, darkest: Darkest, layout: Layout) -> bool:
    """Whether components are red, green and blue; raises where stream and data set are not of the same image.

    A stream that says YCbCr where the data set says RGB is read as decoders read it, our own codec too.
    """
    if (image.rows, image.columns, len(image.components)) != (layout.rows, layout.columns, layout.samples):
        raise unreadable("JPEG: another image size than the data set says")
    samples, rgb = _PHOTOMETRIC.get(layout.photometric, (0, False))
    if samples != layout.samples or layout.signed or layout.allocated != (8 if image.precision == 8 else 16):
        raise no_codec("JPEG: stored values that its process does not have")
    if darkest == "high" and (samples != 1 or layout.stored != image.precision):
        raise no_codec("JPEG: the highest stored value cannot be told by saturation")
    said = coded_as_rgb(image.jfif, image.adobe, [component.identifier for component in image.components])
    if samples == 3 and said and not rgb:
        # no value is black both as RGB and as YCbCr
        raise no_codec("JPEG: coded as RGB where the data set says YBR")
    return rgb and said is not False


def _grown(grid: Grid, box: Box, layout: Layout) -> Box | None:
    """The part of a box inside the frame with its margin, None where it lies outside."""
    cut, (x, y) = box.within(layout.columns, layout.rows), grid.margin
    return cut and Box(cut.left - x, cut.top - y, cut.right + x, cut.bottom + y).within(layout.columns, layout.rows)


def _blackened(grid: Grid, box: Box, layout: Layout) -> Box:
    """What of the MCUs under ``box`` is black whatever the decoder: all but the margin to MCUs that are left."""
    (left, right), (top, bottom) = (
        (first // size * size, -(-last // size) * size)
        for first, last, size in ((box.left, box.right, grid.width), (box.top, box.bottom, grid.height))
    )
    x, y = grid.margin
    return Box(
        left + x if left else 0,
        top + y if top else 0,
        right - x if right < layout.columns else layout.columns,
        bottom - y if bottom < layout.rows else layout.rows,
    )


def _black(image: Sequential, scan: CodedScan, darkest: Darkest, rgb: bool) -> list[int]:
    """The DC coefficient for each component of a scan; chroma is 0, the middle.

    A block whose only coefficient is DC has one level, DC * step / 8 around the middle (T.81 A.3.3); the first
    coefficient that reaches the end is taken, for decoders wrap far beyond it.
    """
    found = []
    for place, quantiser in zip(scan.components, scan.quantisers, strict=True):
        step, end = steps(quantiser)[0], 8 << image.precision - 1
        coefficient = -(-end // step) if step else 0
        if not step or step * coefficient > 3 * end:
            raise no_codec("JPEG: a quantisation step too coarse for black")
        luma = rgb or place == 0
        found.append(0 if not luma else coefficient if darkest == "high" else -coefficient)
    return found
