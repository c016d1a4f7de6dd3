"""Against pydicom's own test files: the same model as pydicom's; rewriting changes the encoding and nothing else."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pydicom
import pytest

from proxy.archive import encoded
from proxy.wire.vr import NOT_FOR_WEB

pytestmark = pytest.mark.filterwarnings("ignore")
_DATA = Path(pydicom.__file__).parent / "data"
_PRIVATE = re.compile(r"[0-9A-F]{3}[13579BDF][0-9A-F]{4}")
_BULK = ("InlineBinary", "BulkDataURI")


def usable(path: Path) -> bool:
    try:
        dataset = pydicom.dcmread(path)
        dataset.to_json_dict()
        return bool(dataset.file_meta.get("TransferSyntaxUID") and dataset.file_meta.get("MediaStorageSOPInstanceUID"))
    except Exception:
        return False


FILES = [p for d in ("test_files", "charset_files") for p in sorted((_DATA / d).glob("*.dcm")) if usable(p)]


def comparable(value: Any) -> Any:
    """Without what either side may choose: bulk data, number formats, padding, empty sequences, private VRs."""
    if isinstance(value, dict):
        kept = {k: comparable(v) for k, v in value.items() if k not in _BULK and not k.endswith("0000") and v != []}
        return {k: v for k, v in kept.items() if not _PRIVATE.fullmatch(k)}
    if isinstance(value, list):
        return [comparable(v) for v in value]
    if isinstance(value, int | float):
        return round(float(value), 5)
    return (value.strip() or None) if isinstance(value, str) else value


def reference(dataset: pydicom.Dataset) -> Any:
    return comparable(dataset.to_json_dict(bulk_data_threshold=1 << 40, bulk_data_element_handler=lambda _: "x"))


def test_there_is_enough_to_compare() -> None:
    assert len(FILES) > 60


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_model_agrees_with_pydicom(path: Path) -> None:
    mine = encoded.metadata(path)
    json.dumps(mine, allow_nan=False)
    expected = reference(pydicom.dcmread(path))
    expected.pop("00010001", None)
    assert comparable(mine) == expected


REWRITTEN = [p for p in FILES if encoded.stored_syntax(p) in NOT_FOR_WEB]


@pytest.mark.parametrize("path", REWRITTEN, ids=lambda p: p.name)
def test_rewriting_keeps_every_value(path: Path) -> None:
    before = pydicom.dcmread(path)
    after = pydicom.dcmread(io.BytesIO(b"".join(encoded.blocks(path, encoded.instance(path), encoded.stamp(path)))))
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    left, right = reference(before), reference(after)
    assert {k: v for k, v in left.items() if k != "7FE00010"} == {k: v for k, v in right.items() if k != "7FE00010"}
    if "PixelData" in before and before.get("Rows"):
        assert (before.pixel_array == after.pixel_array).all()


@pytest.mark.parametrize("path", [p for p in FILES if p not in REWRITTEN][:10], ids=lambda p: p.name)
def test_others_leave_as_they_are(path: Path) -> None:
    assert b"".join(encoded.blocks(path, encoded.instance(path), encoded.stamp(path))) == path.read_bytes()


def test_large_values_stay_in_the_file_until_they_are_sent(make) -> None:
    path = make("large", PixelData=bytes(1 << 20))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    implicit = path.with_name("implicit")
    dataset.save_as(implicit, implicit_vr=True)
    pieces = encoded.instance(implicit)
    runs = [piece for piece in pieces if isinstance(piece, encoded.FileRun)]
    assert [run.length for run in runs] == [1 << 20]
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 4096


def test_a_file_that_shrank_is_an_error_and_not_a_short_answer(make) -> None:
    path = make("a")
    with pytest.raises(OSError, match="shorter"):
        list(encoded.blocks(path, [encoded.FileRun(0, path.stat().st_size + 1)], encoded.stamp(path)))


def test_a_file_that_was_replaced_is_not_mixed_with_the_new_one(make) -> None:
    path, other = make("a"), make("b", PixelData=bytes(100))
    before, pieces = encoded.stamp(path), encoded.instance(path)
    other.replace(path)
    with pytest.raises(OSError, match="replaced"):
        list(encoded.blocks(path, pieces, before))
