"""JPEG XL (ISO/IEC 18181): read, written lossless, and turned into the JPEG that it was made from and back. By libjxl.

A stream that holds its JPEG (transfer syntax JPEG Recompression) is read and cleaned as that JPEG: comments and
application data of the JPEG travel in it, compressed. Pure.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
from numpy.typing import NDArray

from proxy.deid.pixels import codec_jpeg
from proxy.deid.pixels.code_stream import (
    Bytes,
    agree,
    as_samples,
    as_stored,
    bounded,
    contained,
    no_codec,
    precision_for,
    unreadable,
)  # fmt: skip
from proxy.deid.pixels.jxl_header import Jxl, read_jxl
from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld

#: a decoded frame is one of these; XYB and the transforms of JPEG 2000 name what is inside the code stream
_DECODED = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "XYB", "YBR_RCT", "YBR_ICT"})
_FILE = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "
#: boxes of a file that decoding needs (18181-2)
_NEEDED = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp", b"jbrd"})
_EFFORT = 1


def cells(stream: Bytes, layout: Layout) -> NDArray[Any]:
    """The frame."""
    jxl = _checked(stream, layout)
    if jxl.jpeg:
        return codec_jpeg.cells(to_jpeg(stream), layout)
    if layout.photometric not in _DECODED:
        raise unreadable("a photometric interpretation that JPEG XL has not")
    samples = imagecodecs.jpegxl_decode(_bare(stream, jxl), numthreads=1)
    return as_stored(samples, jxl.header.precision, layout)


def encode(frame: NDArray[Any], layout: Layout) -> bytes:
    """``frame`` lossless."""
    if layout.photometric not in _DECODED or layout.signed or layout.allocated > 16:
        raise no_codec("samples that JPEG XL has not")
    bits = precision_for(frame, layout)
    return bytes(
        imagecodecs.jpegxl_encode(
            as_samples(frame, bits), lossless=True, effort=_EFFORT, bitspersample=bits, numthreads=1
        )
    )


def to_jpeg(stream: Bytes) -> bytes:
    """The JPEG that a JPEG XL stream was made from, bit for bit."""
    with contained(unreadable("a JPEG XL stream that does not give back its JPEG")):
        return bytes(imagecodecs.jpegxl_decode_jpeg(bytes(stream), numthreads=1))


def from_jpeg(jpeg: bytes) -> bytes:
    """A JPEG XL stream that gives back ``jpeg``."""
    with contained(no_codec("a JPEG that JPEG XL does not take")):
        stream = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg, usecontainer=True, numthreads=1))
        if to_jpeg(stream) != jpeg:
            raise no_codec("a JPEG that JPEG XL does not give back")
        return stream


def stripped(stream: Bytes, layout: Layout) -> bytes | None:
    """``stream`` without boxes that decoding does not need and without bytes that no decoder reads."""
    jxl = _checked(stream, layout)
    known = all(box.kind in _NEEDED for box in jxl.boxes)
    if jxl.jpeg:
        jpeg = to_jpeg(stream)
        clean = codec_jpeg.stripped(jpeg, layout)
        same = known and clean is None and _is_whole(stream, jxl)
        return None if same else from_jpeg(jpeg if clean is None else clean)
    code = _bare(stream, jxl)
    end = _end(code)
    if known and end >= len(code) - (not jxl.boxes) and _is_whole(stream, jxl):
        return None
    level = b"".join(bytes(stream[box.start - 8 : box.end]) for box in jxl.boxes if box.kind == b"jxll")
    return _FILE + level + (end + 8).to_bytes(4, "big") + b"jxlc" + code[:end] if level else code[:end]


def precision(stream: Bytes, layout: Layout) -> int:
    """Bits of a sample in ``stream``."""
    return _checked(stream, layout).header.precision


def _checked(stream: Bytes, layout: Layout) -> Jxl:
    bounded(layout)
    jxl = read_jxl(stream)
    agree(jxl.header, layout)
    return jxl


def _bare(stream: Bytes, jxl: Jxl) -> bytes:
    """The code stream without its file."""
    if not jxl.boxes:
        return bytes(stream)
    parts = ((box, 4 if box.kind == b"jxlp" else 0) for box in jxl.boxes if box.kind in (b"jxlc", b"jxlp"))
    return b"".join(bytes(stream[box.start + skipped : box.end]) for box, skipped in parts)


def _is_whole(stream: Bytes, jxl: Jxl) -> bool:
    """Whether boxes fill ``stream`` but for a zero byte, and those of fixed content have it."""
    if not jxl.boxes:
        return True
    return bytes(stream[: len(_FILE)]) == _FILE and bytes(stream[jxl.boxes[-1].end :]) in (b"", b"\0")


def _end(code: bytes) -> int:
    """The length of ``code`` that libjxl needs: less is refused, more is never looked at."""
    for padding in (0, 1):
        if not _decodes(code[: len(code) - padding - 1]):
            return len(code) - padding
    low, high = 0, len(code) - 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _decodes(code[:middle]) else (middle, high)
    return high


def _decodes(code: bytes) -> bool:
    try:
        with contained(unreadable("")):
            imagecodecs.jpegxl_decode(code, numthreads=1)
    except InstanceHeld:
        return False
    return True
