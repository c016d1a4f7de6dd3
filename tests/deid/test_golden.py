"""Golden: each row of Table E.1-1 under Basic and under each option, as tests/deid/golden/ says, one file for a row.

The files are made from the standard's tables by `golden_cases`. Each case is an instance of its own in which one
element is planted; what comes out is read with pydicom, and the gate must release it.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile
from tests.deid.golden_cases import (
    AT_TOP,
    FOLDER,
    IN_HEAD,
    IN_ITEM,
    IN_PDF,
    NAME,
    OPTIONS,
    TABLE,
    Case,
    name_of,
    read,
    text_of,
)

GATE = Gate(bytes(32))
PARENT = 0x00082218  # Anatomic Region Sequence: named by no row
UID, REFERENCE, ROWS, VALUE_TYPE, CODE_MEANING = b"1.2.3.4711", 0x00081155, 0x00280010, 0x0040A040, 0x00080104
#: the rest of the instance: a patient, and what identifies the image; group → elements
BASE = {
    0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.2"), 0x00080018: ("UI", b"1.2.3.4"),
    0x00080060: ("CS", b"CT"), 0x00100010: ("PN", NAME.encode() + b"^Q"), 0x00100020: ("LO", b"4712"),
    0x0020000D: ("UI", b"1.2.3"), 0x0020000E: ("UI", b"1.2.3.1"),
}  # fmt: skip


def test_the_files_are_what_the_standards_tables_say() -> None:
    """``python tests/deid/golden_cases.py`` writes them anew."""
    assert {path.name for path in FOLDER.glob("*")} == {name_of(row) for row in TABLE}
    for row in TABLE:
        assert (FOLDER / name_of(row)).read_text(encoding="utf-8") == text_of(row), name_of(row)


def test_every_row_has_a_case_under_every_option() -> None:
    assert len(TABLE) == 657
    assert len(OPTIONS) == 10
    total = 0
    for case_file in cases():
        assert {case.option for case in case_file} == {"basic", *OPTIONS}
        total += len(case_file)
    assert total >= 657 * 11 * 2 - 200


@lru_cache(maxsize=1)
def cases() -> tuple[tuple[Case, ...], ...]:
    return tuple(tuple(read((FOLDER / name_of(row)).read_text(encoding="utf-8"))) for row in TABLE)


@lru_cache(maxsize=16)
def policy(make: ModuleType, option: str) -> Policy:
    """Dates inside items that no row names move in each, so that nothing but the row decides."""
    profile = load_profile("basic")
    by_vr = {**profile["unlisted"]["by_vr"], **dict.fromkeys(("DA", "DT", "TM"), "shift")}
    options = [] if option == "basic" else [option]
    changed = {**profile, "options": options, "documents": "dummy", "unlisted": {**profile["unlisted"], "by_vr": by_vr}}
    return compile_policy(make.tables(), PolicySpec("research", changed, make.KEY))


# ---- what goes in


def number(tag: str) -> int:
    return int(tag[1:5] + tag[6:10], 16)


def element(make: ModuleType, case: Case) -> bytes:
    if case.vr == "SQ":
        inner = make.raw_element(REFERENCE, "UI", UID) + make.raw_element(ROWS, "US", struct.pack("<H", 4711))
        inner += make.raw_element(VALUE_TYPE, "CS", b"CONTAINER") if "CONTAINER" in case.given else b""
        text = make.raw_element(CODE_MEANING, "LO", NAME.encode()) if NAME in case.given else b""
        return items(make, number(case.tag), text + inner)
    value = struct.pack("<H", int(case.given)) if case.vr == "US" else case.given.encode()
    return bytes(make.raw_element(number(case.tag), case.vr, value))


def items(make: ModuleType, tag: int, inner: bytes) -> bytes:
    return bytes(make.raw_element(tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner))


def planted(make: ModuleType, case: Case) -> bytes:
    found = {tag: make.raw_element(tag, vr, value) for tag, (vr, value) in BASE.items()}
    if " of " in case.tag:
        found[0x70530010] = make.raw_element(0x70530010, "LO", case.tag.partition(" of ")[2].encode())
    if case.place == IN_ITEM:
        found[PARENT] = items(make, PARENT, element(make, case))
    else:
        found[number(case.tag)] = element(make, case)
    kind = BASE[0x00080016][1]
    if case.place == IN_PDF:
        kind = b"1.2.840.10008.5.1.4.1.1.104.1"
        found[0x00080016] = make.raw_element(0x00080016, "UI", kind)
        found[0x00420012] = make.raw_element(0x00420012, "LO", b"application/pdf")
    instance = UID if case.place == IN_HEAD or (case.tag == "(0008,0018)" and case.place == AT_TOP) else b"1.2.3.4"
    if case.place == IN_HEAD:
        del found[number(case.tag)]
        found[0x00080018] = make.raw_element(0x00080018, "UI", UID)
    return head(make, kind, instance) + b"".join(found[tag] for tag in sorted(found))


def head(make: ModuleType, kind: bytes, instance: bytes) -> bytes:
    meta = make.raw_element(0x00020001, "OB", b"\0\1") + make.raw_element(0x00020002, "UI", kind)
    meta += make.raw_element(0x00020003, "UI", instance) + make.raw_element(0x00020010, "UI", b"1.2.840.10008.1.2.1")
    return bytes(bytes(128) + b"DICM" + make.raw_element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta)


# ---- what comes out


def shown(found: Any, case: Case) -> str:
    """In the words of the files."""
    if found is None:
        return "removed"
    if case.vr == "SQ":
        return shown_items(list(found.value), case)
    value = found.value
    raw = value if isinstance(value, bytes) else str(value).encode()
    if value in ("", None, b""):
        return "empty"
    text = raw.decode("latin-1").replace("\0", "\\0")
    return next((word for word, test in WORDS if test(text, case.given)), text)


def shown_items(found: list[Dataset], case: Case) -> str:
    uids = {str(item.get("ReferencedSOPInstanceUID", "")).encode() for item in found}
    if case.wanted == "cleaned items":
        return case.wanted if UID not in uids else "not cleaned"
    if not found:
        return "empty"
    (uid,) = uids
    if case.wanted == "dummy items":  # a UID in them goes by its own row
        same = NAME in str(found[0]) or (uid == UID and case.option != "rtn_uids")
        return "the same items" if same else case.wanted
    if found[0].get("Rows") != 4711 or not uid:
        return "other items"
    return "items, UIDs kept" if uid == UID else "items, UIDs replaced"


def moved(out: str, given: str) -> bool:
    return re.fullmatch(r"19\d{6}", out[:8]) is not None and "19680720" <= out[:8] < "19700721" and out[:8] != given[:8]


WORDS: list[tuple[str, Callable[[str, str], bool]]] = [
    ("kept", lambda out, given: out.removesuffix("\\0") == given),
    ("another UID", lambda out, given: re.fullmatch(r"2\.25\.\d+", out) is not None),
    ("pseudonym", lambda out, given: re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{16}.", out) is not None),
    ("a dummy document", lambda out, given: out.startswith("%PDF-") and given not in out),
    ("moved by days", lambda out, given: len(out) == len(given) > 7 and out[8:] == given[8:] and moved(out, given)),
]


def outcome(make: ModuleType, case: Case) -> str:
    data, under = planted(make, case), policy(make, case.option)
    result, out = make.run(data, under)
    ds = dcmread(io.BytesIO(out))
    where = ds.file_meta if case.place == IN_HEAD else ds[PARENT].value[0] if case.place == IN_ITEM else ds
    GATE.verify(memoryview(data), result, under)
    return shown(where.get(number(case.tag)), case)


@pytest.mark.parametrize("option", ["basic", *OPTIONS])
def test_every_case(make: ModuleType, option: str) -> None:
    wrong = []
    for case in (case for case_file in cases() for case in case_file if case.option == option):
        try:
            came = outcome(make, case)
        except InstanceHeld as held:
            came = f"held: {held}"
        if came != case.wanted:
            wrong.append(f"{case.tag} {case.vr} {case.place}: {case.given} -> {came}, not {case.wanted}")
    assert not wrong, "\n".join(wrong)
