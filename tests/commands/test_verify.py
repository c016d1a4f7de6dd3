"""``veil verify``: pairs by what both sides share, finds what was planted, misses nothing that was taken away."""

from __future__ import annotations

import csv
import io
import stat
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from proxy import notebook
from proxy.deid import Deidentifier
from proxy.deid.pairs import CORE, FURTHER
from proxy.deid.tables import tag_number
from proxy.service.pairs import Compared, Verification
from proxy.store.rulebook import load_tables

KEY = bytes(range(32))
Lines = list[dict[str, str]]


@pytest.fixture(scope="module")
def research() -> Deidentifier:
    return notebook.load("research", key=KEY)


def ct(number: int = 1, **attributes: Any) -> FileDataset:
    ds = dcmread(get_testdata_file("CT_small.dcm"))
    ds.PatientName, ds.PatientID, ds.AccessionNumber = "Zqxplant^Jane", "ZQX4711", "ZQXACC9"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.3.44", "1.2.3.44.1", f"1.2.3.44.1.{number}"
    ds.InstanceNumber = number
    del ds[0xFFFCFFFC]  # so that the pixel data is the end of the file
    ds.PixelData = number.to_bytes(2, "little") + ds.PixelData[2:]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


class Folders:
    """``original`` and ``deid`` below a folder of the test."""

    def __init__(self, top: Path, deidentifier: Deidentifier) -> None:
        self.original, self.deid, self.sheet = top / "original", top / "deid", top / "report.csv"
        self.original.mkdir()
        self.deid.mkdir()
        self._deidentifier = deidentifier

    def add(self, name: str, ds: FileDataset, change: Callable[[Dataset], None] | None = None, **how: Any) -> Path:
        """``ds`` and its de-identified file, ``change``d; returns the path of the latter."""
        ds.save_as(self.original / f"{name}.dcm")
        out = (how.get("by") or self._deidentifier).apply(ds)
        if change is not None:
            change(out)
        path = self.deid / f"{name}-out.dcm"
        out.save_as(path)
        return path


@pytest.fixture
def folders(tmp_path: Path, research: Deidentifier) -> Folders:
    return Folders(tmp_path, research)


def verified(run_veil: Any, folders: Folders) -> tuple[int, str, Lines]:
    said = run_veil("verify", folders.original, folders.deid, "--csv", folders.sheet)
    assert "Zqxplant" not in said.text, "a value is shown"
    text = folders.sheet.read_text(encoding="utf-8")
    assert "Zqx" not in text
    return said.status, said.text, list(csv.DictReader(io.StringIO(text)))


def names(lines: Lines) -> dict[str, str]:
    return {
        Path(x["original"]).stem: Path(x["deidentified"]).stem.removesuffix("-out")
        for x in lines
        if x["what"] == "correspondence"
    }


def found(lines: Lines, what: str) -> set[tuple[str, str]]:
    return {(line["place"], line["why"]) for line in lines if line["what"] == what}


# ---- correspondence ----


def test_what_veil_made_corresponds_and_nothing_is_wrong(run_veil: Any, folders: Folders) -> None:
    for number in (1, 2, 3):
        folders.add(f"{number}", ct(number))
    status, text, lines = verified(run_veil, folders)
    assert status == 0, text
    assert names(lines) == {"1": "1", "2": "2", "3": "3"}
    assert "3 correspond (pixel data: 3 same); 0 leaks, 0 lost attributes" in text
    assert {line["basis"] for line in lines} == {"pixel data, attributes, series"}
    assert stat.S_IMODE(folders.sheet.stat().st_mode) == 0o600, "who came from whom is for its owner only"


def test_single_files(run_veil: Any, folders: Folders) -> None:
    out = folders.add("1", ct())
    assert run_veil("verify", folders.original / "1.dcm", out).status == 0


def test_changed_pixels_are_paired_by_number_and_series(run_veil: Any, folders: Folders) -> None:
    def black(ds: Dataset) -> None:
        ds.PixelData = bytes(len(ds.PixelData))

    for number in (1, 2, 3):
        folders.add(f"{number}", ct(number), black)
    status, text, lines = verified(run_veil, folders)
    assert names(lines) == {"1": "1", "2": "2", "3": "3"}
    assert "3 changed" in text
    assert status == 0


def test_objects_without_pixels_are_told_apart_by_their_series(run_veil: Any, folders: Folders) -> None:
    """Two studies with reports of the same number: only how many there are in a series tells them apart."""
    for study, count in (("1", 2), ("2", 3)):
        for number in range(1, count + 1):
            uid = f"1.2.9.{study}"
            more = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.1.{number}"}
            ds = ct(number, Modality="SR", **more)
            del ds.PixelData
            folders.add(f"{study}-{number}", ds)
    status, text, lines = verified(run_veil, folders)
    assert status == 0, text
    assert names(lines) == {name: name for name in ("1-1", "1-2", "2-1", "2-2", "2-3")}


def test_what_looks_the_same_stays_unmatched_but_is_searched(run_veil: Any, folders: Folders) -> None:
    def leak(ds: Dataset) -> None:
        ds.StudyDescription = "Zqxplant 2"

    for number, change in ((1, None), (2, leak)):
        ds = ct(1, SOPInstanceUID=f"1.2.3.44.1.{number}")
        folders.add(f"{number}", ds, change)
    status, _, lines = verified(run_veil, folders)
    assert names(lines) == {}
    assert Counter(line["what"] for line in lines)["unmatched de-identified"] == 2
    assert found(lines, "leak") == {("(0008,1030)", "an identifier of the original")}
    assert status == 1


def test_what_one_series_shows_tells_its_twins_apart(run_veil: Any, folders: Folders) -> None:
    """Alike objects of two series whose images are different: the images say which study is which."""
    for study in ("1", "2"):
        uid = f"1.2.9.{study}"
        image = ct(int(study), StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1")
        folders.add(f"image{study}", image)
        other = ct(7, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.2", SOPInstanceUID=f"{uid}.2.1")
        folders.add(f"other{study}", other)
    status, text, lines = verified(run_veil, folders)
    assert status == 0, text
    assert names(lines) == {name: name for name in ("image1", "image2", "other1", "other2")}


def test_unmatched_unread_and_copies_are_listed(run_veil: Any, folders: Folders) -> None:
    out = folders.add("1", ct(1))
    (folders.deid / "copy.dcm").write_bytes(out.read_bytes())
    ct(2).save_as(folders.original / "lonely.dcm")
    (folders.original / "notes.txt").write_text("no instance")
    (folders.original / "empty.dcm").write_bytes(b"")
    folders.add("stranger", ct(3, Modality="MR", Rows=64, Columns=256, SeriesInstanceUID="1.2.3.9"))
    (folders.original / "stranger.dcm").unlink()
    status, text, lines = verified(run_veil, folders)
    listed = {(x["what"], Path(x["original"] or x["deidentified"]).name) for x in lines}
    assert (
        listed - {("correspondence", "1.dcm")}
        == {
            ("unmatched original", "lonely.dcm"),
            ("unmatched de-identified", "stranger-out.dcm"),
            ("unread", "notes.txt"),
            ("unread", "empty.dcm"),
            ("copy", "1-out.dcm"),
        }
        or ("copy", "copy.dcm") in listed
    )
    for name in ("lonely.dcm", "stranger-out.dcm", "notes.txt", "empty.dcm"):
        assert name in text
    assert status == 3


def test_no_row_of_the_table_names_what_is_matched_by() -> None:
    listed = {tag_number(row.tag) for row in load_tables().attributes}
    assert listed.isdisjoint(CORE + FURTHER)


# ---- leaks ----


def _name(ds: Dataset) -> None:
    ds.ImageComments = "as seen by ZQXPLANT"


def _nested(ds: Dataset) -> None:
    item = Dataset()
    item.CodeMeaning = "Jane Zqxplant"
    ds.AnatomicRegionSequence = Sequence([item])


def _private(ds: Dataset) -> None:
    ds.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "ZQX4711")


def _harmless_private(ds: Dataset) -> None:
    creator = ct()[0x0009, 0x0010].value
    ds.private_block(0x0009, creator, create=True).add_new(0x02, "SH", ct()[0x0009, 0x1002].value)


def _old_uid(ds: Dataset) -> None:
    ds.FrameOfReferenceUID = "1.2.3.44.1.1"


def _sex(ds: Dataset) -> None:
    ds.PatientSex = ct().PatientSex


def _old_date(ds: Dataset) -> None:
    ds.StudyDate = ct().StudyDate


def _ae(ds: Dataset) -> None:
    ds.file_meta.SourceApplicationEntityTitle = ct().file_meta.SourceApplicationEntityTitle


def _meta_uid(ds: Dataset) -> None:
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3.44"
    ds.file_meta.PrivateInformation = b"ab"


def _preamble(ds: Dataset) -> None:
    ds.preamble = b"Zqxplant ".ljust(128, b"\0")


def _pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:-16] + b" ZQX4711 padding"


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        (_name, "(0020,4000)"),
        (_nested, "(0008,2218)[0].(0008,0104)"),
        (_private, "(0029,1010)"),
        (_harmless_private, "(0009,1002)"),
        (_old_uid, "(0020,0052)"),
        (_sex, "(0010,0040)"),
        (_old_date, "(0008,0020)"),
        (_ae, "(0002,0016)"),
        (_meta_uid, "(0002,0100)"),
        (_preamble, "preamble"),
        (_pixels, "(7FE0,0010)"),
    ],
)
def test_a_planted_leak_is_found_where_it_is(
    plant: Callable[[Dataset], None], place: str, run_veil: Any, folders: Folders
) -> None:
    folders.add("1", ct(1), plant)
    folders.add("2", ct(2))
    status, text, lines = verified(run_veil, folders)
    assert status == 1, text
    leaks = [line for line in lines if line["what"] == "leak"]
    assert [line["place"] for line in leaks] == [place], leaks
    assert Path(leaks[0]["original"]).name == "1.dcm"
    assert names(lines) == {"1": "1", "2": "2"}


def test_what_a_claimed_option_retains_is_no_leak(run_veil: Any, folders: Folders) -> None:
    def claim(ds: Dataset) -> None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113110", "DCM", "Retain UIDs Option"
        ds.DeidentificationMethodCodeSequence.append(item)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            setattr(ds, keyword, original[keyword].value)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.ImageComments = f"see study {ds.StudyInstanceUID}"

    original = ct(1, StudyInstanceUID="1.2.3.44.1234567")
    folders.add("1", original, claim)
    status, text, _ = verified(run_veil, folders)
    assert status == 0, text


@pytest.mark.parametrize(("where", "status"), [("InstitutionName", 0), ("ImageComments", 1)])
def test_what_an_option_retains_is_a_leak_elsewhere(where: str, status: int, run_veil: Any, folders: Folders) -> None:
    def claim(ds: Dataset) -> None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = "113112", "DCM"
        ds.DeidentificationMethodCodeSequence.append(item)
        ds.InstitutionName = "Zqx Hospital of Elsewhere"
        setattr(ds, where, "Zqx Hospital of Elsewhere")

    folders.add("1", ct(1, InstitutionName="Zqx Hospital of Elsewhere"), claim)
    assert run_veil("verify", folders.original, folders.deid).status == status


def test_what_stays_on_purpose_can_be_named(run_veil: Any, folders: Folders) -> None:
    folders.add("1", ct(1), _old_date)
    ask = ("verify", folders.original, folders.deid)
    assert run_veil(*ask).status == 1
    assert run_veil(*ask, "--retained", "StudyDate").status == 0
    assert run_veil(*ask, "--retained", "(0008,0020)").status == 0
    assert run_veil(*ask, "--retained", "SeriesDate").status == 1
    assert run_veil(*ask, "--retained", "Nonsense").status == 2


# ---- lost, inconsistent ----


def test_lost_attributes_are_named(run_veil: Any, folders: Folders) -> None:
    def lose(ds: Dataset) -> None:
        del ds.KVP
        ds.ImageType = None
        del ds.FrameOfReferenceUID
        del ds.PixelData

    folders.add("1", ct(1), lose)
    status, text, lines = verified(run_veil, folders)
    assert found(lines, "lost") == {
        ("(0018,0060)", "missing"),
        ("(0008,0008)", "emptied"),
        ("(0020,0052)", "missing"),
        ("(7FE0,0010)", "missing"),
    }
    assert status == 3, text


def test_what_the_table_removes_is_not_lost_and_what_an_option_retains_is(run_veil: Any, folders: Folders) -> None:
    def claim(ds: Dataset) -> None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = "113112", "DCM"
        ds.DeidentificationMethodCodeSequence.append(item)

    folders.add("1", ct(1, InstitutionName="Elsewhere", PatientComments="x"), claim)
    _, _, lines = verified(run_veil, folders)
    assert ("(0008,0080)", "missing") in found(lines, "lost")
    assert "(0010,4000)" not in {place for place, _ in found(lines, "lost")}


def test_a_lost_sequence_is_one_loss(run_veil: Any, folders: Folders) -> None:
    def lose(ds: Dataset) -> None:
        del ds.AnatomicRegionSequence

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D3000", "SRT", "Chest"
    folders.add("1", ct(1, AnatomicRegionSequence=Sequence([item])), lose)
    _, _, lines = verified(run_veil, folders)
    assert found(lines, "lost") == {("(0008,2218)", "missing")}


@pytest.mark.parametrize(("claimed", "lost"), [(False, set()), (True, {("(0014,0102)", "missing")})])
def test_dates_and_addresses_that_no_row_names(
    claimed: bool, lost: set[tuple[str, str]], run_veil: Any, folders: Folders
) -> None:
    """A date is missed where a longitudinal option is claimed; an address never."""

    def strip(ds: Dataset) -> None:
        ds.pop(0x00140102, None)
        if not claimed:
            del ds.DeidentificationMethodCodeSequence

    ds = ct(1)
    ds.add_new(0x00081190, "UR", "http://zqx/")
    ds.add_new(0x00140102, "DA", "20240102")
    folders.add("1", ds, strip)
    _, _, lines = verified(run_veil, folders)
    assert found(lines, "lost") == lost


def test_two_pseudonyms_for_one_patient(run_veil: Any, folders: Folders) -> None:
    folders.add("1", ct(1))
    folders.add("2", ct(2), by=notebook.load("research", key=bytes(32)))
    status, text, lines = verified(run_veil, folders)
    assert found(lines, "inconsistent") >= {("", "patient has another pseudonym elsewhere")}
    assert status == 3, text


def test_one_pseudonym_for_two_patients(run_veil: Any, folders: Folders, research: Deidentifier) -> None:
    def merge(ds: Dataset) -> None:
        ds.PatientID = research.apply(ct(1)).PatientID

    folders.add("1", ct(1))
    folders.add("2", ct(2, PatientID="ZQX999"), merge)
    _, _, lines = verified(run_veil, folders)
    assert found(lines, "inconsistent") >= {("", "patient shares its pseudonym with another")}


# ---- size ----


def test_memory_does_not_grow_with_files_or_pixels(folders: Folders) -> None:
    large = ct(1, Rows=1024, Columns=4096)
    large.PixelData = bytes(range(256)) * (8 << 12)
    folders.add("large", large)
    del large
    template = folders.add("small", ct(2, SeriesInstanceUID="1.2.3.44.2")).read_bytes()
    original = (folders.original / "small.dcm").read_bytes()
    for number in range(100, 140):
        for folder, data in ((folders.original, original), (folders.deid, template)):
            # the pixels differ, so that each is another instance
            (folder / f"{number}.dcm").write_bytes(data[:-2] + number.to_bytes(2, "little"))
    tables = load_tables()
    tracemalloc.start()
    try:
        verification = Verification(tables, folders.original, folders.deid, lambda *_: None)
        pairs = sum(isinstance(line, Compared) and not line.findings for line in verification.compare())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pairs == 42
    assert peak < 7 << 20, f"{peak / (1 << 20):.1f} MiB for 20 MiB of files"
