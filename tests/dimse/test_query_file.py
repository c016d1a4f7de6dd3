"""A file goes as it is stored, or with other headers and the same values."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.filereader import read_dataset

from proxy.dimse.outgoing import File
from proxy.dimse.query_file import CannotGive, Stored, context_for, data_set, stored
from proxy.wire.negotiation import Context
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE

JPEG = "1.2.840.10008.1.2.4.50"
NATIVE = ["CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtplan.dcm", "MR_small.dcm"]


def bundled(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(str(path))


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("name", NATIVE)
def test_the_same_values_in_another_syntax(name: str, syntax: str) -> None:
    instance, original = stored(bundled(name)), pydicom.dcmread(bundled(name))
    assert instance.instance == original.file_meta.MediaStorageSOPInstanceUID
    data = data_set(instance, syntax)
    if isinstance(data, File):
        assert instance.syntax == syntax
        data = data.path.read_bytes()[data.offset :]
    found = read_dataset(io.BytesIO(bytes(data)), syntax == IMPLICIT_LE, True)
    for element in original:
        if element.tag.is_private or element.tag == 0x7FE00010 or element.keyword == "DataSetTrailingPadding":
            continue
        assert found[element.tag].value == element.value, element.tag
    if "PixelData" in original:
        found.file_meta = original.file_meta
        found.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        assert (found.pixel_array == pydicom.dcmread(bundled(name)).pixel_array).all()


def test_which_context() -> None:
    native, jpeg = Stored(Path("a"), "1.2", "1", EXPLICIT_LE), Stored(Path("b"), "1.2", "1", JPEG)
    implicit, other = Context(1, "1.2", IMPLICIT_LE), Context(3, "1.3", EXPLICIT_LE)
    explicit, compressed = Context(5, "1.2", EXPLICIT_LE), Context(7, "1.2", JPEG)
    assert context_for(native, [implicit, other, explicit, compressed], False) is explicit
    assert context_for(native, [compressed, implicit], False) is implicit
    assert context_for(native, [other, compressed], True) is None
    assert context_for(jpeg, [implicit, explicit, compressed], True) is compressed
    assert context_for(jpeg, [implicit, explicit], False) is None
    assert context_for(jpeg, [implicit, explicit], True) is explicit


def test_what_cannot_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotGive):
        stored(tmp_path / "gone")
    (tmp_path / "text").write_bytes(b"no DICOM")
    with pytest.raises(CannotGive):
        stored(tmp_path / "text")
    instance = stored(bundled("image_dfl.dcm"))
    for most in (instance.path.stat().st_size - 1, instance.path.stat().st_size + 1):
        monkeypatch.setattr("proxy.dimse.query_file._MOST_BYTES", most)
        with pytest.raises(CannotGive):
            data_set(instance, EXPLICIT_LE)
