"""Real files: the first frame as GDCM decodes it, bit for bit, and the same frame after its stream was stripped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import pixel_array

from proxy.deid.pixels import codecs
from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld, Reason

#: without pixels; implicit VR that says to be explicit, which pydicom warns of
STRANGE = {"UN_sequence.dcm", "SC_rgb_jpeg.dcm"}
EXTENDED = "1.2.840.10008.1.2.4.51"


def files() -> list[Path]:
    """Small compressed files that come with pydicom."""
    found = []
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        if path.stat().st_size < 250_000 and path.name not in STRANGE and codecs.can_decode(syntax(path)):
            found.append(path)
    return found


def syntax(path: Path) -> str:
    try:
        return str(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    except InvalidDicomError:
        return ""


#: J2K without a sign where the data set says signed; a tile size that is broken on purpose
REFUSED = {"J2K_pixelrep_mismatch.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}


def of_file(path: Path) -> tuple[bytes, Layout, str]:
    ds = pydicom.dcmread(path)
    like = Layout(
        ds.Rows, ds.Columns, 1, ds.SamplesPerPixel, 0, ds.BitsAllocated, ds.BitsStored, ds.HighBit,
        bool(ds.PixelRepresentation), ds.PhotometricInterpretation,
    )  # fmt: skip
    frames = int(ds.get("NumberOfFrames", 1))
    return next(generate_frames(ds.PixelData, number_of_frames=frames)), like, str(ds.file_meta.TransferSyntaxUID)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_real_files(path: Path) -> None:
    stream, like, uid = of_file(path)
    if path.name in REFUSED:
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            codecs.decode(stream, like, uid)
        return
    found = codecs.decode(stream, like, uid)
    if uid != EXTENDED:  # GDCM reads no 12 bits; DCMTK does, by hand, the same
        plugin = "pydicom" if uid == codecs.RLE else "gdcm"
        reference: Any = pixel_array(path, raw=True, decoding_plugin=plugin, index=0)
        assert np.array_equal(found, reference)
    clean = codecs.strip(stream, like, uid)
    if clean is not None:
        assert np.array_equal(codecs.decode(clean, like, uid), found)
        assert codecs.strip(clean, like, uid) is None
