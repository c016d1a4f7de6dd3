"""Golden: every row of Table E.1-1 under Basic and under each option, expected by the table's columns alone.

`expected` is a small interpreter of the standard's CSV; it shares nothing with the engine. Each case is an instance
with one planted element inside a sequence; the gate must release what the engine makes of it.
"""

from __future__ import annotations

import csv
import io
import struct
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile

TABLE = Path(__file__).parents[2] / "rules" / "standard" / "ps3.15-e1-1.csv"
ROWS = [
    row
    for row in csv.DictReader(io.StringIO(TABLE.read_text(encoding="utf-8")))
    if "x" not in row["tag"] and "odd" not in row["tag"]
]
OPTIONS = [column for column in ROWS[0] if column.startswith(("rtn_", "clean_"))]
PARENT = 0x00082218  # Anatomic Region Sequence: named by no row
NAME = "Zwetschgenmann"
TEXT = f"{NAME} nodule left"
#: VR → a value that is recognised when it survives, and is a value of that VR
PLANTED = {
    "AE": b"SCANNER7", "AS": b"042Y", "CS": b"FINDING", "DA": b"19690720", "DT": b"19690720201704", "TM": b"201704",
    "OB": b"planted.", "PN": NAME.encode() + b"^Q", "UI": b"1.2.3.4711", "UN": b"planted.", "UR": b"http://planted/",
    "DS": b"47.11", "IS": b"4711", "US": struct.pack("<H", 4711), "UL": struct.pack("<L", 4711),
    "FD": struct.pack("<d", 47.11), "FL": struct.pack("<f", 47.11), "SH": b"nodule left",
    **dict.fromkeys(("LO", "LT", "ST", "UC", "UT"), TEXT.encode()),
}  # fmt: skip
#: without a name: K keeps a value as it is, and the gate would find the name in it
PLAIN = {**PLANTED, **dict.fromkeys(("LO", "LT", "ST", "UC", "UT"), b"nodule left")}
TEMPORAL = {"DA", "DT", "TM"}


def number(row: dict[str, str]) -> int:
    return int(row["tag"][1:5] + row["tag"][6:10], 16)


def expected(row: dict[str, str], option: str) -> set[str]:
    """Outcomes that the table allows: X gone, Z empty, D dummy, U new UID, K as it was, R walked into, C cleaned."""
    vr, basic = row["vr"], row["basic"]
    cell = row[option] if option else ""
    if int(row["tag"][1:5], 16) < 8:
        return {"X"}  # no part of a stored data set
    if row["keyword"] == "PatientID":
        return {"D"}
    # the place is in no module of a CT: type 3, so whatever is allowed that leaves least
    plain = {"R"} if basic == "X/Z/U*" else {"X"} if "X" in basic.split("/") else {basic.split("/")[0]}
    plain = {"U"} if (plain, vr) == ({"D"}, "UI") else plain
    if cell == "K":
        return {"R"} if vr == "SQ" else {"K"}
    if cell == "C" and vr in TEMPORAL:
        return {"S"}
    if cell == "C" and vr == "SQ":
        return {"R", "C"}
    if cell == "C" and vr in ("AE", "CS"):
        return {"K"} | plain  # named without identity, or gone
    if cell == "C" and vr not in ("OB", "UN") and option != "rtn_long_modif":
        return {"C"}
    return plain


def planted(make: ModuleType, row: dict[str, str], option: str) -> bytes:
    tag, vr = number(row), row["vr"]
    if vr == "SQ":
        inner = make.raw_element(0x00081155, "UI", PLANTED["UI"]) + make.raw_element(0x00280010, "US", PLANTED["US"])
        inner += make.raw_element(0x0040A040, "CS", b"CONTAINER") if row["clean_struct"] else b""
        return make.raw_element(tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    values = PLAIN if option and row[option] == "K" else PLANTED
    return make.raw_element(tag, vr.replace("OB/OW", "OB"), values[vr])


def instance(make: ModuleType, row: dict[str, str], option: str) -> bytes:
    element = planted(make, row, option)
    base = make.encode(make.dataset(PatientName=f"{NAME}^Q"))
    item = make.raw_element(PARENT, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element)
    at = base.index(b"\x10\x00\x10\x00PN")  # behind group 0008, before group 0010
    return base[:at] + item + base[at:]


@lru_cache(maxsize=32)
def policy(make: ModuleType, option: str) -> Policy:
    profile = load_profile("basic")
    options = [option] if option else []
    by_vr = {**profile["unlisted"]["by_vr"], **dict.fromkeys(TEMPORAL, "shift")}
    changed = {**profile, "options": options, "unlisted": {**profile["unlisted"], "by_vr": by_vr}}
    return compile_policy(make.tables(), PolicySpec("research", changed, make.KEY))


def shown(element: Any, row: dict[str, str], option: str) -> str:
    """What the output shows of the planted element."""
    vr = row["vr"]
    if element is None:
        return "X"
    if vr == "SQ":
        items: list[Dataset] = list(element.value)
        if not items:
            return "Z"
        uid = items[0].get("ReferencedSOPInstanceUID")
        if option == "rtn_uids":
            assert uid in (None, "1.2.3.4711"), "a UID inside did not survive"
        else:
            assert uid != "1.2.3.4711", "a UID inside survived"
        return "R" if (uid and items[0].get("Rows") == 4711 and row["basic"] != "D") or _walked(row, option) else "D"
    raw = element.value
    values = PLAIN if option and row[option] == "K" else PLANTED
    if raw in ("", None, b""):
        return "Z"
    text = raw if isinstance(raw, bytes) else str(raw).encode()
    before = values[vr]
    if vr in ("US", "UL"):
        return "K" if raw == 4711 else "D"
    if text == before:
        return "K"
    if vr in TEMPORAL and vr != "TM" and len(text) == len(before) and b"19680720" <= text[:8] < b"19690720":
        return "S" if text[8:] == before[8:] else "?"
    if vr == "UI":
        return "U"
    if b"nodule" in text:
        return "C" if NAME.encode() not in text else "K"
    return "D"


def _walked(row: dict[str, str], option: str) -> bool:
    return bool(option and row[option])


def equal(outcome: str, wanted: set[str], row: dict[str, str]) -> bool:
    if outcome in wanted:
        return True
    # a time does not move, and a text without a name in it is clean as it is
    return outcome == "K" and ((row["vr"] == "TM" and "S" in wanted) or (row["vr"] == "SH" and "C" in wanted))


@pytest.mark.parametrize("option", ["", *(o for o in OPTIONS if o not in ("rtn_safe_priv",))])
def test_every_row(make: ModuleType, option: str) -> None:
    under, gate, wrong = policy(make, option), Gate(bytes(32)), []
    for row in ROWS:
        if row["keyword"] == "EncapsulatedDocument":
            continue
        data = instance(make, row, option)
        result, out = make.run(data, under)
        item = dcmread(io.BytesIO(out))[PARENT].value[0]
        outcome, wanted = shown(item.get(number(row)), row, option), expected(row, option)
        if not equal(outcome, wanted, row):
            wrong.append((row["tag"], row["keyword"], row["vr"], row["basic"], outcome, wanted))
            continue
        try:
            gate.verify(memoryview(data), result, under)
        except InstanceHeld as held:
            wrong.append((row["tag"], row["keyword"], "gate", str(held.reason), held.detail, outcome))
        assert materialise(result.chunks, data) == out
    assert wrong == []
