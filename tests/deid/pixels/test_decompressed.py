"""Compressed instances decompressed, and what the gate says of that: the same values, and nothing else changed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from proxy.deid.pixels.decompressed import decompress
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.headers import dataset, policy
from tests.deid.pixels.matrix import EXPLICIT

GATE = Gate(bytes(32))
#: grey and colour, signed, 8 to 16 bits, one frame and several; JPEG, JPEG-LS, JPEG 2000, RLE
FILES = (
    "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "JPEG2000.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_16bit_2frame.dcm",
    "examples_ybr_color.dcm", "GDCMJ2K_TextGBR.dcm", "examples_jpeg2k.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
)  # fmt: skip
#: what may be different: how pixels are coded, and what is only about the fragments
_CODING = {0x7FE00001, 0x7FE00002, 0x7FE00010, 0x00280004, 0x00280006}


def bundled(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def decoded(data: bytes) -> Dataset:
    chunks = decompress(memoryview(data), policy())
    release, report = GATE.decoded(memoryview(data), chunks, policy())
    assert report.transfer_syntax_uid == EXPLICIT
    whole = b"".join(chunks)
    assert GATE.admits(release, whole)
    return pydicom.dcmread(io.BytesIO(whole))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FILES)
def test_the_same_pixels_and_the_same_words(name: str) -> None:
    data = bundled(name)
    before, after = pydicom.dcmread(io.BytesIO(data)), decoded(data)
    assert after.file_meta.TransferSyntaxUID == EXPLICIT
    assert {e.tag for e in before} - {e.tag for e in after} <= _CODING
    for element in after:
        assert element.tag in _CODING or element == before[element.tag]
    expected = before.pixel_array
    assert expected.shape == after.pixel_array.shape
    if before.PhotometricInterpretation == after.PhotometricInterpretation:
        # decoders differ by a step or two in what JPEG's cosines come to
        assert np.abs(expected.astype(int) - after.pixel_array.astype(int)).max() <= 2


def test_what_a_lossy_compression_has_cost_is_still_told() -> None:
    after = decoded(bundled("JPEG2000.dcm"))
    assert (after.LossyImageCompression, after.PhotometricInterpretation) == ("01", "MONOCHROME2")


def test_chrominance_in_full_and_colour_by_pixel() -> None:
    after = decoded(bundled("SC_rgb_jpeg_dcmtk.dcm"))
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("YBR_FULL", 0)
    assert len(after.PixelData) == after.Rows * after.Columns * 3


def rle(frames: int = 1) -> bytes:
    """RLE (PS3.5 G) of 4 by 6 pixels a frame, with an element behind the pixel data and stale offsets before it."""
    ds = dataset(NumberOfFrames=frames, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.5"
    one = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x17" + bytes(range(24)) + b"\x80"
    ds.PixelData = encapsulate([one] * frames)
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    ds.add_new(0x7FE00001, "OV", bytes(8 * frames))
    ds.add_new(0x7FE00002, "OV", len(one).to_bytes(8, "little") * frames)
    ds.add_new(0xFFFCFFFC, "OB", bytes(4))
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def test_what_stands_behind_the_pixels_stays_and_offset_tables_go() -> None:
    after = decoded(rle().replace((26 + 64).to_bytes(8, "little"), (90).to_bytes(8, "little")))
    assert after.pixel_array.ravel().tolist() == list(range(24))
    assert 0xFFFCFFFC in after
    assert 0x7FE00001 not in after


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: bundled("CT_small.dcm"), Reason.UNSUPPORTED_CONTENT),
        (lambda: bundled("rtplan.dcm"), Reason.UNSUPPORTED_CONTENT),
        (lambda: rle().replace(b"\x17" + bytes(range(24)), b"\x7f" + bytes(range(24))), Reason.PIXELS_UNREADABLE),
        (lambda: b"x" * 500, Reason.NOT_DICOM),
    ],
)
def test_what_is_not_compressed_or_not_whole(data: Callable[[], bytes], reason: Reason) -> None:
    with pytest.raises(InstanceHeld) as held:
        decompress(memoryview(data()), policy())
    assert held.value.reason is reason


def changed(parts: tuple[bytes, ...], old: bytes, new: bytes) -> tuple[bytes, ...]:
    assert any(old in part for part in parts)
    return tuple(part.replace(old, new) for part in parts)


def other_pixels(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return changed(parts, bytes(range(24)), bytes(range(1, 25)))


def other_element(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return changed(parts, b"\x20\x00\x0e\x00UI\x06\x001.2.4\0", b"\x20\x00\x0e\x00UI\x06\x001.2.5\0")


def more_behind(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*parts[:-1], parts[-1][:-4] + b"NAME")


def one_less(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return changed(parts, b"\x20\x00\x0e\x00UI\x06\x001.2.4\0", b"")


def one_more(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*parts[:-1], b"\xf0\x7f\x10\x00LO\x02\x00ab" + parts[-1])


def other_name(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return changed(parts, b"\x02\x00\x03\x00UI\x08\x001.2.3.4\0", b"\x02\x00\x03\x00UI\x08\x001.2.3.5\0")


def other_colour(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return changed(parts, b"MONOCHROME2 ", b"MONOCHROME1 ")


def something_hidden(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    head, *rest = parts[1:]
    length = int.from_bytes(head[-4:], "little") + 4
    return (parts[0], head[:-4] + length.to_bytes(4, "little"), *rest[:-1], b"NAME", rest[-1])


@pytest.mark.parametrize(
    "change",
    [other_pixels, other_element, more_behind, one_less, one_more, other_name, other_colour, something_hidden],
)
def test_the_gate_sees_whatever_else_is_different(change: Any) -> None:
    data = rle()
    parts = decompress(memoryview(data), policy())
    GATE.decoded(memoryview(data), parts, policy())
    with pytest.raises(InstanceHeld):
        GATE.decoded(memoryview(data), change(parts), policy())
