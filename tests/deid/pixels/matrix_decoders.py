"""Independent readers of the matrix: none of them shares code with what blanks.

GDCM (its own JPEG, JPEG-LS and JPEG 2000 libraries) reads all it can, in a process of its own. What it has no reading
for, or refuses, is read here, plainly, from PS3.5: floating point, unused bits, palettes and shared chrominance in
native pixel data, RLE in colour and of 32 bits, fragments of native frames. JPEG XL has no second decoder in Python:
libjxl reads what libjxl wrote, in a call of its own.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from tests.deid.pixels.matrix import BIG, Case
from tests.deid.pixels.matrix_coded import DEFLATED_FRAMES, PLAIN, RLE, XL, XL_JPEG, XL_LOSSY, CodedCase
from tests.deid.pixels.matrix_native import Image, Values, read

_GDCM = Path(__file__).with_name("matrix_gdcm.py")
_XL = (XL, XL_JPEG, XL_LOSSY)
#: how often GDCM may end its process, in one batch, before that is a failure
_ENDS = 3


def opened(file: bytes) -> Dataset:
    """A file as pydicom reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transfer syntaxes that pydicom does not know
        return dcmread(io.BytesIO(file))


def is_for_gdcm(file: bytes, case: Case) -> bool:
    """Whether GDCM reads such pixels and gives them as they are stored; the file says in which transfer syntax."""
    image = case.image
    if image.kind != "integer" or (image.photometric.endswith("_422") and not isinstance(case, CodedCase)):
        return False
    if isinstance(case, CodedCase):
        syntax = str(opened(file).file_meta.TransferSyntaxUID)
        plain = syntax in (*_XL, PLAIN, DEFLATED_FRAMES)
        return not plain and not (syntax == RLE and (image.samples > 1 or image.allocated > 16))
    wide = image.allocated == 32 and (image.stored < 32 or case.syntax == BIG)
    moved = image.high != image.stored - 1 or (image.allocated == 8 and image.stored < 8)
    return not (wide or moved or image.photometric == "PALETTE COLOR")


def gdcm(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What GDCM decodes of each file: planar configuration, and little-endian cells; nothing where it refuses."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {f"{number:05}": key for number, key in enumerate(files)}
        for number, key in keys.items():
            (folder / f"{number}.dcm").write_bytes(files[key])
        for _ in range(_ENDS):
            done = subprocess.run([sys.executable, str(_GDCM), name], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            (folder / done.stdout.split()[-1]).unlink()
        return {keys[path.stem]: path.read_bytes() for path in folder.glob("*.raw")}


def of_gdcm(raw: bytes, case: Case) -> Values:
    """Stored values out of what `gdcm` gave."""
    photometric = case.image.photometric.replace("YBR_FULL_422", "YBR_FULL")
    return read(raw[1:], replace(case.image, photometric=photometric, planar=raw[0], vr="OB"), case.frames, little=True)


def plainly(file: bytes, case: Case) -> Values:
    """Stored values, read here. The transfer syntax is what the file says; the image is what the case says."""
    ds = opened(file)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    for keyword in ("FloatPixelData", "DoubleFloatPixelData", "PixelData"):
        if keyword in ds:
            data = ds[keyword].value
    if "PixelData" not in ds or not ds["PixelData"].is_undefined_length:
        return read(data, case.image, case.frames, little=case.little)
    streams = list(generate_frames(data, number_of_frames=case.frames))
    assert len(streams) == case.frames
    if syntax in (PLAIN, DEFLATED_FRAMES):
        inflated = (zlib.decompress(stream, -15) if syntax == DEFLATED_FRAMES else stream for stream in streams)
        return np.concatenate([read(frame, case.image, 1, little=True) for frame in inflated])
    if syntax in _XL:
        return np.stack([imagecodecs.jpegxl_decode(stream) for stream in streams]).reshape(case.values.shape)
    assert syntax == RLE
    return np.stack([_rle(stream, case.image) for stream in streams])


def _rle(stream: bytes, image: Image) -> Values:
    """PS3.5 Annex G."""
    count, *offsets = struct.unpack_from("<16L", stream)
    size, pixels = image.allocated // 8, image.rows * image.columns
    assert count == image.samples * size
    ends = [*offsets[1:count], len(stream)]
    planes = [_unpacked(stream[start:end], pixels) for start, end in zip(offsets, ends, strict=False)]
    cells = np.zeros((pixels, image.samples), np.int64)
    for number, plane in enumerate(planes):
        cells[:, number // size] |= np.frombuffer(plane, np.uint8).astype(np.int64) << 8 * (size - 1 - number % size)
    native: Any = cells.astype(f"<u{size}").tobytes()
    return read(native, replace(image, planar=0, vr="OB"), 1, little=True)[0]


def _unpacked(segment: bytes, size: int) -> bytes:
    out, at = b"", 0
    while len(out) < size:
        head = segment[at]
        if head < 128:
            out += segment[at + 1 : at + 2 + head]
            at += 2 + head
        else:
            out += segment[at + 1 : at + 2] * (257 - head)
            at += 2
    return out
