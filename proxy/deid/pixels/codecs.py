"""Code streams and decoded frames: one table says what reads and writes each transfer syntax.

A decoded frame is an array of stored values as in `frames`. What is written is read back and has to be the same, value
by value. Whatever a codec does to foreign bytes, a Python exception ends as `InstanceHeld` without its words; what ends
the process costs a worker. Colours, sizes and signs are checked against the data set before anything is decoded. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels import codec_j2k, codec_jls, codec_jpeg, codec_jxl, codec_plain, hidden, rle
from proxy.deid.pixels.code_stream import Bytes, bounded, contained, no_codec, unreadable
from proxy.deid.pixels.frames import cells_of, values_of
from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld

Frame = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """How one transfer syntax is coded.

    ``read``: what is decoded of a stream, once: its cells, or native bytes; ``frame``: the stored values in that.
    ``hides``: names of `hidden` for unused bits in it that hold something; ``full``: whether a stream has none by its
    header. ``stripped``: the stream without metadata and slack, None where there was none; ``proves``: whether it
    takes a decoder to tell. ``encode``: stored values of one frame into a stream. ``lossless``: the transfer syntax to
    encode in where this one is not written.
    """

    read: Callable[[Bytes, Layout], Any]
    frame: Callable[[Any, Layout], Frame]
    hides: Callable[[Any, Layout], tuple[str, ...]]
    full: Callable[[Bytes, Layout], bool]
    stripped: Callable[[Bytes, Layout], bytes | None]
    proves: bool = False
    encode: Callable[[Frame, Layout], bytes] | None = None
    lossless: str = ""


class Opened:
    """One code stream, decoded once at most, and not before it has to be."""

    def __init__(self, stream: Bytes, layout: Layout, uid: str) -> None:
        self._stream, self._layout, self._codec = stream, layout, _codec(uid)
        bounded(layout)

    def frame(self) -> Frame:
        """Stored values, colours as the layout names them; not to be written to."""
        with contained(_refused()):
            return self._codec.frame(self._read, self._layout)

    def hides(self) -> tuple[str, ...]:
        """Names of `hidden`: unused bits of the samples that hold something; encoding anew clears them."""
        with contained(_refused()):
            if self._codec.full(self._stream, self._layout):
                return ()
            return self._codec.hides(self._read, self._layout)

    def stripped(self) -> bytes | None:
        """The stream without metadata, tables that nothing uses and bytes that no decoder reads; None for nothing.

        The frame that it decodes to stays the same, value by value.
        """
        with contained(_refused()):
            clean = self._codec.stripped(self._stream, self._layout)
            if self._codec.proves:
                _ = self._read if clean is None else self._codec.read(clean, self._layout)
            return clean

    @cached_property
    def _read(self) -> Any:
        return self._codec.read(self._stream, self._layout)


def can_decode(uid: str) -> bool:
    """Whether frames of the transfer syntax ``uid`` are read here."""
    return uid in _CODECS


def can_encode(uid: str) -> bool:
    """Whether frames are written in the transfer syntax ``uid`` without loss."""
    return uid in _CODECS and _CODECS[uid].encode is not None


def lossless_syntax(uid: str) -> str:
    """The transfer syntax to write frames of ``uid`` in: the same where it can be, "" where there is none."""
    return uid if can_encode(uid) else _CODECS[uid].lossless if uid in _CODECS else ""


def decode(stream: Bytes, layout: Layout, uid: str) -> Frame:
    """Stored values of one frame, colours as ``layout`` names them; not to be written to."""
    return Opened(stream, layout, uid).frame()


def encode(frame: Frame, layout: Layout, uid: str) -> bytes:
    """``frame`` as one code stream of the transfer syntax ``uid``, without loss; `NO_CODEC` when that fails.

    ``layout`` is that of the frame; `coded_layout` tells what the data set has to say afterwards.
    """
    codec = _codec(uid)
    write = codec.encode
    if write is None:
        raise no_codec("nothing here writes this transfer syntax")
    told = coded_layout(layout, uid)
    with contained(no_codec("a frame that its codec refuses")):
        stream = write(np.ascontiguousarray(frame), told)
        again = codec.frame(codec.read(stream, told), told)
    if again.dtype != frame.dtype or again.shape != frame.shape or again.tobytes() != frame.tobytes():
        raise no_codec("a frame that its codec does not give back")
    return stream


def coded_layout(layout: Layout, uid: str) -> Layout:
    """``layout`` as the data set has to tell it of frames that `encode` wrote in ``uid``.

    Chrominance that JPEG subsampled is at full resolution now; the lossy transforms of RGB are not used.
    """
    if uid in _PLAIN:
        return layout
    photometric = {"YBR_FULL_422": "YBR_FULL", "YBR_ICT": "YBR_RCT", "XYB": "RGB"}.get(
        layout.photometric, layout.photometric
    )
    if photometric == "YBR_RCT" and uid not in _JPEG_2000:
        photometric = "RGB"
    return replace(layout, photometric=photometric, planar=layout.planar if uid == RLE else 0)


def strip(stream: Bytes, layout: Layout, uid: str) -> bytes | None:
    """As `Opened.stripped`."""
    return Opened(stream, layout, uid).stripped()


def hides(stream: Bytes, layout: Layout, uid: str) -> tuple[str, ...]:
    """As `Opened.hides`."""
    return Opened(stream, layout, uid).hides()


def warm() -> None:
    """Load every codec and compile every kernel, with 64 pixels: before the memory of a process is bounded.

    What is loaded later would count as memory of the instance that needed it first.
    """
    frame, layout = np.zeros((8, 8), np.uint8), Layout(8, 8, 1, 1, 0, 8, 8, 7, False, "MONOCHROME2")
    strip(codec_jpeg.sequential(frame), layout, _BASELINE)
    for uid in _CODECS:
        if can_encode(uid):
            strip(encode(frame, layout, uid), layout, uid)


def _codec(uid: str) -> Codec:
    codec = _CODECS.get(uid)
    if codec is None:
        raise no_codec("nothing here reads this transfer syntax")
    return codec


def _refused() -> InstanceHeld:
    return unreadable("a code stream that its codec refuses")


def _of_cells(module: Any, encode: Any = None, lossless: str = "", *, proves: bool = False) -> Codec:
    """A codec whose samples are cells: with unused bits around the stored ones."""

    def write(values: Frame, layout: Layout) -> bytes:
        stream: bytes = encode(cells_of(values, layout), layout)
        return stream

    def hides(cells: Frame, layout: Layout) -> tuple[str, ...]:
        return hidden.hidden_bits(memoryview(cells.astype(cells.dtype.newbyteorder("<"), copy=False).tobytes()), layout)

    def full(stream: Bytes, layout: Layout) -> bool:
        return not layout.shift and module.precision(stream, layout) <= layout.stored

    return Codec(module.cells, values_of, hides, full, module.stripped, proves, write if encode else None, lossless)


def _deflated() -> Codec:
    return Codec(
        codec_plain.inflated,
        codec_plain.frame,
        codec_plain.hides,
        _never,
        codec_plain.stripped_deflated,
        encode=lambda values, layout: codec_plain.deflated(codec_plain.encode(values, layout)),
    )


def _plain() -> Codec:
    return Codec(
        lambda stream, _: stream, codec_plain.frame, codec_plain.hides, _never, codec_plain.stripped,
        encode=codec_plain.encode,
    )  # fmt: skip


def _never(stream: Bytes, layout: Layout) -> bool:
    return False


_PREFIX = "1.2.840.10008.1.2."
_BASELINE = f"{_PREFIX}4.50"
JPEG_LOSSLESS, RLE, JPEG_XL_LOSSLESS = f"{_PREFIX}4.70", f"{_PREFIX}5", f"{_PREFIX}4.110"
_PLAIN = frozenset({f"{_PREFIX}1.98", f"{_PREFIX}8.1"})
_JPEG_2000 = frozenset(f"{_PREFIX}4.{last}" for last in ("90", "91", "201", "202", "203"))
_DCT = _of_cells(codec_jpeg, lossless=JPEG_LOSSLESS)
_LOSSLESS = _of_cells(codec_jpeg, codec_jpeg.encode)
_LS = _of_cells(codec_jls, codec_jls.encode, proves=True)
_J2K = _of_cells(codec_j2k, codec_j2k.encode)
_HIGH = _of_cells(codec_j2k, partial(codec_j2k.encode_high, progressive=False))
_RPCL = _of_cells(codec_j2k, partial(codec_j2k.encode_high, progressive=True))
_XL = _of_cells(codec_jxl, codec_jxl.encode)
#: PS3.5 section 10 and PS3.6 Table A-1; what is not here is not read
_CODECS = {
    f"{_PREFIX}1.98": _plain(),
    _BASELINE: _DCT,
    f"{_PREFIX}4.51": _DCT,
    f"{_PREFIX}4.53": _DCT,
    f"{_PREFIX}4.55": _DCT,
    f"{_PREFIX}4.57": _LOSSLESS,
    JPEG_LOSSLESS: _LOSSLESS,
    f"{_PREFIX}4.80": _LS,
    f"{_PREFIX}4.81": _LS,
    f"{_PREFIX}4.90": _J2K,
    f"{_PREFIX}4.91": _J2K,
    JPEG_XL_LOSSLESS: _XL,
    f"{_PREFIX}4.111": _of_cells(codec_jxl, lossless=JPEG_LOSSLESS),  # the JPEG inside is YBR, which JPEG XL has not
    f"{_PREFIX}4.112": _XL,
    f"{_PREFIX}4.201": _HIGH,
    f"{_PREFIX}4.202": _RPCL,
    f"{_PREFIX}4.203": _HIGH,
    RLE: _of_cells(rle, rle.encode),
    f"{_PREFIX}8.1": _deflated(),
}
