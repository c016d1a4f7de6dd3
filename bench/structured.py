"""A Comprehensive SR (PS3.3 A.35.3) whose content tree is deep and wide; deterministic by seed."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bench.modules import COMPREHENSIVE_SR, CT, composite
from bench.people import Seeded, code, one, reference

ITEMS = 600
DEPTH = 10


def comprehensive_sr(seed: int, items: int = ITEMS) -> Dataset:
    """A report of exactly ``items`` content items below the root, nested `DEPTH` deep."""
    s = Seeded(seed)
    ds = composite(s, COMPREHENSIVE_SR, "SR")
    ds.ContentDate, ds.ContentTime = ds.StudyDate, s.time()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "VERIFIED"
    ds.VerifyingObserverSequence = one(_observer(s))
    ds.PerformedProcedureCodeSequence = one(code("CTCHEST", "99BENCH", "CT of the chest"))
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = one(code("126000", "DCM", "Imaging Measurement Report"))
    ds.ContentTemplateSequence = one(_template())
    _grow(ds, s, items)
    ds.CurrentRequestedProcedureEvidenceSequence = one(_evidence(ds, s))
    return ds


def _evidence(ds: Dataset, s: Seeded) -> Dataset:
    """PS3.3 C.17.2: every instance that the tree refers to, by study and series."""
    study, series = Dataset(), Dataset()
    seen = [item for item in ds.iterall() if item.keyword == "ReferencedSOPSequence"]
    series.SeriesInstanceUID = s.uid()
    series.ReferencedSOPSequence = [
        reference(str(r.ReferencedSOPClassUID), str(r.ReferencedSOPInstanceUID))
        for element in seen
        for r in element.value
    ]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = ds.StudyInstanceUID, one(series)
    return study


def _grow(root: Dataset, s: Seeded, items: int) -> None:
    """A spine of containers down to `DEPTH`, then the leaves spread over all of them."""
    containers = [root]
    for _ in range(min(DEPTH, items)):
        containers.append(_hang(containers[-1], s, "CONTAINER"))
    spine = len(containers) - 1
    for number in range(items - spine):
        parent = containers[1:][number % spine] if spine else root
        kind = _KINDS[number % len(_KINDS)]
        _hang(parent, s, kind)


def _hang(parent: Dataset, s: Seeded, kind: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = ("HAS OBS CONTEXT" if kind == "PNAME" else "CONTAINS"), kind
    item.ConceptNameCodeSequence = one(code(s.number(6), "99BENCH", f"concept {s.number(3)}"))
    _FILL[kind](item, s)
    if "ContentSequence" not in parent:
        parent.ContentSequence = Sequence([])
    parent.ContentSequence.append(item)
    return item


def _container(item: Dataset, s: Seeded) -> None:
    item.ContinuityOfContent = "SEPARATE"


def _text(item: Dataset, s: Seeded) -> None:
    item.TextValue = f"Seen by {s.name()} on {s.day()}: nodule of {s.number(2)} mm, see {s.number(8)}."


def _number(item: Dataset, s: Seeded) -> None:
    measured = Dataset()
    measured.NumericValue = s.number(3)
    measured.MeasurementUnitsCodeSequence = one(code("mm", "UCUM", "millimeter"))
    item.MeasuredValueSequence = one(measured)


def _coded(item: Dataset, s: Seeded) -> None:
    item.ConceptCodeSequence = one(code(s.number(7), "99BENCH", "finding"))


def _person(item: Dataset, s: Seeded) -> None:
    item.PersonName = s.name()


def _identifier(item: Dataset, s: Seeded) -> None:
    item.UID = s.uid()


def _date(item: Dataset, s: Seeded) -> None:
    item.Date = s.day()


def _image(item: Dataset, s: Seeded) -> None:
    item.ReferencedSOPSequence = one(reference(CT, s.uid()))


_FILL = {
    "CONTAINER": _container,
    "TEXT": _text,
    "NUM": _number,
    "CODE": _coded,
    "PNAME": _person,
    "UIDREF": _identifier,
    "DATE": _date,
    "IMAGE": _image,
}
_KINDS = tuple(kind for kind in _FILL if kind != "CONTAINER")


def _observer(s: Seeded) -> Dataset:
    item = Dataset()
    item.VerifyingOrganization, item.VerifyingObserverName = s.place(), s.name()
    item.VerificationDateTime = s.day() + s.time()
    item.VerifyingObserverIdentificationCodeSequence = one(code(s.number(6), "99STAFF", s.name()))
    return item


def _template() -> Dataset:
    item = Dataset()
    item.MappingResource, item.TemplateIdentifier = "DCMR", "1500"
    return item
