"""Independent decoders of JPEG: DCMTK, GDCM, Pillow and imagecodecs, all on their own reading of the stream."""

from __future__ import annotations

import io
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder

from proxy.deid.pixels.plan import Layout

Frame = NDArray[Any]
Decoder = Callable[[bytes, Layout], Frame]


def part10(stream: bytes, layout: Layout) -> bytes:
    """A Secondary Capture file around one code stream."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    syntax = "50" if b"\xff\xc0\x00" in stream else "51"
    ds.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = layout.rows, layout.columns, layout.samples
    ds.PhotometricInterpretation = layout.photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = (
        layout.allocated,
        layout.stored,
        layout.high_bit,
        0,
    )
    if layout.samples == 3:
        ds.PlanarConfiguration = 0
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].VR = "OB"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def gdcm(stream: bytes, layout: Layout) -> Frame:
    ds = pydicom.dcmread(io.BytesIO(part10(stream, layout)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame, _ = get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, decoding_plugin="gdcm")
    return np.asarray(frame)


def pillow(stream: bytes, layout: Layout) -> Frame:
    return np.asarray(Image.open(io.BytesIO(stream)))


def codecs(stream: bytes, layout: Layout) -> Frame:
    if layout.samples == 1:
        return np.asarray(imagecodecs.jpeg8_decode(stream))
    coded = "RGB" if layout.photometric == "RGB" else "YCBCR"
    return np.asarray(imagecodecs.jpeg8_decode(stream, colorspace=coded, outcolorspace="RGB"))


def dcmtk(dcmdjpeg: Path, folder: Path) -> Decoder:
    """A decoder by the program ``dcmdjpeg``."""

    def decode(stream: bytes, layout: Layout) -> Frame:
        source, target = folder / "in.dcm", folder / "out.dcm"
        source.write_bytes(part10(stream, layout))
        subprocess.run([dcmdjpeg, "+cp", source, target], check=True, capture_output=True)
        ds = pydicom.dcmread(target)
        values = np.frombuffer(ds.PixelData, "u1" if ds.BitsAllocated == 8 else "<u2")
        values = values[: layout.rows * layout.columns * layout.samples]
        if layout.samples == 1:
            return values.reshape(layout.rows, layout.columns)
        if ds.PlanarConfiguration == 1:
            return values.reshape(3, layout.rows, layout.columns).transpose(1, 2, 0)
        return values.reshape(layout.rows, layout.columns, 3)

    return decode
