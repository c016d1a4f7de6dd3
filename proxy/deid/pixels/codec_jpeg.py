"""JPEG (T.81): sequential and progressive DCT read, lossless (process 14) read and written, by libjpeg-turbo.

Colour is never left to the library's guess: samples come out as Photometric Interpretation names them. Pure.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
from numpy.typing import NDArray

from proxy.deid.pixels import jpeg_strip
from proxy.deid.pixels.code_stream import Bytes, agree, as_samples, as_stored, no_codec, precision_for, unreadable
from proxy.deid.pixels.jpeg import coded_as_rgb
from proxy.deid.pixels.jpeg_markers import APP0, APP14, JPEG_LS, LOSSLESS, Jpeg, payload, take_apart
from proxy.deid.pixels.plan import Layout

#: libjpeg-turbo computes the DCT of these only
_DCT_PRECISIONS = (8, 12)
_RGB, _YBR = "RGB", "YCBCR"
#: Photometric Interpretation → the colour space of a decoded frame
_DECODED = {"RGB": _RGB, "YBR_FULL": _YBR, "YBR_FULL_422": _YBR}


def cells(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """The frame as the stream has it; YBR stays YBR, at full resolution."""
    jpeg = _checked(stream, layout)
    coded, wanted = _colours(stream, jpeg, layout) if layout.samples > 1 else (None, None)
    samples = imagecodecs.jpeg8_decode(bytes(stream[: jpeg.end]), colorspace=coded, outcolorspace=wanted)
    return as_stored(samples, jpeg.header.precision, layout)


def encode(frame: NDArray[Any], layout: Layout) -> bytes:
    """``frame`` by process 14, first-order prediction (selection value 1)."""
    if layout.allocated not in (8, 16) or (layout.samples > 1 and layout.photometric not in _DECODED):
        raise no_codec("samples that JPEG has not")
    precision = max(precision_for(frame, layout), 2)
    # what is not RGB has no name here: as YCbCr the library would name another table for chroma than it codes with
    colour = (_RGB if layout.photometric == _RGB else "UNKNOWN") if layout.samples > 1 else None
    coded = imagecodecs.jpeg8_encode(
        as_samples(frame, precision), colorspace=colour, outcolorspace=colour, lossless=True, predictor=1,
        bitspersample=precision,
    )  # fmt: skip
    stream = bytes(coded)
    return jpeg_strip.stripped(stream, take_apart(stream)) or stream


def sequential(frame: NDArray[Any]) -> bytes:
    """A frame of one sample by the baseline process, with loss: to try decoders on."""
    return bytes(imagecodecs.jpeg8_encode(frame))


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """``stream`` without metadata, None where there is none."""
    return jpeg_strip.stripped(stream, _checked(stream, layout))


def precision(stream: Bytes, layout: Layout) -> int:
    """Bits of a sample in ``stream``."""
    return _checked(stream, layout).header.precision


def _checked(stream: Bytes, layout: Layout) -> Jpeg:
    jpeg = take_apart(stream)
    agree(jpeg.header, layout)
    if jpeg.process == JPEG_LS:
        raise unreadable("JPEG-LS where the transfer syntax says JPEG")
    if jpeg.process != LOSSLESS and jpeg.header.precision not in _DCT_PRECISIONS:
        raise unreadable("a precision that the JPEG process does not have")
    return jpeg


def _colours(stream: Bytes, jpeg: Jpeg, layout: Layout) -> tuple[str, str]:
    """The colour space of the components and that of the frame; what decoders would see otherwise is refused."""
    wanted = _DECODED.get(layout.photometric)
    if wanted is None:
        raise unreadable("a photometric interpretation that JPEG has not")
    if jpeg.process == LOSSLESS:  # nothing converts colours on its way into a lossless stream
        return wanted, wanted
    bodies = {piece.marker: payload(stream, piece) for piece in jpeg.pieces if piece.marker in (APP0, APP14)}
    jfif, adobe = bodies.get(APP0, b"")[:5] == b"JFIF\0", bodies.get(APP14, b"")
    transform = adobe[11] if adobe[:5] == b"Adobe" and len(adobe) >= 12 else None
    rgb = coded_as_rgb(jfif, transform, [component.identifier for component in jpeg.components])
    if rgb and wanted == _YBR:
        raise unreadable("a JPEG stream coded as RGB where the data set says YBR")
    return (_YBR, wanted) if rgb is False else (wanted, wanted)
