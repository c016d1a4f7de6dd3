"""Frames of pydicom's bundled files (`pydicom` and `pydicom-data`) with their `Layout`: what test text is drawn over.

Decoded by pydicom, never by Veil: the same pictures whatever Veil's codecs do.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, pixel_array

from proxy.deid.pixels.plan import Layout

#: modality → (file, frames to take). Files without text of their own are in `CLEAN`
FILES: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "CT": (
        ("693_UNCR.dcm", (0,)),
        ("693_J2KI.dcm", (0,)),
        ("CT_small.dcm", (0,)),
        ("explicit_VR-UN.dcm", (0,)),
        ("eCT_Supplemental.dcm", (0, 1)),
        ("J2K_pixelrep_mismatch.dcm", (0,)),
        ("bad_sequence.dcm", (0,)),
    ),
    "MR": (
        ("MR2_UNCR.dcm", (0,)),
        ("MR2_J2KI.dcm", (0,)),
        ("MR-SIEMENS-DICOM-WithOverlays.dcm", (0,)),
        ("examples_overlay.dcm", (0,)),
        ("MR_small.dcm", (0,)),
        ("emri_small.dcm", tuple(range(10))),
    ),
    "CR": (("RG1_UNCR.dcm", (0,)), ("RG3_UNCR.dcm", (0,))),
    "US": (
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", (0,)),
        ("US1_UNCR.dcm", (0,)),
        ("OBXXXX1A_2frame.dcm", (0, 1)),
        ("examples_rgb_color.dcm", (0,)),
        ("examples_ybr_color.dcm", (0, 29)),
        ("color3d_jpeg_baseline.dcm", (0, 60)),
        ("color-pl.dcm", (0,)),
        ("gdcm-US-ALOKA-16.dcm", (0,)),
    ),
}
#: modalities whose files here carry no text: what is masked in them is a false alarm
CLEAN = ("CT", "MR")


@dataclass(frozen=True, slots=True)
class Background:
    """A decoded frame of stored values, as Veil's own codecs hand it out, and what it is made of."""

    name: str
    modality: str
    frame: NDArray[Any]
    layout: Layout


def backgrounds(modality: str) -> tuple[Background, ...]:
    """All frames of one modality, in the order of `FILES`."""
    return tuple(background(modality, name, number) for name, numbers in FILES[modality] for number in numbers)


@functools.lru_cache(maxsize=64)
def background(modality: str, name: str, number: int) -> Background:
    """One frame, read-only."""
    path = get_testdata_file(name, download=False)
    ds = dcmread(str(path))
    pixels = pixel_array(ds, raw=True)
    frame = np.ascontiguousarray(pixels[number] if int(ds.get("NumberOfFrames") or 1) > 1 else pixels)
    frame.flags.writeable = False
    return Background(f"{name}#{number}", modality, frame, layout(ds))


def layout(ds: Any, frames: int = 1) -> Layout:
    """What pydicom says about the pixels; one frame. The decoded form has no subsampling and no planes."""
    photometric = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}
    padding = ds.get("PixelPaddingValue")
    made = Layout(
        ds.Rows,
        ds.Columns,
        frames,
        ds.SamplesPerPixel,
        0,
        ds.BitsAllocated,
        ds.BitsStored,
        ds.HighBit,
        bool(ds.PixelRepresentation),
        photometric.get(ds.PhotometricInterpretation, ds.PhotometricInterpretation),
        padding=padding if isinstance(padding, int) else None,
    )
    return replace(made, **_palette(ds)) if made.photometric == "PALETTE COLOR" else made


def _palette(ds: Any) -> dict[str, Any]:
    entries, first, _ = ds.RedPaletteColorLookupTableDescriptor
    indices = np.arange(first, first + (entries or 65536)).astype(np.uint8 if ds.BitsAllocated == 8 else np.uint16)
    return {"lut": apply_color_lut(indices, ds).T.astype(np.uint16), "first_mapped": first}
