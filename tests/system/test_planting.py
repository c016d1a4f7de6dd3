"""The byte-wise search finds what it is for, in every form; a search that finds nothing proves nothing."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.system.planting import MARKERS, found_in, planted

NAME = "Zqxplant^Doe"


@pytest.mark.parametrize(
    "content",
    [
        b"before " + NAME.encode() + b" after",
        NAME.upper().encode(),
        NAME.encode("utf-16-le"),
        NAME.encode("utf-16-be"),
        "曖昧模糊".encode("shift_jis"),
        "曖昧模糊".encode("iso2022_jp"),
        b"\\u66d6\\u6627\\u6a21\\u7cca",
        base64.b64encode(NAME.encode()),
        base64.b64encode(b"x" + NAME.encode()),
        base64.b64encode(b"xy" + NAME.encode() + b"z"),
        NAME.encode().hex().encode(),
        NAME.encode().hex().upper().encode(),
        NAME.encode("latin-1").ljust(64),
        b"%5A%71%78%70%6C%61%6E%74%5e",
        "曖昧模糊".encode("ascii", "xmlcharrefreplace"),
        "曖昧模糊".encode().decode("latin-1").encode(),
        b"Z\0q\0X\0P\0l\0A\0N\0t\0",
        b"\n" + NAME.encode() + b"\n",
        planted(7).part10,
    ],
)
def test_each_form_is_found(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\0" * 100 + content)
    assert found_in(tmp_path, MARKERS)


def test_a_file_name_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.dcm").touch()
    assert found_in(tmp_path, MARKERS)


def test_the_same_file_is_said_once_for_each_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(planted(7).part10)
    hits = found_in([tmp_path, tmp_path / "gone"], MARKERS)
    assert [hit.partition(": ")[2] for hit in hits] == [f"{marker!r} in its content" for marker in sorted(MARKERS)]


def test_innocent_bytes_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 64 + b"1.2.826.0.1.3680043.9.3811 Doe")
    assert found_in(tmp_path, MARKERS) == []


def test_planted_instances_are_distinct_and_whole() -> None:
    first, second = planted(1), planted(2, "held")
    assert first.sop_instance_uid != second.sop_instance_uid
    ds = dcmread(BytesIO(second.part10))
    assert (ds.SOPInstanceUID, ds.SOPClassUID) == (second.sop_instance_uid, second.sop_class_uid)
    assert ds.PatientID == "ZQXIDENT100000002"
