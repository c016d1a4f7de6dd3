"""The instances that figures are taken with: readable, as described, the same for the same seed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from bench.instances import CT_ELEMENTS, SHAPES, ct, series, write_series
from bench.modules import encode
from bench.multiframe import FRAME_BYTES, enhanced_ct, write_enhanced_ct
from bench.structured import DEPTH, comprehensive_sr


def read(data: bytes) -> Dataset:
    return dcmread(BytesIO(data))


def content_items(ds: Dataset, depth: int = 1) -> list[int]:
    """The depth of each content item below ``ds``."""
    found: list[int] = []
    for item in ds.get("ContentSequence", []):
        found += [depth, *content_items(item, depth + 1)]
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(name: str) -> None:
    if "frames" in name:
        first, again, other = (encode(enhanced_ct(seed, frames=2)) for seed in (1, 1, 2))
    else:
        first, again, other = (encode(SHAPES[name](seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("make", [ct, comprehensive_sr, lambda seed: enhanced_ct(seed, frames=2)])
def test_what_was_written_reads_back_with_synthetic_phi(make) -> None:
    ds = read(encode(make(3)))
    assert ds.SOPClassUID == ds.file_meta.MediaStorageSOPClassUID
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName"):
        assert ds[keyword].value, keyword
    assert sum(1 for _ in ds.iterall()) > 100


def test_the_ct_has_as_many_elements_as_it_says() -> None:
    ds = read(encode(ct(3)))
    assert sum(1 for _ in ds.iterall()) == CT_ELEMENTS
    assert (ds.Rows, ds.Columns, ds.BitsAllocated, len(ds.PixelData)) == (512, 512, 16, 512 * 512 * 2)
    assert any(element.tag.is_private for element in ds)


def test_a_series_is_one_series_of_different_images(tmp_path: Path) -> None:
    images = [read(data) for data in series(3, 3)]
    assert len({ds.SeriesInstanceUID for ds in images}) == 1
    assert len({ds.SOPInstanceUID for ds in images}) == 3
    assert len({ds.PixelData for ds in images}) == 3
    assert [path.read_bytes() for path in write_series(tmp_path, 3, 3)] == series(3, 3)


def test_the_report_is_as_wide_and_as_deep_as_it_says() -> None:
    depths = content_items(read(encode(comprehensive_sr(3, items=120))))
    assert len(depths) == 120
    assert max(depths) == DEPTH + 1


def test_the_streamed_file_is_the_same_iod_with_all_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    assert write_enhanced_ct(path, 3, 20) == path.stat().st_size
    ds = dcmread(path)
    assert ds.NumberOfFrames == len(ds.PerFrameFunctionalGroupsSequence) == 20
    assert len(ds.PixelData) == 20 * FRAME_BYTES
    del ds.PixelData
    whole = enhanced_ct(3, frames=20)
    del whole.PixelData
    assert encode(ds) == encode(whole)
