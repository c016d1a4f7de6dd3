"""Writes tests/deid/golden/: for each row of Table E.1-1 what goes in and what has to come out, under each option.

Knows the standard's tables (rules/standard/*.csv) and the dummies that docs/deidentification.md promises, and nothing
else of the product. ``python tests/deid/golden_cases.py`` writes the files anew; a test says where they differ.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STANDARD = Path(__file__).parents[2] / "rules" / "standard"
FOLDER = Path(__file__).parent / "golden"
CT = "1.2.840.10008.5.1.4.1.1.2"
NAME = "Zwickl"
#: VR → a value of that VR that is recognised where it survives; texts name the patient
INPUT = {
    "AE": "SCANNER7", "AS": "042Y", "CS": "FINDING", "DA": "19690720", "DS": "47.11", "DT": "19690720201704",
    "IS": "4711", "LO": f"{NAME} nodule", "OB": "planted.", "PN": f"{NAME}^Q",
    "TM": "201704", "UI": "1.2.3.4711", "UN": "planted.", "UR": "http://planted/", "US": "4711",
}  # fmt: skip
INPUT |= dict.fromkeys(("LT", "SH", "ST", "UC", "UT"), INPUT["LO"])
#: what is left of a text without the patient's name; where K applies nothing else goes in, for nothing would clean it
CLEAN = "nodule"
TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
TEMPORAL = frozenset({"DA", "DT", "TM"})
#: docs/deidentification.md, Dummies
DUMMY = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), "REMOVED"),
    "AS": "000D", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "DS": "0", "IS": "0",
    "UR": "urn:removed", "OB": "\\0\\0", "UN": "\\0\\0",
}  # fmt: skip
ITEMS = "one item: Referenced SOP Instance UID 1.2.3.4711, Rows 4711"
#: what is looked at where items do not stay as they are: a text that goes, a content item without a concept name
MORE = {"dummy items": f", Code Meaning {NAME}", "cleaned items": ", Value Type CONTAINER"}
#: places that are no part of a data set: command, file meta information, directory
_OUTSIDE = "0008"
IN_ITEM = "in an item that no module of a CT image describes (type 3)"
AT_TOP = "at the top of a CT image"
IN_HEAD = "in the file meta information"
IN_PDF = "at the top of an encapsulated PDF"
PRIVATE = "(gggg,eeee) gggg odd"


@dataclass(frozen=True)
class Case:
    """``option``: a column of the table, or basic. ``given`` and ``wanted`` in the words of the files."""

    tag: str
    vr: str
    place: str
    option: str
    given: str
    wanted: str


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    return tuple(csv.DictReader(io.StringIO((STANDARD / f"{name}.csv").read_text(encoding="utf-8"))))


TABLE = rows("ps3.15-e1-1")
OPTIONS = [column for column in TABLE[0] if column.startswith(("rtn_", "clean_"))]


def type_in_ct(tag: str) -> int:
    """PS3.3: the strictest of the modules that have it; an optional one counts, for the attribute itself shows it."""
    modules = {row["module"]: row["usage"] for row in rows("iod-modules") if row["sop_class_uid"] == CT}
    types = {
        (modules[row["module"]], int(row["type"][0]))
        for row in rows("module-attribute-types")
        if row["tag"] == tag and not row["path"] and row["module"] in modules
    }
    mandatory = {kind for usage, kind in types if usage == "M"}
    return min(mandatory or {kind for _, kind in types}, default=3)


def action(code: str, kind: int) -> str:
    """PS3.15 Table E.1-1a: of the letters the first that keeps an attribute of this type valid."""
    if code == "X/Z/U*":
        return "R"
    order = {1: "UDX", 2: "UZDX", 3: "UXZD"}[kind]
    letters = code.split("/") if code != "Z" else ["Z", "D"]
    return next(letter for letter in order if letter in letters)


def wanted(row: dict[str, str], option: str, kind: int) -> str:
    """What has to come out, for VRs other than SQ."""
    cell, vr = row[option] if option in OPTIONS else "", row["vr"]
    if cell == "K" or (cell == "C" and vr in ("AE", "CS")):
        return "kept"
    if cell == "C" and vr in TEMPORAL:
        return "kept" if vr == "TM" else "moved by days"  # whole days: a time is the same
    if cell == "C" and vr in TEXTS and option != "rtn_long_modif":
        return CLEAN
    letter = action(row["basic"], kind)
    if vr == "UI" and letter in "UD":
        return "another UID"
    dummy = "COERCE" if row["keyword"] == "ReasonForTheAttributeModification" else DUMMY.get(vr, "")
    return {"X": "removed", "Z": "empty", "D": dummy}[letter]


def wanted_items(row: dict[str, str], option: str, kind: int) -> str:
    cell = row[option] if option in OPTIONS else ""
    if cell == "C" and option == "clean_struct":
        return "cleaned items"
    letter = "R" if cell else action(row["basic"], kind)
    kept = "UIDs kept" if option == "rtn_uids" else "UIDs replaced"
    return {"X": "removed", "Z": "empty", "D": "dummy items", "R": f"items, {kept}"}[letter]


def cases_of(row: dict[str, str]) -> Iterator[Case]:
    """Eleven for each place: the Basic Profile, and each option alone."""
    if row["tag"] == PRIVATE:
        yield from _private()
        return
    masked, outside = "x" in row["tag"], row["tag"][1:5] < _OUTSIDE
    places = [AT_TOP] if masked else [IN_ITEM] if outside else [IN_ITEM, AT_TOP]
    if row["keyword"] == "EncapsulatedDocument":
        places = [IN_ITEM, IN_PDF]
    tag = row["tag"].replace("xxxx", "3000").replace("xx", "02")
    for place in [*places, IN_HEAD] if row["tag"] == "(0002,0003)" else places:
        kind = type_in_ct(row["tag"]) if place == AT_TOP else 3
        for option in ("basic", *OPTIONS):
            given, out = _case(row, option, kind)
            if masked or (outside and place == IN_ITEM):
                out = "removed"
            if row["keyword"] == "PatientID" or (row["keyword"] == "PatientName" and place == AT_TOP):
                out = "pseudonym"  # a dummy where the table asks for Z; a name without a number beside it has none
            if place == IN_PDF:
                out = "a dummy document"
            yield Case(tag, _vr(row), place, option, given, out)


def _vr(row: dict[str, str]) -> str:
    return row["vr"].split("/")[-1] or "OW"


def _case(row: dict[str, str], option: str, kind: int) -> tuple[str, str]:
    if row["vr"] == "SQ":
        out = wanted_items(row, option, kind)
        return ITEMS + MORE.get(out, ""), out
    given = INPUT.get(row["vr"], INPUT["OB"])
    kept = row.get(option) == "K" and row["vr"] in TEXTS
    return CLEAN if kept else given, wanted(row, option, kind)


def _private() -> Iterator[Case]:
    """Table E.3.10-1: the SUV factor of Philips is safe; what nobody knows is not."""
    for creator in ("Nobody", "Philips PET Private Group"):
        for option in ("basic", *OPTIONS):
            out = "kept" if (creator, option) == ("Philips PET Private Group", "rtn_safe_priv") else "removed"
            yield Case(f"(7053,1000) of {creator}", "DS", AT_TOP, option, "47.11", out)


def name_of(row: dict[str, str]) -> str:
    return "private.txt" if row["tag"] == PRIVATE else f"{row['tag'][1:-1].replace(',', '-')}.txt"


def text_of(row: dict[str, str]) -> str:
    """One file: the row, then under each place ``option | input | output``."""
    cells = [f"{option} {row[option]}" for option in OPTIONS if row[option]]
    heading = " ".join(filter(None, (row["tag"], row["keyword"], row["vr"])))
    lines = [heading, ", ".join([f"basic {row['basic']}", *cells])]
    place = ""
    for case in cases_of(row):
        if (heading := f"{case.place}: {case.tag} {case.vr}") != place:
            lines += ["", heading]
            place = heading
        lines.append(f"{case.option:14} | {case.given} | {case.wanted}")
    return "\n".join(lines) + "\n"


def read(text: str) -> Iterator[Case]:
    """The cases of a file."""
    place = tag = vr = ""
    for line in text.splitlines()[2:]:
        if " | " in line:
            option, given, out = (part.strip() for part in line.split(" | "))
            yield Case(tag, vr, place, option, given, out)
        elif line:
            place, _, rest = line.rpartition(": ")
            tag, _, vr = rest.rpartition(" ")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for row in TABLE:
        (FOLDER / name_of(row)).write_text(text_of(row), encoding="utf-8")


if __name__ == "__main__":
    main()
