"""What the header of a code stream says of its image, held against what the data set says (PS3.5 8.2).

Read before anything is decoded: a decoder only ever allocates what the data set announced, and that is bounded.
Whatever a codec raises ends here, as `InstanceHeld` without the codec's words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld, Reason

#: a decoded frame may take this many bytes; the largest honest ones (stitched radiographs) take less than half
MOST_FRAME_BYTES = 1 << 30
_PIXEL_DATA = 0x7FE00010
#: what codecs and the glue around them raise on foreign bytes
_CODEC_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError, IndexError, MemoryError, AssertionError)

Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Size, components, bits a sample and sign of a code stream; ``signed`` None: the coding knows no sign."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None = None


def unreadable(detail: str) -> InstanceHeld:
    """A stream that has no single honest reading."""
    return InstanceHeld(Reason.PIXELS_UNREADABLE, detail, _PIXEL_DATA)


def no_codec(detail: str) -> InstanceHeld:
    """A stream, or a kind of frame, that nothing here reads or writes."""
    return InstanceHeld(Reason.NO_CODEC, detail, _PIXEL_DATA)


def agree(header: StreamHeader, layout: Layout) -> None:
    """The stream and the data set mean the same image; `PIXELS_UNREADABLE` otherwise."""
    if (header.rows, header.columns) != (layout.rows, layout.columns):
        raise unreadable("a code stream has another size than the data set says")
    if header.components != layout.samples:
        raise unreadable("a code stream has another number of components than the data set says")
    if not 1 <= header.precision <= layout.allocated:
        raise unreadable("samples of a code stream do not fit into the allocated bits")
    if header.signed is None and layout.signed and header.precision < layout.stored:
        raise unreadable("a code stream is narrower than its signed samples")
    if header.signed is not None and header.signed != layout.signed:
        raise unreadable("a code stream has another sign than the data set says")
    bounded(layout)


def bounded(layout: Layout) -> None:
    """Refuse frames beyond `MOST_FRAME_BYTES` before a decoder asks for the memory."""
    if layout.kind != "integer":
        raise unreadable("floating point pixel data in a code stream")
    if layout.rows * layout.columns * layout.samples * layout.dtype.itemsize > MOST_FRAME_BYTES:
        raise unreadable("a frame is larger than the bound")


@contextmanager
def contained(error: InstanceHeld) -> Iterator[None]:
    """Turn whatever a codec raises into ``error``; what was held already stays so."""
    try:
        yield
    except InstanceHeld:
        raise
    except _CODEC_ERRORS:
        raise error from None


def shaped(samples: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """``samples`` of a decoder, checked and in C order: (rows, columns) or (rows, columns, samples)."""
    wanted = (layout.rows, layout.columns) + ((layout.samples,) if layout.samples > 1 else ())
    if samples.shape != wanted:
        raise unreadable("a code stream decodes to another shape than it announced")
    return np.ascontiguousarray(samples)


def as_stored(samples: NDArray[Any], precision: int, layout: Layout) -> NDArray[Any]:
    """Unsigned samples of ``precision`` bits as the stored values they stand for: two's complement where signed."""
    wide = shaped(samples, layout).astype(layout.dtype.str.replace("i", "u"), copy=False)
    if not layout.signed:
        return wide
    spare = layout.dtype.itemsize * 8 - precision
    signed: NDArray[Any] = wide.view(layout.dtype)
    return signed if not spare else (signed << spare) >> spare


def as_samples(frame: NDArray[Any], precision: int) -> NDArray[Any]:
    """The inverse of `as_stored`: stored values as unsigned samples of ``precision`` bits, in the smallest type."""
    bits = frame.view(f"u{frame.itemsize}") & ((1 << precision) - 1)
    return bits.astype("u1" if precision <= 8 else "u2" if precision <= 16 else "u4", copy=False)


def precision_for(frame: NDArray[Any], layout: Layout) -> int:
    """Bits that a stream needs for ``frame``: up to High Bit where all values fit, else all that are allocated."""
    bits = layout.high_bit + 1
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if layout.signed else (0, (1 << bits) - 1)
    return bits if low <= int(frame.min()) and int(frame.max()) <= high else layout.allocated
