"""CTP scripts: what every construct becomes; the boxes of generated scripts against a reading of CTP's semantics."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.import_ctp import import_ctp
from proxy.deid.pixels.regions import Found, find
from proxy.errors import InstanceHeld, Reason

SCRIPT = """Notes of a site, which are comment.

Carts
 of Acme, two sizes
 { Manufacturer.containsIgnoreCase("acme") *
   [0008,1090].equals("Cart 100") * // the older one
   Rows.equals("768") * [0028,0011].containsIgnoreCase("1024") }
 (0, 0, 1024, 60) (-224,60,224,20)
 { Manufacturer.containsIgnoreCase("acme") * [0008,1090].equals("Cart 100") * Rows.equals("480") }
 (0,0,640,40)
 Reports
 { !( SeriesDescription.startsWith("x") + SeriesDescription.endsWithIgnoreCase("Y") )
   * ImageType.matches(".*SECONDARY.*") + true. * StationName.equals("") }
 (10,10,5,5)
"""


def test_a_script() -> None:
    imported = import_ctp(SCRIPT)
    assert imported.problems == imported.notes == ()
    cart, small, reports = imported.rules
    assert cart == {
        "name": "of-acme-two-sizes",
        "note": "CTP, line 5: of Acme, two sizes",
        "match": {
            "Manufacturer": {"contains": "acme"},
            "ManufacturerModelName": {"equals": "Cart 100", "case": "exact"},
        },
        "sizes": {"1024x768": {"blank": [[0, 0, 1024, 61], [800, 60, 1024, 81]]}},
        "other_sizes": "refuse",
        "covers": False,
    }
    assert small["sizes"] == {"*x480": {"blank": [[0, 0, 641, 41]]}}
    assert small["note"] == "CTP, line 9"
    assert reports["any_size"] == {"blank": [[10, 10, 16, 16]]}
    assert reports["match"]["any"][1] == {"all": [{"all": []}, {"StationName": {"equals": "", "case": "exact"}}]}
    document = imported.document("ours", "imported")
    assert document["first"] is True
    assert len(read_devices("ours", document).rules) == 3


def test_other_sizes_may_be_ignored() -> None:
    assert import_ctp(SCRIPT, "ignore").rules[0]["other_sizes"] == "ignore"


def test_an_overlay_is_named_by_its_tag() -> None:
    (rule,) = import_ctp('{ [6000,0022].contains("Object") } (0,0,5,5)').rules
    assert rule["match"] == {"(6000,0022)": {"contains": "Object", "case": "exact"}}


def test_a_signature_without_regions_stops_the_search() -> None:
    (rule,) = import_ctp('{ Modality.equals("CT") }').rules
    assert rule["any_size"] == {"blank": []}


@pytest.mark.parametrize(
    ("script", "line", "what"),
    [
        ("", 1, "no { signature }"),
        ('\n\n{ Modality.equals("US") } (1,2,3)', 3, "no region of four numbers"),
        ('{ Modality.equals("US") } (1,2,3,x)', 1, "no region of four numbers"),
        ('{ Modality.equals("US") } (1,2,0,5)', 1, "without extent"),
        ('{ Modality.equals("US") } (1,2,5,5', 1, "not closed"),
        ('{ Modality.equals("US") } (-5,2,5,5)', 1, "how many columns"),
        ('{ Modality.equals("US") } (5,-2,5,5)', 1, "how many rows"),
        ('{ Rows.equals("100") } (0,100,5,5)', 1, "beyond the 100 rows"),
        ('{ Modality.sounds("US") } (1,2,3,4)', 1, "no method 'sounds'"),
        ('{ Modalty.equals("US") } (1,2,3,4)', 1, "'Modalty' is no attribute"),
        ('{ [0008,0071].equals("US") } (1,2,3,4)', 1, "no attribute"),
        ('{ [0009[ACME]01].equals("US") } (1,2,3,4)', 1, "not understood"),
        ('{ Modality.equals("US" } (1,2,3,4)', 1, "not understood"),
        ("{ Modality.equals(US) } (1,2,3,4)", 1, "not understood"),
        ('{ Modality.equals("US") & Rows.equals("1") } (1,2,3,4)', 1, "not understood"),
        ('{ Modality.equals("US") * } (1,2,3,4)', 1, "nothing to work on"),
        ('{ (Modality.equals("US") } (1,2,3,4)', 1, "not closed"),
        ('{ Modality.equals("US") Modality.equals("US") } (1,2,3,4)', 1, "goes on"),
        ("{ } (1,2,3,4)", 1, "nothing to work on"),
        ('{ Modality.matches("\\Qx\\E") } (1,2,3,4)', 1, "only Java"),
        ('{ Modality.matches("[a-z&&[^b]]") } (1,2,3,4)', 1, "Java reads otherwise"),
    ],
)
def test_what_cannot_be_translated_is_a_problem(script: str, line: int, what: str) -> None:
    imported = import_ctp(script)
    assert imported.rules == ()
    (problem,) = imported.problems
    assert problem.line == line
    assert what in problem.what


def test_a_problem_leaves_the_other_rules() -> None:
    imported = import_ctp('{ Modality.sounds("US") } (1,2,3,4)\n{ Modality.equals("US") } (1,2,3,4)')
    assert len(imported.problems) == len(imported.rules) == 1


# CTP's own semantics, written down a second time: strings as they are, missing is "", bounds inside, first match wins

METHODS: dict[str, Any] = {
    "equals": lambda value, text: value == text,
    "equalsIgnoreCase": lambda value, text: value.lower() == text.lower(),
    "contains": lambda value, text: text in value,
    "containsIgnoreCase": lambda value, text: text.lower() in value.lower(),
    "startsWith": lambda value, text: value.startswith(text),
    "startsWithIgnoreCase": lambda value, text: value.lower().startswith(text.lower()),
    "endsWith": lambda value, text: value.endswith(text),
    "endsWithIgnoreCase": lambda value, text: value.lower().endswith(text.lower()),
}
TEXTS = ["Acme", "acme", "Cart", "cart 100", "US", "", "REPORT", "DERIVED\\SECONDARY", "SECOND"]
ELEMENTS = ["Manufacturer", "ManufacturerModelName", "[0018,1030]", "SeriesDescription", "SoftwareVersions"]
KEYWORDS = {"[0018,1030]": "ProtocolName"}


def expression(chance: random.Random, depth: int = 0) -> tuple[str, Any]:
    """A script and a function of a header that says what CTP would."""
    kind = chance.random()
    if depth > 3 or kind < 0.4:
        element, method, text = chance.choice(ELEMENTS), chance.choice(list(METHODS)), chance.choice(TEXTS)
        keyword = KEYWORDS.get(element, element)
        return f'{element}.{method}("{text}")', lambda header: METHODS[method](header.get(keyword, ""), text)
    first, is_first = expression(chance, depth + 1)
    if kind < 0.55:
        return f"!({first})", lambda header: not is_first(header)
    second, is_second = expression(chance, depth + 1)
    if kind < 0.8:
        return f"({first}) * ({second})", lambda header: is_first(header) and is_second(header)
    return f"{first} + {second}", lambda header: is_first(header) or is_second(header)


def test_the_same_boxes_as_ctp_or_a_refusal(make: ModuleType) -> None:
    chance = random.Random(20)
    blanked = refused = 0
    for _ in range(60):
        sections = []
        for _ in range(3):
            script, matches = expression(chance)
            rows = chance.choice([0, 40, 50])
            script = f'({script}) * Rows.equals("{rows}")' if rows else script
            x, y, w, h = chance.randrange(40), chance.randrange(30), chance.randrange(1, 20), chance.randrange(1, 20)
            sections.append((script, matches, rows, (x, y, w, h)))
        text = "\n".join(f"{{ {script} }} ({x},{y},{w},{h})" for script, _, _, (x, y, w, h) in sections)
        file = read_devices("ours", import_ctp(text).document("ours", ""))
        for _ in range(6):
            header = {KEYWORDS.get(each, each): chance.choice(TEXTS[:-2]) for each in ELEMENTS if chance.random() < 0.8}
            header["SoftwareVersions"] = chance.choice(TEXTS)
            size = (60, chance.choice([40, 50]))
            wanted = next((box for _, is_it, rows, box in sections if is_it(header) and rows in (0, size[1])), None)
            other = any(is_it(header) for _, is_it, rows, _ in sections if rows not in (0, size[1]))
            found = outcome(lambda: find([file], asked(make, header), *size))  # noqa: B023 - called at once
            if wanted is None and other:
                assert found is Reason.PIXEL_RULE_MISMATCH, "CTP would let it pass because of its size"
                refused += 1
                continue
            assert found == (inclusive(wanted, size) if wanted else set())
            blanked += wanted is not None
    assert blanked > 50
    assert refused > 20


def outcome(search: Callable[[], Found]) -> Reason | set[tuple[int, int]]:
    try:
        return {pixel for area in search().areas for pixel in pixels(area.box)}
    except InstanceHeld as held:
        return held.reason


def asked(make: ModuleType, header: dict[str, str]) -> Attributes:
    ds: Dataset = make.dataset(**{k: v.split("\\") if k == "SoftwareVersions" else v for k, v in header.items()})
    return Attributes.of(read_instance(memoryview(make.encode(ds)), make.policy()).root, True)


def pixels(box: Any) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box.left, box.right) for y in range(box.top, box.bottom)}


def inclusive(region: tuple[int, int, int, int], size: tuple[int, int]) -> set[tuple[int, int]]:
    x, y, w, h = region
    return {(c, r) for c in range(x, x + w + 1) for r in range(y, y + h + 1) if c < size[0] and r < size[1]}
