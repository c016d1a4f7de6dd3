"""Reading without a policy: what an instance claims, its places, its traits in any transfer syntax."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import pytest
from pydicom.dataset import Dataset

from proxy.deid.contents import Contents, Reader
from proxy.deid.explained import place, shown
from proxy.deid.pairs import record
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_tables


@lru_cache
def reader() -> Reader:
    return Reader(load_tables())


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def read(make: ModuleType, syntax: str, **attributes: object) -> Contents:
    return reader().read(memoryview(make.encode(make.dataset(**attributes), syntax)))


def every(make: ModuleType) -> list[str]:
    return [make.EXPLICIT_LITTLE, make.IMPLICIT_LITTLE, make.EXPLICIT_BIG, make.DEFLATED]


def test_traits_do_not_depend_on_the_encoding(make: ModuleType) -> None:
    what = {"Rows": 12, "InstanceNumber": "7", "ImagePositionPatient": ["1", "2.50", "-3e1"], "ImageType": ["A", "B"]}
    read_as = [record(0, read(make, syntax, **what), b"") for syntax in every(make)]
    assert len({r.traits for r in read_as}) == 1
    written_otherwise = what | {"InstanceNumber": "+07", "ImagePositionPatient": ["1.0", "2.5", "-30"]}
    assert record(0, read(make, make.EXPLICIT_LITTLE, **written_otherwise), b"").traits == read_as[0].traits
    for change in (
        {"Rows": 13},
        {"InstanceNumber": "8"},
        {"ImageType": ["A", "C"]},
        {"ImagePositionPatient": [1, 2, 3]},
    ):
        assert record(0, read(make, make.EXPLICIT_LITTLE, **(what | change)), b"").traits != read_as[0].traits


def test_the_view_of_a_mammogram_is_a_trait(make: ModuleType) -> None:
    views = [
        read(make, make.EXPLICIT_LITTLE, ViewCodeSequence=[item(CodeValue=code)]) for code in ("R-10226", "R-10242")
    ]
    assert record(0, views[0], b"").traits != record(0, views[1], b"").traits
    assert record(0, views[0], b"").core == record(0, views[1], b"").core


def test_claims_are_the_options_of_the_method_codes(make: ModuleType) -> None:
    codes = [item(CodeValue=code) for code in ("113100", "113107", "999999")]
    found = read(make, make.EXPLICIT_LITTLE, DeidentificationMethodCodeSequence=codes).claims
    assert found == {"basic profile itself", "rtn_long_modif"}
    elsewhere = read(make, make.EXPLICIT_LITTLE, AnatomicRegionSequence=codes)
    assert elsewhere.claims == frozenset()


def test_values_are_shown_on_one_line_and_only_by_shown(make: ModuleType) -> None:
    what = {
        "Rows": 12, "ImageType": ["A", "B"], "ReferencedImageSequence": [item(ReferencedSOPInstanceUID="1.2.3.77")],
        "ImageComments": "Zqx\x07 " + "long " * 40, "EstimatedDoseSaving": 0.5,
        "RedPaletteColorLookupTableData": b"abcd",
    }  # fmt: skip
    for syntax in every(make):
        contents = read(make, syntax, **what)
        assert shown(contents, (), 0x00280010) == "12"
        assert shown(contents, (), 0x00189324) == "0.5"
        assert shown(contents, (), 0x00080008) == "A\\B"
        assert shown(contents, (), 0x00281201) == "<4 bytes>"
        assert shown(contents, (0x00081140, 0), 0x00081155) == "1.2.3.77"
        assert shown(contents, (), 0x00081140) == shown(contents, (), 0x00189999) == ""
        comments = shown(contents, (), 0x00204000)
        assert comments.startswith("Zqx· long")
        assert (len(comments), comments[-1]) == (64, "…")
        assert "Zqx" not in repr(contents)
    assert place((0x00081140, 3), 0x00081155) == "(0008,1140)[3].(0008,1155)"


def test_what_cannot_be_read(make: ModuleType) -> None:
    for data, reason in (
        (b"", Reason.NOT_DICOM),
        (make.encode(make.dataset(), make.EXPLICIT_LITTLE).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"),
         Reason.UNKNOWN_TRANSFER_SYNTAX),
        (make.encode(make.dataset())[:-3], Reason.LENGTH_BEYOND_BUFFER),
    ):  # fmt: skip
        with pytest.raises(InstanceHeld) as held:
            reader().read(memoryview(data))
        assert held.value.reason is reason
