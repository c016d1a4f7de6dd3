"""What a file of device rules may say, and one wrong word each that refuses to load."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.regions import Parts
from proxy.deid.pixels.signature import Comparison, Either, Every, Not
from proxy.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "rules" / "pixels" / "example.yaml"
Document = dict[str, Any]


def document(**rule: Any) -> Document:
    whole = {"name": "cart", "match": {"Manufacturer": "Acme"}, "sizes": {"64x48": {"blank": [[0, 0, 64, 8]]}}, **rule}
    return {"version": 1, "name": "ours", "rules": [whole]}


def test_the_shipped_example_loads() -> None:
    file = read_devices("example", yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    cart, report, title = file.rules
    assert cart.covers
    assert report.covers
    assert report.names_annotation
    assert not title.covers
    assert cart.sizes[(800, 600)].blank == (Box(0, 0, 800, 47), Box(620, 47, 800, 69))


def test_everything_that_a_signature_may_say() -> None:
    match = {
        "Manufacturer": "Acme",
        "(0008,1090)": ["A", "B"],
        "(0019,1002)": {"contains": "x"},
        "Rows": 768,
        "SoftwareVersions": {"matches": "1\\..*", "case": "exact"},
        "StationName": "missing",
        "ConceptNameCodeSequence::CodeMeaning": {"starts": ["y"]},
        "not": {"any": [{"Modality": {"ends": "R"}}, {"all": [{"Columns": {"below": "9"}}]}]},
    }
    (rule,) = read_devices("ours", document(match=match)).rules
    assert rule.signature == Every(
        (
            Comparison((0x00080070,), "equals", ("Acme",)),
            Comparison((0x00081090,), "equals", ("A", "B")),
            Comparison((0x00191002,), "contains", ("x",)),
            Comparison((0x00280010,), "equals", ("768",)),
            Comparison((0x00181020,), "matches", ("1\\..*",), exact=True),
            Comparison((0x00081010,), "missing"),
            Comparison((0x0040A043, 0x00080104), "starts", ("y",)),
            Not(
                Either(
                    (Comparison((0x00080060,), "ends", ("R",)), Every((Comparison((0x00280011,), "below", ("9",)),)))
                )
            ),
        )
    )


def test_boxes_by_corners_or_extent() -> None:
    wanted = {"blank": [[1, 2, 3, 4], {"left": 1, "top": 2, "right": 3, "bottom": 4}], "keep": [[0, 0, 64, 48]]}
    wanted["blank"].append({"left": 1, "top": 2, "width": 2, "height": 2})  # type: ignore[arg-type]  # the other form
    (rule,) = read_devices("ours", document(sizes={"64x48": wanted})).rules
    assert rule.sizes == {(64, 48): Parts((Box(1, 2, 3, 4),) * 3, keep=(Box(0, 0, 64, 48),))}


@pytest.mark.parametrize(
    ("rule", "covers"),
    [
        ({}, True),
        ({"covers": False}, False),
        ({"sizes": {"*x48": {"blank": "all"}}}, False),
        ({"any_size": {"blank": []}}, False),
        ({"sizes": {"64x48": {"blank": "all", "frames": [1]}}}, False),
    ],
    ids=str,
)
def test_a_rule_covers_unless_it_cannot(rule: Document, covers: bool) -> None:
    assert read_devices("ours", document(**rule)).rules[0].covers is covers


def _rule(**words: Any) -> Callable[[Document], None]:
    return lambda whole: whole["rules"][0].update(words)


def _blank(*boxes: Any) -> Callable[[Document], None]:
    return _rule(sizes={"64x48": {"blank": list(boxes)}})


WRONG: dict[str, Callable[[Document], None]] = {
    "another version": lambda whole: whole.update(version=2),
    "another name": lambda whole: whole.update(name="theirs"),
    "an unknown key": lambda whole: whole.update(more=1),
    "no rules": lambda whole: whole.update(rules=[]),
    "rules that are no list": lambda whole: whole.update(rules={}),
    "a rule that is no mapping": lambda whole: whole.update(rules=["x"]),
    "a note that is none": lambda whole: whole.update(note=7),
    "first in words": lambda whole: whole.update(first="yes"),
    "a rule twice": lambda whole: whole["rules"].append(copy.deepcopy(whole["rules"][0])),
    "an unknown key of a rule": _rule(blank=[[0, 0, 1, 1]]),
    "a name with a space": _rule(name="a cart"),
    "a rule's note": _rule(note=["x"]),
    "no signature": _rule(match={}),
    "a signature in a list": _rule(match=[{"Manufacturer": "Acme"}]),
    "an attribute that is none": _rule(match={"Manufacturr": "Acme"}),
    "an attribute of the file meta information": _rule(match={"(0002,0010)": "x"}),
    "an unknown tag": _rule(match={"(0008,0071)": "x"}),
    "an operator that is none": _rule(match={"Manufacturer": {"like": "Acme"}}),
    "two operators": _rule(match={"Manufacturer": {"starts": "A", "ends": "e"}}),
    "no operator": _rule(match={"Manufacturer": {"case": "exact"}}),
    "a case that is none": _rule(match={"Manufacturer": {"starts": "A", "case": "upper"}}),
    "a regular expression that is none": _rule(match={"Manufacturer": {"matches": "(A"}}),
    "an attribute without a text": _rule(match={"Manufacturer": None}),
    "a yes that YAML took away": _rule(match={"BurnedInAnnotation": True}),
    "a number that is a float": _rule(match={"SliceThickness": 1.5}),
    "no texts": _rule(match={"Manufacturer": []}),
    "any of a mapping": _rule(match={"any": {"Manufacturer": "x"}}),
    "not of a list": _rule(match={"not": [{"Manufacturer": "x"}]}),
    "no size": lambda whole: whole["rules"][0].pop("sizes"),
    "a size in words": _rule(sizes={"large": {"blank": []}}),
    "a size of anything": _rule(sizes={"*x*": {"blank": []}}),
    "a size beyond 16 bits": _rule(sizes={"70000x48": {"blank": []}}),
    "sizes that are no mapping": _rule(sizes=["64x48"]),
    "other sizes": _rule(other_sizes="forward"),
    "covers in words": _rule(covers="yes"),
    "covers with any size": _rule(any_size={"blank": []}, covers=True),
    "nothing to do": _rule(sizes={"64x48": {}}),
    "an unknown word about boxes": _rule(sizes={"64x48": {"erase": []}}),
    "keep in all": _rule(sizes={"64x48": {"blank": "all", "keep": [[0, 0, 1, 1]]}}),
    "nothing kept": _rule(sizes={"64x48": {"keep": []}}),
    "boxes that are no list": _rule(sizes={"64x48": {"blank": {"left": 0}}}),
    "a box beyond the image": _blank([0, 0, 65, 8]),
    "a box below the image": _blank([0, 41, 64, 49]),
    "width taken for right": _blank([40, 0, 24, 8]),
    "an empty box": _blank([0, 8, 64, 8]),
    "a negative corner": _blank([-1, 0, 64, 8]),
    "three numbers": _blank([0, 0, 64]),
    "a number in a text": _blank(["0", 0, 64, 8]),
    "a flag for a number": _blank([False, 0, 64, 8]),
    "corners half named": _blank({"left": 0, "top": 0, "right": 9}),
    "corners and extent": _blank({"left": 0, "top": 0, "right": 9, "height": 9}),
    "frame zero": _rule(sizes={"64x48": {"blank": "all", "frames": [0]}}),
    "frames backwards": _rule(sizes={"64x48": {"blank": "all", "frames": ["5-2"]}}),
    "frames in words": _rule(sizes={"64x48": {"blank": "all", "frames": ["first"]}}),
    "frames that are no list": _rule(sizes={"64x48": {"blank": "all", "frames": 1}}),
    "frames without end": _rule(sizes={"64x48": {"blank": "all", "frames": ["1-99999999"]}}),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(name: str) -> None:
    whole = document()
    read_devices("ours", whole)
    WRONG[name](whole)
    with pytest.raises(ConfigError):
        read_devices("ours", whole)
