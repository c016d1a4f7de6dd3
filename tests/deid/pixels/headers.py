"""Data sets as the engine reads them, for tests of what reads headers: a pydicom data set, encoded and scanned."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset

from proxy.deid.decode import Instance, read_instance
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.plan import Layout
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.pixels.matrix import BIG, EXPLICIT, IMPLICIT, encoded

SYNTAXES = (IMPLICIT, EXPLICIT, BIG)
JPEG_2000 = "1.2.840.10008.1.2.4.90"
PIXEL_DATA = 0x7FE00010


@lru_cache(maxsize=1)
def policy() -> Policy:
    return compile_policy(load_tables(), PolicySpec("research", load_profile("basic"), bytes(32)))


def dataset(**attributes: Any) -> Dataset:
    """8-bit MONOCHROME2 of 4 by 6 pixels, and ``attributes`` on top; None removes one."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.3.4"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.BitsAllocated = 4, 6, 8
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 7, 0
    for keyword, value in attributes.items():
        if value is None:
            ds.pop(keyword, None)
        else:
            setattr(ds, keyword, value)
    return ds


def read(ds: Dataset, syntax: str = EXPLICIT) -> Instance:
    native = syntax if syntax in SYNTAXES else EXPLICIT
    return read_instance(memoryview(encoded(ds, native)), policy())


def header(ds: Dataset, syntax: str = EXPLICIT) -> Header:
    return Header(read(ds, syntax).root, syntax != BIG)


def layout(ds: Dataset, syntax: str = EXPLICIT, tag: int = PIXEL_DATA, vr: str | None = None) -> Layout:
    """``syntax`` may be one of compressed pixel data: headers are read as in explicit VR little endian."""
    if vr is None:
        vr = "" if syntax == IMPLICIT else "OW"
    return layout_of(read(ds, syntax).root, policy().transfer_syntaxes[syntax], tag, vr)
