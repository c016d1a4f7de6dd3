"""Content trees go through the plan: identity leaves, measurements and findings stay, and the tree is still one."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from proxy.deid.dates import shift_da, shift_dt
from proxy.deid.dummies import BY_VR
from proxy.deid.structured import content_rules
from proxy.deid.structured_outline import Outline, Settled
from proxy.deid.structured_plan import VALUES, ContentItem, ContentPlan, content_plan

CSV = Path(__file__).parents[2] / "rules" / "standard" / "ps3.15-e3.4-1-clean-structured-content.csv"
with CSV.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))
RULES = content_rules(ROWS)
ALL = frozenset(tag for attributes in VALUES.values() for tag in attributes)
CANARY = "Q7CANARY"
CANARY_UID = "1.2.826.0.1.3680043.8.498.7777777"


# a small walk, as the engine's: one pass makes the outline, the next one applies the plans


def concepts(item: Dataset) -> tuple[tuple[str, str], ...]:
    named = item.get("ConceptNameCodeSequence") or []
    return tuple((str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))) for code in named)


def plan_of(item: Dataset, options: frozenset[str], root: bool = False) -> ContentPlan:
    described = ContentItem(str(item.get("ValueType", "")), concepts(item), frozenset(map(int, item.keys())), root)
    return content_plan(RULES, described, options)


def survey(outline: Outline, item: Dataset, parent: int, plans: list[ContentPlan], options: frozenset[str]) -> None:
    plan = plan_of(item, options, parent < 0)
    plans.append(plan)
    reference = item.get("ReferencedContentItemIdentifier") or ()
    reference = (reference,) if isinstance(reference, int) else tuple(reference)
    number = outline.add(parent, plan.value_type, str(item.get("RelationshipType", "")), plan.stays, reference)
    for child in item.get("ContentSequence") or []:
        survey(outline, child, number, plans, options)


def remapped(ds: Dataset) -> None:
    for element in list(ds.iterall()):
        if element.VR == "UI" and element.keyword not in ("ReferencedSOPClassUID", "CodingSchemeUID"):
            element.value = "2.25.1"


def apply(ds: Dataset, options: frozenset[str] = frozenset()) -> Dataset:
    outline = Outline()
    plans: list[ContentPlan] = []
    survey(outline, ds, -1, plans, options)
    write(ds, iter(range(len(plans))), plans, outline.settle())
    return ds


def write(item: Dataset, numbers: Iterator[int], plans: list[ContentPlan], settled: Settled) -> bool:
    number = next(numbers)
    kept = [child for child in item.get("ContentSequence") or [] if write(child, numbers, plans, settled)]
    if not settled.stays(number):
        return False
    for tag, word in plans[number].attributes.items():
        if tag == 0x0040A730:
            item.ContentSequence = kept
            if settled.childless(number):
                del item.ContentSequence
        elif word == "remove":
            del item[tag]
        elif word == "relocate":
            item.ReferencedContentItemIdentifier = list(settled.reference(number))
        elif word in ("recurse", "age"):
            for nested in item[tag].value:
                remapped(nested)
                if word == "age":
                    nested.NumericValue = "90"
        elif word != "keep":
            item[tag].value = CHANGES[word](item[tag].value, dictionary_VR(tag))
    return True


CHANGES: dict[str, Callable[[Any, str], Any]] = {
    "dummy": lambda value, vr: BY_VR[vr].decode(),
    "clean": lambda value, vr: "cleaned",
    "pseudonym": lambda value, vr: f"P{sum(map(ord, value))}",
    "remap": lambda value, vr: "2.25.1",
    "shift": lambda value, vr: {"DA": shift_da, "DT": shift_dt, "TM": lambda v, _: v}[vr](str(value), -10),
}


# building trees


def code(value: str, scheme: str, meaning: str = "meaning") -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def item(
    kind: str, name: tuple[str, str] | None, value: Any = None, *children: Dataset, by: str = "CONTAINS"
) -> Dataset:
    ds = Dataset()
    ds.RelationshipType = by
    if kind:
        ds.ValueType = kind
    if name is not None:
        ds.ConceptNameCodeSequence = [code(*name)]
    if value is not None:
        setattr(ds, KEYWORDS[kind], value)
    if children:
        ds.ContentSequence = list(children)
    return ds


KEYWORDS = {
    "TEXT": "TextValue",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "CONTAINER": "ContinuityOfContent",
    **dict.fromkeys(("IMAGE", "COMPOSITE", "WAVEFORM"), "ReferencedSOPSequence"),
    "SCOORD": "GraphicData",
    "": "ReferencedContentItemIdentifier",
}


def measured(value: str) -> list[Dataset]:
    ds = Dataset()
    ds.NumericValue, ds.MeasurementUnitsCodeSequence = value, [code("mm", "UCUM")]
    return [ds]


def referenced(uid: str = CANARY_UID) -> list[Dataset]:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    return [ds]


def position(*ordinals: int) -> Dataset:
    return item("", None, list(ordinals), by="INFERRED FROM")


def report() -> Dataset:
    """TID 1500 in small, with observer and subject context, a region, references by position, and canaries."""
    name = CANARY + "^Jane"
    root = item("CONTAINER", ("126000", "DCM"), "SEPARATE")
    del root.RelationshipType
    observer, context = "HAS OBS CONTEXT", "HAS OBS CONTEXT"
    region = item("SCOORD", ("111030", "DCM"), [1.0, 2.0, 3.0, 4.0], by="INFERRED FROM")
    region.GraphicType = "POLYLINE"
    region.ContentSequence = [item("IMAGE", None, referenced(), by="SELECTED FROM")]
    root.ContentSequence = [
        item("CODE", ("121005", "DCM"), [code("121006", "DCM")], by=observer),
        item("PNAME", ("121008", "DCM"), name, by=observer),
        item("TEXT", ("121009", "DCM"), f"{CANARY} Hospital", by=observer),
        item("UIDREF", ("121012", "DCM"), CANARY_UID, by=observer),
        item("TEXT", ("121013", "DCM"), CANARY, by=observer),
        item("TEXT", ("121016", "DCM"), CANARY, by=observer),
        item("PNAME", ("121029", "DCM"), name, by=context),
        item("TEXT", ("121030", "DCM"), CANARY, by=context),
        item("DATE", ("121031", "DCM"), "19200101", by=context),
        item("CODE", ("121032", "DCM"), [code("F", "DCM")], by=context),
        item("NUM", ("121033", "DCM"), measured("93"), by=context),
        item("DATE", ("111060", "DCM"), "20240115", by=context),
        item("DATETIME", ("4711", "99ACME"), "20240115101500", by=context),
        item("TEXT", ("11951-1", "LN"), "A", by=context),
        item(
            "CONTAINER",
            ("126010", "DCM"),
            "SEPARATE",
            item("TEXT", ("112039", "DCM"), CANARY, by=observer),
            item("UIDREF", ("112040", "DCM"), CANARY_UID, by=observer),
            item("CODE", ("121071", "DCM"), [code("4147007", "SCT", "Mass")], position(1, 15, 4, 1)),
            item("NUM", ("410668003", "SCT"), measured("17.5"), region),
        ),
        item("TEXT", ("121071", "DCM"), f"Mass of {CANARY}", position(1, 5)),
        item("CONTAINER", ("121000", "DCM"), "SEPARATE", item("TEXT", ("74711-3", "LN"), CANARY)),
        item("TABLE", ("4711", "99ACME")),
    ]
    root.ContentSequence[14].ContentSequence[3].TextValue = CANARY  # a name that hides in a measurement
    root.ContentSequence[14].ContentSequence[2].ObservationDateTime = "20240115"
    root.ContentSequence[14].ContentSequence[2].ObservationUID = CANARY_UID
    return root


def items(ds: Dataset) -> Iterator[Dataset]:
    for child in ds.get("ContentSequence") or []:
        yield child
        yield from items(child)


def by_concept(ds: Dataset, value: str) -> list[Dataset]:
    return [each for each in items(ds) if (value in [name for name, _ in concepts(each)])]


def at(ds: Dataset, position: list[int]) -> Dataset:
    for ordinal in position[1:]:
        ds = ds.ContentSequence[ordinal - 1]
    return ds


def test_identity_leaves_and_measurements_stay() -> None:
    ds = apply(report())
    assert CANARY not in str(ds)
    assert CANARY_UID not in str(ds)
    (measurement,) = by_concept(ds, "410668003")
    assert measurement.MeasuredValueSequence[0].NumericValue == 17.5
    assert measurement.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    (region,) = measurement.ContentSequence
    assert region.GraphicData == [1.0, 2.0, 3.0, 4.0]
    assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.1"
    assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    coded, text = by_concept(ds, "121071")
    assert coded.ConceptCodeSequence[0].CodeMeaning == "Mass"
    assert "ObservationDateTime" not in coded
    assert coded.ObservationUID == "2.25.1"
    assert text.TextValue == "REMOVED"


def test_who_observed_and_who_was_observed() -> None:
    ds = apply(report())
    assert by_concept(ds, "121008")[0].PersonName == "REMOVED"
    assert by_concept(ds, "121012")[0].UID == "2.25.1"
    for gone in ("121009", "121013", "121016", "121031", "121032", "121033", "121000", "74711-3"):
        assert by_concept(ds, gone) == []
    assert by_concept(ds, "121029")[0].PersonName == "REMOVED"
    assert by_concept(ds, "121030")[0].TextValue.startswith("P")
    assert by_concept(ds, "11951-1")[0].TextValue.startswith("P")
    assert by_concept(ds, "111060")[0].Date == "19000101"
    assert [each for each in items(ds) if each.get("ValueType") == "TABLE"] == []


def test_options_change_what_they_name() -> None:
    moved = apply(report(), frozenset({"rtn_long_modif"}))
    assert by_concept(moved, "111060")[0].Date == "20240105"
    assert by_concept(moved, "4711")[0].DateTime == "20240105101500"
    assert by_concept(moved, "121071")[0].ObservationDateTime == "20240105"
    assert by_concept(moved, "121031") == []
    full = apply(report(), frozenset({"rtn_long_full"}))
    assert by_concept(full, "111060")[0].Date == "20240115"
    assert by_concept(full, "121071")[0].ObservationDateTime == "20240115"
    device = apply(report(), frozenset({"rtn_dev_id"}))
    assert by_concept(device, "121012")[0].UID == CANARY_UID
    assert by_concept(device, "121016")[0].TextValue == CANARY
    assert by_concept(device, "74711-3")[0].TextValue == CANARY
    assert by_concept(device, "121009") == []
    site = apply(report(), frozenset({"rtn_inst_id"}))
    assert by_concept(site, "121009")[0].TextValue == f"{CANARY} Hospital"
    subject = apply(report(), frozenset({"rtn_pat_chars"}))
    assert by_concept(subject, "121032")[0].ConceptCodeSequence[0].CodeValue == "F"
    assert by_concept(subject, "121033")[0].MeasuredValueSequence[0].NumericValue == 90
    uids = apply(report(), frozenset({"rtn_uids"}))
    assert by_concept(uids, "112040")[0].UID == CANARY_UID
    assert by_concept(uids, "121071")[0].ObservationUID == CANARY_UID
    assert by_concept(apply(report(), frozenset({"clean_desc"})), "121071")[1].TextValue == "cleaned"


def test_references_by_position_still_point_at_the_region() -> None:
    before = report()
    assert at(before, [1, 5]).TextValue == CANARY
    at(before, [1, 15, 3, 1]).TextValue = CANARY
    ds = apply(before)
    (reference,) = [each for each in items(ds) if "ReferencedContentItemIdentifier" in each]
    assert at(ds, list(reference.ReferencedContentItemIdentifier)).ValueType == "SCOORD"
    assert "TextValue" not in reference


def test_a_container_whose_children_vanish_keeps_no_empty_sequence() -> None:
    root = item(
        "CONTAINER", ("126000", "DCM"), "SEPARATE", item("CONTAINER", ("1", "99X"), "SEPARATE", item("TABLE", None))
    )
    ds = apply(root)
    assert "ContentSequence" not in ds.ContentSequence[0]
    assert ds.ContentSequence[0].ValueType == "CONTAINER"


def test_a_root_stays_whatever_its_title() -> None:
    root = item("CONTAINER", ("121000", "DCM"), "SEPARATE", item("TEXT", ("121030", "DCM"), CANARY))
    assert apply(root).ContentSequence[0].TextValue.startswith("P")
    plan = content_plan(RULES, ContentItem("NONSENSE", (), frozenset({0x0040A730}), root=True), frozenset())
    assert plan.stays
    assert plan.attributes == {0x0040A730: "recurse"}


@pytest.mark.parametrize(
    ("kind", "keyword", "value"),
    [
        ("TEXT", "TextValue", "mass"),
        ("TIME", "Time", "1015"),
        ("DATETIME", "DateTime", "20240101"),
        ("UIDREF", "UID", "1.2"),
        ("NUM", "MeasuredValueSequence", []),
        ("COMPOSITE", "ReferencedSOPSequence", []),
        ("PNAME", "PersonName", "A"),
        ("NUM", "NumericValue", "1"),
        ("CODE", "ConceptCodeSequence", []),
    ],
)
def test_an_item_of_an_acquisition_context_without_value_type(kind: str, keyword: str, value: Any) -> None:
    ds = Dataset()
    setattr(ds, keyword, value)
    plan = plan_of(ds, frozenset())
    assert (plan.stays, plan.value_type) == (True, kind)
    ds.Date = "20240101"
    assert not plan_of(ds, frozenset()).stays


def test_a_flat_age_is_capped_in_its_one_form() -> None:
    tags = frozenset({0x0040A30A, 0x0040A161, 0x0040A162, 0x004008EA})
    plan = content_plan(RULES, ContentItem("NUM", (("121033", "DCM"),), tags), frozenset({"rtn_pat_chars"}))
    assert plan.attributes == {0x0040A30A: "age", 0x0040A161: "remove", 0x0040A162: "remove", 0x004008EA: "recurse"}
    other = content_plan(RULES, ContentItem("NUM", (("410668003", "SCT"),), tags), frozenset())
    assert other.attributes == {0x0040A30A: "keep", 0x0040A161: "keep", 0x0040A162: "keep", 0x004008EA: "recurse"}


@pytest.mark.parametrize(
    ("options", "moment", "uid"),
    [((), "dummy", "remap"), (("rtn_long_modif",), "shift", "remap"), (("rtn_long_full", "rtn_uids"), "keep", "keep")],
)
def test_coordinates(options: tuple[str, ...], moment: str, uid: str) -> None:
    chosen = frozenset(options)
    time = content_plan(RULES, ContentItem("TCOORD", (), frozenset({0x0040A13A, 0x0040A132})), chosen)
    assert time.attributes == {0x0040A13A: moment, 0x0040A132: "keep"}
    space = content_plan(RULES, ContentItem("SCOORD3D", (), frozenset({0x00700022, 0x30060024, 0x0070031A})), chosen)
    assert space.attributes == {0x00700022: "keep", 0x30060024: uid, 0x0070031A: uid}


WORDS = {"keep", "remove", "dummy", "pseudonym", "clean", "shift", "remap", "recurse", "age"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['code_value']} {row['value_type']}")
def test_every_row_leads_to_a_word_for_every_attribute(row: dict[str, str]) -> None:
    """No attribute of another value type ever survives, and what the Basic Profile names is never kept as it is."""
    kind, name = row["value_type"], ((row["code_value"], row["scheme"]),)
    for option in (
        "",
        "rtn_uids",
        "rtn_dev_id",
        "rtn_inst_id",
        "rtn_pat_chars",
        "rtn_long_full",
        "rtn_long_modif",
        "clean_desc",
    ):
        plan = content_plan(RULES, ContentItem(kind, name, ALL), frozenset({option}))
        if not plan.stays:
            assert row["basic"] == "X"
            assert not option or not row[option]
            continue
        assert set(plan.attributes) == ALL
        assert set(plan.attributes.values()) <= WORDS
        assert {tag for tag, word in plan.attributes.items() if word != "remove"} <= set(VALUES[kind])
        if kind in ("TEXT", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF"):
            (tag,) = VALUES[kind]
            assert (plan.attributes[tag] == "keep") == (bool(option) and row[option] == "K")


def test_a_real_report_is_still_a_tree() -> None:
    ds = real()
    marked = {tuple(reference): mark for mark, reference in enumerate(positions(ds))}
    for each in items(ds):
        reference = each.get("ReferencedContentItemIdentifier")
        if reference is not None:
            at(ds, list(reference)).ContentItemModifierSequence = []  # a mark that the plan leaves alone
    before = len(list(items(ds)))
    apply(ds)
    assert marked
    assert len(list(items(ds))) == before
    for reference in positions(ds):
        assert "ContentItemModifierSequence" in at(ds, reference)


def positions(ds: Dataset) -> list[list[int]]:
    found = [each.get("ReferencedContentItemIdentifier") for each in items(ds)]
    return [list(reference) for reference in found if reference is not None]


def real() -> Dataset:
    return dcmread(str(get_testdata_file("test-SR.dcm")))


def for_dcmtk() -> Dataset:
    """The report inside a real document; DCMTK wants a name for every item, knows no TABLE, and dislikes canaries."""
    ds, made = real(), report()
    del made.ContentSequence[-1], made.ContentSequence[14].ContentSequence[3].TextValue
    for each in items(made):
        if "ReferencedContentItemIdentifier" not in each and "ConceptNameCodeSequence" not in each:
            each.ConceptNameCodeSequence = [code("1", "99X")]
    ds.ConceptNameCodeSequence, ds.ContentSequence = made.ConceptNameCodeSequence, made.ContentSequence
    return ds


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("options", [(), ("rtn_long_modif", "clean_desc"), ("rtn_uids", "rtn_dev_id", "rtn_pat_chars")])
@pytest.mark.parametrize("source", [for_dcmtk, real], ids=["made", "real"])
def test_another_reader_still_reads_the_report(
    source: Callable[[], Dataset], options: tuple[str, ...], program: Callable[[str], Path], tmp_path: Path
) -> None:
    """DCMTK's dsrdump checks value types, relationships and references of the whole tree."""
    ds, path = source(), tmp_path / "report.dcm"
    ds.save_as(path)
    assert dump(program("dsrdump"), path) == b""
    apply(ds, frozenset(options)).save_as(path)
    assert dump(program("dsrdump"), path) == b""


def dump(dsrdump: Path, path: Path) -> bytes:
    """What it complains about."""
    done = subprocess.run([dsrdump, str(path)], capture_output=True, check=False, timeout=30)
    return done.stderr or (b"" if done.returncode == 0 else b"refused")
