"""``veil deface``: files of a synthetic head in, files without its face out, told truthfully, which then may leave."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from proxy.deid.engine import deidentify
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile, load_tables

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
SIDE, SPACING = 60, 5.0
DIRECTIONS = {
    "axial": ((1.0, 0, 0), (0, 1.0, 0)),
    "sagittal": ((0, 1.0, 0), (0, 0, -1.0)),
    "coronal": ((1.0, 0, 0), (0, 0, -1.0)),
}
#: cranium, jaws, nose, neck (mm, LPS)
HEAD = (((0, 0, 30), (75, 95, 80)), ((0, -30, -40), (60, 62, 80)), ((0, -95, -15), (12, 25, 20)),
        ((0, 25, -110), (55, 55, 90)))  # fmt: skip


_tables = lru_cache(load_tables)


@pytest.fixture(autouse=True)
def _one_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.commands.deface.load_tables", _tables)


def head(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.any([(((points - np.array(c)) / np.array(a)) ** 2).sum(-1) <= 1 for c, a in HEAD], axis=0)


def points_of(ds: Dataset) -> NDArray[np.float64]:
    across, down = np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float)
    rows, columns = np.arange(ds.Rows)[:, None, None], np.arange(ds.Columns)[None, :, None]
    return np.array(ds.ImagePositionPatient, float) + (columns * across + rows * down) * SPACING


def write_series(
    folder: Path, orientation: str = "axial", sop_class: str = CT, syntax: str = ExplicitVRLittleEndian, **said: Any
) -> Path:
    """One instance a file; CT in Hounsfield units with intercept -1024, MR with bright tissue."""
    folder.mkdir(parents=True, exist_ok=True)
    across, down = (np.array(direction) for direction in DIRECTIONS[orientation])
    normal = np.cross(across, down)
    corner = np.array([0.0, 0.0, -10.0]) - SPACING * SIDE / 2 * (across + down + normal)
    for number in range(SIDE):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = sop_class, f"1.2.3.4.{number}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.3.1", "1.2.3.9"
        ds.PatientID, ds.PatientName, ds.Modality = "4711", "Doe^Jane", "CT" if sop_class == CT else "MR"
        ds.ImageType, ds.BodyPartExamined, ds.SliceThickness = ["ORIGINAL", "PRIMARY", "AXIAL"], "HEAD", "1"
        ds.ImageOrientationPatient = [*map(float, across), *map(float, down)]
        ds.ImagePositionPatient = [float(each) for each in corner + normal * number * SPACING]
        ds.PixelSpacing, ds.Rows, ds.Columns = [SPACING, SPACING], SIDE, SIDE
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.SmallestImagePixelValue = 0
        inside = head(points_of(ds))
        if sop_class == CT:
            ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
            pixels = np.where(inside, 1064, 24).astype("<u2")
        else:
            pixels = np.where(inside, 900, 20).astype("<u2")
        ds.PixelData = pixels.tobytes()
        ds["PixelData"].VR = "OW"
        for keyword, value in said.items():
            setattr(ds, keyword, value)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, ds.SOPInstanceUID
        if syntax == RLELossless:
            ds.compress(RLELossless, generate_instance_uid=False, encoding_plugin="pydicom")
        ds.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)
    return folder


@pytest.mark.parametrize("orientation", DIRECTIONS)
def test_the_face_becomes_air_and_nothing_else_changes(run_veil: Any, tmp_path: Path, orientation: str) -> None:
    source = write_series(tmp_path / "in", orientation)
    said = run_veil("deface", source, "--out", tmp_path / "out")
    assert said.status == 0, said.text
    assert "1 series defaced, 0 series or files kept back" in said.text
    gone = front = 0
    for path in sorted(source.iterdir()):
        before, after = dcmread(path), dcmread(tmp_path / "out" / path.name)
        changed = before.pixel_array != after.pixel_array
        assert (after.pixel_array[changed] == 24).all(), "air: -1000 HU"
        points = points_of(before)
        assert not (changed & (points[..., 1] > -50)).any(), "behind the eyes nothing goes"
        assert not (changed & (points[..., 2] > 60)).any(), "nothing goes above the brows"
        face = (points[..., 2] < -5) & (points[..., 1] < -66)
        assert (after.pixel_array[face] == 24).all()
        gone += int(changed.sum())
        front += int((face & head(points)).sum())
    assert gone >= front > 500


def test_what_the_new_instances_say(run_veil: Any, tmp_path: Path) -> None:
    source = write_series(tmp_path / "in")
    run_veil("deface", source, "--out", tmp_path / "out")
    before, after = dcmread(source / "010.dcm"), dcmread(tmp_path / "out" / "010.dcm")
    assert after.RecognizableVisualFeatures == "NO"
    assert [item.CodeValue for item in after.DeidentificationMethodCodeSequence] == ["113102"]
    assert after.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert "Face removed" in after.DerivationDescription
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID
    assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert "SmallestImagePixelValue" not in after
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient", "RescaleIntercept"):
        assert after[keyword] == before[keyword]
    assert len({dcmread(path).SOPInstanceUID for path in (tmp_path / "out").iterdir()}) == SIDE
    run_veil("deface", source, "--out", tmp_path / "again")
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_before_it_a_series_is_held_and_after_it_it_leaves(run_veil: Any, tmp_path: Path) -> None:
    source = write_series(tmp_path / "in")
    run_veil("deface", source, "--out", tmp_path / "out")
    profile = {**load_profile("basic"), "pixels": {"text": "off", "faces": "hold"}}
    policy = compile_policy(_tables(), PolicySpec("research", profile, bytes(32)))
    with pytest.raises(InstanceHeld) as held:
        deidentify(memoryview((source / "010.dcm").read_bytes()), Claimed(), policy)
    assert held.value.reason is Reason.FACE
    data = (tmp_path / "out" / "010.dcm").read_bytes()
    result = deidentify(memoryview(data), Claimed(), policy)
    (tmp_path / "left.dcm").write_bytes(materialise(result.chunks, data))
    left = dcmread(tmp_path / "left.dcm")
    assert {item.CodeValue for item in left.DeidentificationMethodCodeSequence} >= {"113100", "113102"}
    assert left.RecognizableVisualFeatures == "NO"
    assert left.PatientID != "4711"


def test_mr_becomes_black_and_compressed_slices_are_read(run_veil: Any, tmp_path: Path) -> None:
    source = write_series(tmp_path / "in", "sagittal", MR, RLELossless)
    said = run_veil("deface", source, "--out", tmp_path / "out")
    assert said.status == 0, said.text
    after = dcmread(tmp_path / "out" / f"{SIDE // 2:03}.dcm")
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    face = (points_of(after)[..., 2] < -5) & (points_of(after)[..., 1] < -66)
    assert (after.pixel_array[face] == 0).all()
    assert (after.pixel_array == 900).any()


@pytest.mark.parametrize(
    ("said_of_it", "why"),
    [
        ({"BodyPartExamined": "CHEST"}, "left out (no face expected)"),
        ({"ImagePositionPatient": [0, 0, 0]}, "kept back (fewer than 10 slices)"),
        ({"ImagePositionPatient": None}, "does not say where it lies"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"PixelSpacing": [0.4, 0.4]}, "kept back ("),
        ({"RescaleSlope": -1}, "rescale slope"),
    ],
    ids=str,
)
def test_what_is_no_stack_of_a_head_is_kept_back(
    run_veil: Any, tmp_path: Path, said_of_it: dict[str, Any], why: str
) -> None:
    source = write_series(tmp_path / "in", **said_of_it)
    said = run_veil("deface", source, "--out", tmp_path / "out")
    assert why in said.text
    assert said.status == (0 if "left out" in why else 3)
    assert not (tmp_path / "out").exists()
    assert "4711" not in said.text


def test_files_that_are_no_instances(run_veil: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "note.txt").write_text("hello")
    said = run_veil("deface", folder, "--out", tmp_path / "out")
    assert said.status == 3
    assert "note.txt: not-dicom" in said.text


def test_a_folder_with_files_is_not_written_to(run_veil: Any, tmp_path: Path) -> None:
    source = write_series(tmp_path / "in")
    assert run_veil("deface", source, "--out", source).status == 2
