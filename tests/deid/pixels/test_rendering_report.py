"""Structured reports as texts."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence

from proxy.deid.pixels.rendering import Rendering
from proxy.deid.pixels.rendering_file import render
from proxy.deid.pixels.rendering_report import HTML, PLAIN, TEXTS, is_report, report
from proxy.errors import InstanceHeld
from tests.deid.pixels.headers import dataset, policy, read


def code(meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", meaning
    return Sequence([item])


def item(kind: str, name: str = "", children: tuple[Dataset, ...] = (), **values: Any) -> Dataset:
    found = Dataset()
    found.ValueType = kind
    if name:
        found.ConceptNameCodeSequence = code(name)
    for keyword, value in values.items():
        setattr(found, keyword, value)
    if children:
        found.ContentSequence = Sequence(children)
    return found


def measured(number: str, unit: str) -> Dataset:
    found = Dataset()
    found.NumericValue, found.MeasurementUnitsCodeSequence = number, code(unit)
    return found


def reference(uid: str) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID, found.ReferencedSOPInstanceUID = "1.2.3", uid
    return found


def written(media: str, *children: Dataset, **values: Any) -> str:
    ds = dataset(ConceptNameCodeSequence=code("Chest report"), PatientName="PX^7", PatientID="K7QX", **values)
    ds.ValueType, ds.ContentSequence = "CONTAINER", Sequence(children)
    return report(read(ds).root, media).decode()


TREE = (
    item(
        "CONTAINER",
        "Findings",
        (
            item("TEXT", "Finding", TextValue="Two\r\nlines"),
            item("NUM", "Diameter", MeasuredValueSequence=Sequence([measured("3.5", "mm")])),
            item("CODE", "Side", ConceptCodeSequence=code("Left")),
        ),
    ),
    item("PNAME", "Observer", PersonName="PX^8"),
    item("DATE", "Day", Date="20200103"),
    item("IMAGE", "Key image", ReferencedSOPSequence=Sequence([reference("2.25.7")])),
)


def test_plain() -> None:
    assert written(PLAIN, *TREE).splitlines() == [
        "Chest report", "PX^7", "K7QX", "",
        "Findings", "  Finding: Two", "    lines", "  Diameter: 3.5 mm", "  Side: Left",
        "Observer: PX 8", "Day: 20200103", "Key image: [image] 2.25.7",
    ]  # fmt: skip


def test_html() -> None:
    found = written(HTML, *TREE)
    assert (
        "<h1>Chest report</h1><p>PX^7<br>K7QX</p><ul><li><b>Findings</b></li><ul><li><b>Finding</b> Two<br>lines"
        in found
    )
    assert found.count("<ul>") == found.count("</ul>") == 2
    assert found.endswith("</ul></body></html>")


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a&b\x07"])
def test_nothing_in_a_report_is_markup(evil: str) -> None:
    found = written(HTML, item("TEXT", evil[:64], TextValue=evil), item("CODE", ConceptCodeSequence=code(evil[:64])))
    for piece in ("<script", "<img", "&b", "\x07"):
        assert piece not in found
    assert evil.replace("\x07", "") in written(PLAIN, item("TEXT", TextValue=evil))


def test_other_letters() -> None:
    ds = item("TEXT", "Befund", TextValue="grün")
    assert "Befund: grün" in written(PLAIN, ds, SpecificCharacterSet="ISO_IR 100")


@pytest.mark.parametrize("media", TEXTS)
@pytest.mark.parametrize("name", ["reportsi.dcm", "test-SR.dcm"])
def test_real_reports(name: str, media: str) -> None:
    ds = pydicom.dcmread(str(get_testdata_file(name, download=False)))
    file = io.BytesIO()
    ds.save_as(file)
    found = render(memoryview(file.getvalue()), policy(), Rendering(text=media))
    assert (found.frames, found.uids[2]) == (0, ds.SOPInstanceUID)
    assert ds.ConceptNameCodeSequence[0].CodeMeaning in found.data.decode()
    with pytest.raises(InstanceHeld):
        render(memoryview(file.getvalue()), policy(), Rendering())


def test_what_is_no_report() -> None:
    assert not is_report(read(dataset()).root)
    assert is_report(read(dataset(ContentSequence=Sequence([item("TEXT")]))).root)
