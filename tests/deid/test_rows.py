"""The gate's scanner against the pure-Python one: the same rows of the same bytes, the same refusals."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom.data
import pytest

from proxy.deid.facts import NAME, Facts, make_facts
from proxy.deid.part10 import Limits, read_part10
from proxy.deid.reading import leaves
from proxy.deid.rows import FORM, ITEM, START, STOP, TAG, VALUE, read_rows
from proxy.deid.tokens import scan
from proxy.deid.view import View, ViewLevel
from proxy.errors import InstanceHeld, Reason
from tests.deid.canary_files import item, items

FACTS = make_facts({})
FOLDER = Path(pydicom.data.__file__).parent
FILES = sorted(p for f in ("test_files", "charset_files") for p in (FOLDER / f).glob("*.dcm"))
FLAGS = {"1.2.840.10008.1.2": (True, True), "1.2.840.10008.1.2.2": (False, False)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_reads_what_the_reference_reads(path: Path) -> None:
    """Rows and leaves: value, place, character set, VR."""
    data = memoryview(path.read_bytes())
    try:
        head = read_part10(data)
        implicit, little = FLAGS.get(head.transfer_syntax_uid, (False, True))
        tokens = scan(data, head.dataset_offset, implicit=implicit, little=little, limits=Limits())
    except InstanceHeld:
        return
    rows = read_rows(data, head.dataset_offset, implicit=implicit, little=little, facts=FACTS, limits=Limits())
    assert [(t.tag, t.offset, t.value_offset, t.end) for t in tokens] == [
        tuple(row) for row in rows[:, [TAG, START, VALUE, STOP]].tolist()
    ]
    view, expected = View(data, rows, FACTS), list(leaves(data, tokens, FACTS.vr_of))
    found = [view.leaf(int(row)) for row in np.flatnonzero(rows[:, FORM] < 0)]
    assert [leaf[:-2] for leaf in found] == [leaf[:-2] for leaf in expected]
    assert [leaf.codec for leaf in found] == [leaf.codec for leaf in expected]


def read(data: bytes, facts: Facts = FACTS, **limits: int) -> View:
    rows = read_rows(memoryview(data), 0, implicit=False, little=True, facts=facts, limits=Limits(**limits))
    return View(memoryview(data), rows, facts)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"elements": 7}, Reason.TOO_MANY_ELEMENTS),
        ({"nesting_depth": 1}, Reason.TOO_DEEP),
        ({"elements": 8, "nesting_depth": 2}, None),
    ],
)
def test_bounds(make: ModuleType, limits: dict[str, int], reason: Reason | None) -> None:
    deep = item(ReferencedSeriesSequence=items(Modality="CT"), Modality="MR")
    ds = item(RequestAttributesSequence=[deep], PatientID="1", Rows=2)
    data = make.encode(ds)
    body = data[read_part10(memoryview(data)).dataset_offset :]
    if reason is None:
        assert len(read(body, **limits).rows) == 8
        return
    with pytest.raises(InstanceHeld) as held:
        read(body, **limits)
    assert held.value.reason is reason


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\0\x10\0PN\2\0A",
        b"\x10\0\x10\0PN\2\0A\0\x10\0\x10\0PN\2\0A\0",
        b"\x10\0\x20\0LO\2\0A\0\x10\0\x10\0PN\2\0A\0\x10\0\x20\0LO\2\0A\0",
        b"\x10\0\x10\0ZZ\2\0A\0",
        b"\xfe\xff\x0d\xe0\0\0\0\0",
        b"\xfe\xff\0\xe0\0\0\0\0",
        b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\4\0\0\0ab",
        b"\xe0\x7f\x10\0UT\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0",
        b"\x10\0\x10\0PN",
        b"\x10\0\x10\0UT\0\0",
    ],
)
def test_what_cannot_be_accounted_for(data: bytes) -> None:
    with pytest.raises(InstanceHeld):
        read(data)


def test_many_rows_and_lookups_by_tag(make: ModuleType) -> None:
    """More rows than there is room for at first, and more than are looked through one by one."""
    many = [item(PatientID="a"), *(item(PatientID=str(n), Modality="CT") for n in range(1500))]
    ds = item(SourceImageSequence=many)
    data = make.encode(ds)
    view = read(data[read_part10(memoryview(data)).dataset_offset :])
    found = [bytes(view.value(row)).strip() for row in view.rows_of(0x00100020)]
    assert found == [b"a", *(str(n).encode() for n in range(1500))]
    assert view.rows_of(0x00100021) == []
    last = view.leaf(view.rows_of(0x00080060)[-1])
    assert last.path == (0x00082112, 1500)
    level = ViewLevel(view).below(0x00082112)[1500]
    assert bytes(level.bytes_of(0x00080060)) == b"CT"
    assert view.behind(0) == len(view.rows)


def test_facts() -> None:
    """A tag that PS3.6 lacks, one that only the table knows, one that the table knows better."""
    facts = make_facts({0x00091234: "LO", 0x00100010: "PN"})
    assert [facts.vr_of(tag) for tag in (0x00091234, 0x00091235, 0x00280010)] == ["LO", "UN", "US"]
    rows = read(b"\x09\0\x34\x12UN\0\0\2\0\0\0ab\x10\0\x10\0LO\2\0A ", facts).rows
    assert [facts.names[row[1]] for row in rows.tolist()] == ["LO", "LO"]
    assert rows[1, 7] >> 8 & 0xFF == NAME
    assert ITEM not in rows[:, TAG]
