"""The compiled scanners on mutated data sets, in a process of its own: ``python scanner_fuzz.py COUNT SEED``.

Started with NUMBA_BOUNDSCHECK=1, and every data set lies against a page that may not be touched, at its end or at its
beginning: a read outside the buffer raises or ends the process. Prints figures as JSON; whatever is wrong ends it.
"""

from __future__ import annotations

import ctypes
import io
import json
import mmap
import random
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom.filereader
from pydicom import config, data
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import data_element_generator
from pydicom.sequence import Sequence
from pydicom.values import convert_SQ

from proxy.deid import rows as gate
from proxy.deid.facts import make_facts
from proxy.deid.part10 import Limits, read_part10
from proxy.deid.scanner import (
    DEPTH,
    END,
    ITEM_TAG,
    LENGTH,
    OFFSET,
    PARENT,
    TAG,
    UNDEFINED_LENGTH,
    VALUE,
    VR,
    VR_NAMES,
    Encoding,
    Table,
    scan_table,
    sequence_tags,
)  # fmt: skip
from proxy.errors import MALFORMED_REASONS, InstanceHeld

SEQUENCES, FACTS = sequence_tags(), make_facts({})
PIXEL_DATA = 0x7FE00010
#: small enough that some data sets meet them
LIMITS = Limits(nesting_depth=6, elements=300)
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
#: implicit VR, little endian
_FLAGS = {IMPLICIT: (True, True), EXPLICIT: (False, True), BIG: (False, False)}
_LENGTHS = (0, 1, 2, 7, 8, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFE, 0xFFFFFFFF)
_TAGS = (0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x7FE00010, 0x00081140, 0x00091001, 0xFFFCFFFC, 0x00080000)
_VRS = (b"SQ", b"UN", b"OB", b"OW", b"UT", b"LO", b"US", b"??", b"\0\0")


class Fence:
    """A buffer between two pages without any access."""

    def __init__(self, pages: int) -> None:
        page = mmap.PAGESIZE
        self._map = mmap.mmap(-1, (pages + 2) * page)
        self.first, self.behind = page, (pages + 1) * page
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for at in (0, self.behind):
            if protect(ctypes.c_void_p(start + at), ctypes.c_size_t(page), 0) != 0:
                raise OSError(ctypes.get_errno(), "mprotect")

    def hold(self, content: bytes, *, at_end: bool) -> memoryview:
        """``content`` against the page behind it, or against the one before it."""
        start = self.behind - len(content) if at_end else self.first
        self._map[start : start + len(content)] = content
        return memoryview(self._map)[start : start + len(content)].toreadonly()


def _item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _handmade() -> Dataset:
    ds = _item(PatientID="4711", PatientName="A^B", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Rows=4, Columns=2)
    deep = _item(CodeMeaning="x", CodeValue="1")
    for _ in range(4):
        deep = _item(ReferencedSeriesSequence=Sequence([deep, _item(SeriesInstanceUID="1.2.3")]), Modality="CT")
    ds.RequestAttributesSequence = Sequence([deep, Dataset(), _item(ScheduledProcedureStepID="7")])
    block = ds.private_block(0x0009, "ACME", create=True)
    block.add_new(1, "SQ", Sequence([_item(PatientID="1")]))
    block.add_new(2, "UN", b"abcd")
    block.add_new(3, "UT", "text")
    ds.PixelData = bytes(range(16))
    return ds


def _encodings(ds: Dataset) -> list[tuple[str, bytes]]:
    found = []
    for syntax in _FLAGS:
        for undefined in (False, True):
            for element in ds.iterall():
                if element.VR == "SQ":
                    element.is_undefined_length = undefined
                    for item in element.value:
                        item.is_undefined_length_sequence_item = undefined
            ds["PixelData"].VR = "OW"
            ds.file_meta = FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = syntax
            out = io.BytesIO()
            pydicom.dcmwrite(out, ds, enforce_file_format=False, overwrite=True)
            raw = out.getvalue()
            found.append((syntax, raw[raw.index(b"\x08\0\x16\0" if syntax != BIG else b"\0\x08\0\x16") :]))
    fragments = b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\0\xe0\4\0\0\0abcd" * 3 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    native = next(raw for syntax, raw in found if syntax == EXPLICIT)
    head = native[: native.index(b"\xe0\x7f\x10\0")]
    found.append((EXPLICIT, head + b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + fragments))
    unknown = b"\x09\0\x04\x10UN\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff\x10\0\x20\0\2\0\0\0ab"
    unknown += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    found.append((EXPLICIT, head[: head.index(b"\x10\0\x10\0")] + unknown + head[head.index(b"\x10\0\x10\0") :]))
    return found


def sources() -> list[tuple[str, bytes]]:
    """(transfer syntax, data set without its pixels) of hand-made and of pydicom's small files."""
    found = _encodings(_handmade())
    folder = Path(data.__file__).parent
    for path in sorted(p for f in ("test_files", "charset_files") for p in (folder / f).glob("*.dcm")):
        raw = path.read_bytes()
        try:
            head = read_part10(memoryview(raw))
            implicit, little = _FLAGS.get(head.transfer_syntax_uid, (False, True))
            table = scan_table(
                memoryview(raw), head.dataset_offset, Encoding(implicit, little, SEQUENCES), Limits()
            ).table
        except InstanceHeld:
            continue
        end = next((int(row[OFFSET]) for row in table if row[TAG] == PIXEL_DATA), len(raw))
        if 64 < end - head.dataset_offset < 6000:
            syntax = head.transfer_syntax_uid if head.transfer_syntax_uid in _FLAGS else EXPLICIT
            found.append((syntax, raw[head.dataset_offset : end]))
    return found


def headers(content: bytes, syntax: str) -> list[int]:
    """Where elements and items begin: where a mutation tells most."""
    implicit, little = _FLAGS[syntax]
    table = scan_table(memoryview(content), 0, Encoding(implicit, little, SEQUENCES), Limits()).table
    return [int(at) for at in table[:, OFFSET]]


def mutate(
    rnd: random.Random, content: bytes, starts: list[int], other: bytes, order: Literal["little", "big"]
) -> bytes:
    """One to four changes: of a header's fields, of any byte, of what stands where."""
    out = bytearray(content)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 4))):
        at = min(rnd.choice(starts), len(out) - 1)
        anywhere = rnd.randrange(len(out))
        match rnd.randrange(12):
            case 0:
                out[at + 4 : at + 8] = rnd.choice(_LENGTHS).to_bytes(4, order)
            case 1:
                out[at + 8 : at + 12] = rnd.choice(_LENGTHS).to_bytes(4, order)
            case 2:
                out[at + 4 : at + 6] = rnd.choice(_VRS)
            case 3:
                tag = rnd.choice(_TAGS)
                out[at : at + 4] = (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order)
            case 4:
                field = at + rnd.choice((4, 6, 8))
                near = int.from_bytes(out[field : field + 2], order) + rnd.choice((-9, -8, -2, -1, 1, 2, 8, 9))
                out[field : field + 2] = (near & 0xFFFF).to_bytes(2, order)
            case 5 | 6:
                out[anywhere] = rnd.choice((0, 1, 0x20, 0xFE, 0xFF, rnd.randrange(256)))
            case 7:
                del out[at : at + rnd.choice((1, 2, 4, 8, 12, 30))]
            case 8:
                out[at:at] = rnd.randbytes(rnd.choice((1, 2, 4, 8, 12)))
            case 9:
                begin = rnd.randrange(len(other))
                out[at:at] = other[begin : begin + rnd.choice((8, 20, 100))]
            case 10:
                del out[anywhere:]
            case _:
                a, b = sorted((at, min(rnd.choice(starts), len(out))))
                c = min(b + (b - a), len(out))
                out[a:c] = out[b:c] + out[a:b]
        if not out:
            out += b"\0"
    return bytes(out)


def account(table: Table, start: int, end: int) -> None:
    """Tokens of one level tile their container: every byte from ``start`` to ``end`` belongs to one, at every depth."""
    rows = table.tolist()
    at = 0

    def level(parent: int, begin: int, stop: int) -> None:
        nonlocal at
        position = begin
        while at < len(rows) and rows[at][PARENT] == parent:
            row, here = rows[at], at
            assert row[OFFSET] == position, "a gap or an overlap"
            assert row[OFFSET] + 8 <= row[VALUE] <= row[END] <= stop, "outside its container"
            is_open = row[LENGTH] == UNDEFINED_LENGTH
            if not is_open:
                assert row[VALUE] + row[LENGTH] == row[END], "a length that is not its value's"
            at += 1
            if at < len(rows) and rows[at][PARENT] == here:
                assert rows[at][DEPTH] == row[DEPTH] + (row[TAG] != ITEM_TAG), "the depth"
                level(here, row[VALUE], row[END] - (8 if is_open else 0))
            elif is_open and row[TAG] != PIXEL_DATA:
                assert row[END] - row[VALUE] == 8, "bytes that nothing names"
            position = row[END]
        assert position == stop, "bytes that nothing names"

    level(-1, start, end)
    assert at == len(rows), "a token without a place"


class Disagreement(AssertionError):
    """pydicom and the scanner read two different things."""


def compare(content: memoryview, table: Table, implicit: bool, little: bool) -> None:
    """Every element, at every depth, is what pydicom reads there. What pydicom raises is the caller's to count."""
    raw = bytes(content)
    rows = table.tolist()
    below: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        below.setdefault(row[PARENT], []).append(number)

    def elements(found: object, parent: int) -> None:
        theirs, ours = {int(e.tag): e for e in found}, below.get(parent, [])  # type: ignore[attr-defined]
        if list(theirs) != [rows[number][TAG] for number in ours] and sorted(theirs) != sorted(
            rows[number][TAG] for number in ours
        ):
            raise Disagreement("other elements")
        for number in ours:
            one(theirs[rows[number][TAG]], number)

    def one(element: object, number: int) -> None:
        row = rows[number]
        if isinstance(element, RawDataElement):
            if VR_NAMES[row[VR]] not in ("", "UN") and VR_NAMES[row[VR]] != element.VR:
                raise Disagreement("another VR")
            if number not in below:
                end = row[END] - (8 if row[LENGTH] == UNDEFINED_LENGTH else 0)
                if (element.value or b"") != raw[row[VALUE] : end]:
                    raise Disagreement("another value")
                return
            unknown = VR_NAMES[row[VR]] == "UN"
            items = convert_SQ(
                element.value or b"", element.is_implicit_VR or unknown, element.is_little_endian or unknown
            )
        else:
            items = element.value  # type: ignore[attr-defined]
        inside = below.get(number, [])
        if len(items) != len(inside):
            raise Disagreement("another number of items")
        for item, which in zip(items, inside, strict=True):
            elements([item.get_item(tag) for tag in item.keys()], which)  # noqa: SIM118

    elements(data_element_generator(io.BytesIO(raw), implicit, little), -1)


def searched(table: Table) -> bool:
    """Whether pydicom looks for the first delimiter instead of items: its dictionary knows no sequence there."""
    return any(
        row[LENGTH] == UNDEFINED_LENGTH
        and row[TAG] not in (ITEM_TAG, PIXEL_DATA)
        and VR_NAMES[row[VR]] in ("", "UN")
        and (row[TAG] in DicomDictionary or row[TAG] >> 16 < 8)
        and row[TAG] not in SEQUENCES
        for row in table.tolist()
    )


def gate_reads(held: memoryview, start: int, implicit: bool, little: bool) -> list[list[int]] | None:
    """Tag, first byte, value, end and parent of what the gate's own scanner finds; None where it refuses."""
    try:
        rows = gate.read_rows(held, start, implicit=implicit, little=little, facts=FACTS, limits=LIMITS)
    except InstanceHeld:
        return None
    found: list[list[int]] = rows[:, [gate.TAG, gate.START, gate.VALUE, gate.STOP, gate.PARENT]].tolist()
    return found


def _never_guess() -> None:
    """pydicom looks at the first bytes and may change its mind about the transfer syntax; the scanner never does."""
    pydicom.filereader._is_implicit_vr = lambda fp, implicit, *_, **__: implicit
    config.settings.reading_validation_mode = config.IGNORE
    config.settings.infer_sq_for_un_vr = True
    warnings.simplefilter("ignore")


def run(count: int, seed: int) -> dict[str, int]:
    """Figures over ``count`` mutated data sets."""
    _never_guess()
    rnd, fence, tally = random.Random(seed), Fence(4), Counter[str]()
    bases = [(syntax, content, headers(content, syntax)) for syntax, content in sources()]
    for number in range(count):
        syntax, content, starts = rnd.choice(bases)
        implicit, little = _FLAGS[syntax]
        mutant = mutate(rnd, content, starts, rnd.choice(bases)[1], "little" if little else "big")
        start = rnd.choice((0, 0, 0, rnd.randrange(20)))
        held = fence.hold(bytes(start) + mutant, at_end=bool(number % 4))
        second = gate_reads(held, start, implicit, little)
        try:
            table = scan_table(held, start, Encoding(implicit, little, SEQUENCES), LIMITS).table
        except InstanceHeld as refused:
            assert second is None, "the gate reads what the engine refuses"
            tally["refused" if refused.reason in MALFORMED_REASONS else f"for {refused.reason}"] += 1
            continue
        tally["accepted"] += 1
        assert second == table[:, [TAG, OFFSET, VALUE, END, PARENT]].tolist(), "the gate reads something else"
        account(table, start, len(held))
        moved = np.array(table)
        moved[:, [OFFSET, VALUE, END]] -= start
        try:
            compare(held[start:], moved, implicit, little)
        except Disagreement as other:
            tally["pydicom searched" if searched(table) else f"otherwise: {other}"] += 1
        except Exception:
            tally["pydicom gave up"] += 1
        else:
            tally["same by pydicom"] += 1
    return dict(tally)


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))
