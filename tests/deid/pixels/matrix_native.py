"""Native pixel data written and read back as PS3.5 says (8.1, 8.2, Annex A), sample by sample: no code of ours inside.

Slow and plain on purpose. Stored values are Python or numpy integers in an array (frames, rows, columns, samples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
_FLOATS = {"float": "f4", "double": "f8"}


@dataclass(frozen=True)
class Image:
    """How the pixels of one instance are made (PS3.3 C.7.6.3)."""

    photometric: str
    allocated: int = 8
    stored: int = 8
    signed: bool = False
    planar: int = 0
    high_bit: int = -1
    kind: str = "integer"
    vr: str = "OW"
    rows: int = 11
    columns: int = 13

    @property
    def samples(self) -> int:
        return 1 if self.photometric.startswith(("MONO", "PALETTE")) else 3

    @property
    def high(self) -> int:
        return self.stored - 1 if self.high_bit < 0 else self.high_bit

    @property
    def halved(self) -> bool:
        """Two neighbours share their chrominance."""
        return self.photometric.endswith("_422")

    @property
    def name(self) -> str:
        sign, bits = "s" if self.signed else "u", f"{self.allocated}.{self.stored}.{self.high}"
        return f"{self.photometric.replace(' ', '_')}-{self.kind[0]}{sign}{bits}-p{self.planar}-{self.vr}"


def write(values: Values, image: Image, *, little: bool) -> bytes:
    """The value of the pixel data element."""
    order = [_frame_order(frame, image) for frame in values]
    flat = np.concatenate(order)
    if image.kind != "integer":
        return flat.astype(("<" if little else ">") + _FLOATS[image.kind]).tobytes()
    if image.allocated == 1:
        data = bytearray((len(flat) + 7) // 8)
        for at, bit in enumerate(flat):
            data[at // 8] |= int(bit) << (at % 8)
        return _words(bytes(data), image, little)
    cells = [(int(value) << (image.high + 1 - image.stored)) & ((1 << image.allocated) - 1) for value in flat]
    if image.allocated == 8:
        return _words(bytes(cells), image, little)
    return np.array(cells, ("<u" if little else ">u") + str(image.allocated // 8)).tobytes()


def read(data: bytes, image: Image, frames: int, *, little: bool) -> Values:
    """The reverse of `write`; bits that are not stored are ignored."""
    shape, pairs = (image.rows, image.columns), image.halved
    count = frames * image.rows * image.columns * (2 if pairs else image.samples)
    if image.kind != "integer":
        flat = np.frombuffer(data, ("<" if little else ">") + _FLOATS[image.kind])
        return flat.reshape(frames, *shape, 1)
    if image.allocated <= 8:
        data = _words(data, image, little)
    if image.allocated == 1:
        cells = np.array([data[at // 8] >> (at % 8) & 1 for at in range(count)], np.int64)
    else:
        kind = ("<u" if little else ">u") + str(image.allocated // 8)
        cells = np.frombuffer(data, kind, count).astype(np.int64)
    stored = cells >> (image.high + 1 - image.stored) & ((1 << image.stored) - 1)
    if image.signed:
        stored = np.where(stored >= 1 << (image.stored - 1), stored - (1 << image.stored), stored)
    return np.stack([_frame_shape(each, image) for each in stored.reshape(frames, -1)])


def _words(data: bytes, image: Image, little: bool) -> bytes:
    """Padded to words, whose bytes lie turned round in VR OW and big endian."""
    data += b"\0" * (len(data) % 2)
    if little or image.vr == "OB":
        return data
    return b"".join(bytes((data[at + 1], data[at])) for at in range(0, len(data), 2))


def _frame_order(frame: Values, image: Image) -> Values:
    if image.halved:
        left, right = frame[:, 0::2], frame[:, 1::2]
        return np.stack([left[..., 0], right[..., 0], left[..., 1], left[..., 2]], -1).reshape(-1)
    return (np.moveaxis(frame, -1, 0) if image.planar else frame).reshape(-1)


def _frame_shape(flat: Values, image: Image) -> Values:
    rows, columns = image.rows, image.columns
    if image.halved:
        quads = flat.reshape(rows, columns // 2, 4)
        pixels = np.empty((rows, columns, 3), flat.dtype)
        pixels[:, 0::2, 0], pixels[:, 1::2, 0] = quads[..., 0], quads[..., 1]
        for chroma in (1, 2):
            pixels[:, 0::2, chroma] = pixels[:, 1::2, chroma] = quads[..., chroma + 1]
        return pixels
    if image.planar:
        return np.moveaxis(flat.reshape(-1, rows, columns), 0, -1)
    return flat.reshape(rows, columns, -1)
