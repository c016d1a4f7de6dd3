"""Recipes of pydicom/deid: what every construct becomes, what is left out and said, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.import_deid import import_deid

RECIPE = """FORMAT dicom

%filter graylist   # ours

# a comment
LABEL Cart banner # (a contributor)
  contains Manufacturer ACME
  + contains ManufacturerModelName Cart|Trolley
  + equals Rows 768
  + equals Columns 1024
  ctpcoordinates 0,0,1024,60
  coordinates 800,60,1024, 80

LABEL cart, small
  contains Manufacturer ACME
  + contains ManufacturerModelName Cart|Trolley
  + equals Rows 480
  + equals Columns 640
  coordinates 0,0,640,40

LABEL Report
  contains Modality CT
  + contains ImageType SCREEN SAVE || contains SeriesDescription Dose
  + notequals Manufacturer Other
  || missing 0x00081090
  coordinates 0,0,512,121
  keepcoordinates 0,0,512,20

LABEL Only the middle
  equals Modality US|IVUS
  coordinates all
  ctpkeepcoordinates 10,20,100,200

LABEL Known, flags only
  contains Modality CT

%header
REMOVE PatientID
"""


def recipe(*members: str, group: str = "graylist") -> str:
    return "\n".join(["FORMAT dicom", f"%filter {group}", "LABEL one", *members, ""])


def only(*members: str) -> dict[str, Any]:
    imported = import_deid(recipe(*members))
    assert imported.problems == ()
    assert len(read_devices("ours", imported.document("ours", "")).rules) == len(imported.rules)
    (rule,) = imported.rules
    return rule


def test_a_recipe() -> None:
    imported = import_deid(RECIPE)
    assert imported.problems == ()
    assert [(note.line, note.what.split()[-1]) for note in imported.notes] == [(37, "pixels"), (34, "images")]
    cart, report, middle = imported.rules
    assert cart == {
        "name": "cart-banner",
        "note": "deid, line 6: Cart banner",
        "match": {"Manufacturer": {"contains": "ACME"}, "ManufacturerModelName": {"search": "Cart|Trolley"}},
        "sizes": {
            "1024x768": {"blank": [[0, 0, 1024, 60], [800, 60, 1024, 80]]},
            "640x480": {"blank": [[0, 0, 640, 40]]},
        },
        "other_sizes": "refuse",
        "covers": False,
    }, "one signature, two sizes: neither refuses the other"
    screen = {"any": [{"ImageType": {"contains": "SCREEN SAVE"}}, {"SeriesDescription": {"contains": "Dose"}}]}
    both = {"all": [{"all": [{"Modality": {"contains": "CT"}}, screen]}, {"not": {"Manufacturer": "Other"}}]}
    assert report["match"] == {"any": [both, {"ManufacturerModelName": "missing"}]}
    assert report["any_size"] == {"blank": [[0, 20, 512, 121]]}
    assert middle["any_size"] == {"keep": [[10, 20, 110, 220]]}
    assert middle["match"] == {"Modality": ["US", "IVUS"]}
    document = imported.document("ours", "")
    assert "first" not in document
    assert len(read_devices("ours", document).rules) == 3


def test_ultrasound_regions_after_a_blank_image() -> None:
    imported = import_deid(
        recipe("coordinates all", "LABEL two", "present SequenceOfUltrasoundRegions",
               "keepcoordinates from:SequenceOfUltrasoundRegions")
    )  # fmt: skip
    assert imported.problems == ()
    blank, keep = imported.rules
    assert blank["match"] == {"not": {"SequenceOfUltrasoundRegions": "present"}}
    assert blank["any_size"] == {"blank": "all"}
    assert keep["any_size"] == {"keep": "ultrasound"}


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        (["coordinates all"], {"blank": "all"}),
        (["coordinates 1,2,3,4", "coordinates all"], {"blank": "all"}),
        (["coordinates all", "keepcoordinates all", "coordinates 1,2,3,4"], {"blank": [[1, 2, 3, 4]]}),
        (["coordinates 0,0,9,9", "keepcoordinates 3,0,9,9"], {"blank": [[0, 0, 3, 9]]}),
        (["coordinates all", "keepcoordinates 0,0,9,9", "coordinates 0,0,9,4"], {"keep": [[0, 4, 9, 9]]}),
        (
            ["coordinates all", "keepcoordinates from:SequenceOfUltrasoundRegions", "coordinates 1,2,3,4"],
            {"keep": "ultrasound", "blank": [[1, 2, 3, 4]]},
        ),
    ],
    ids=str,
)
def test_coordinates_paint_over_each_other(members: list[str], parts: dict[str, Any]) -> None:
    assert only("contains Modality US", *members)["any_size"] == parts


def test_a_plus_in_a_value_is_part_of_it() -> None:
    assert only("contains ManufacturerModelName Definition AS+", "coordinates 0,0,5,5")["match"] == {
        "ManufacturerModelName": {"search": "Definition AS+"}
    }


def test_boxes_are_cut_to_the_size_that_the_criteria_say() -> None:
    assert only("equals Rows 100", "ctpcoordinates 0,90,5,50")["sizes"] == {"*x100": {"blank": [[0, 90, 5, 100]]}}


@pytest.mark.parametrize(
    ("members", "what"),
    [
        (["contains Modality US", "contains Modality CT", "coordinates 0,0,5,5"], "line 5 begins without + or ||"),
        (["contains Modalty US", "coordinates 0,0,5,5"], "'Modalty' is no attribute"),
        (["sounds Modality US", "coordinates 0,0,5,5"], "no criterion"),
        (["contains Modality", "coordinates 0,0,5,5"], "no criterion"),
        (["missing Modality US", "coordinates 0,0,5,5"], "no criterion"),
        (["contains Modality (US", "coordinates 0,0,5,5"], "no regular expression"),
        (["contains Modality \\S+", "coordinates 0,0,5,5"], "small letters"),
        (["contains Modality US # note", "coordinates 0,0,5,5"], "part of the value"),
        (["contains Modality US", "coordinates 0,0,5"], "no coordinates"),
        (["contains Modality US", "coordinates -1,0,5,5"], "no coordinates"),
        (["contains Modality US", "coordinates 5,0,5,5"], "without extent"),
        (["contains Modality US", "coordinates from:SequenceOfUltrasoundRegions"], "no coordinates"),
        (["contains Modality US", "keepcoordinates from:OtherSequence"], "no coordinates"),
        (["contains Modality US", "keepcoordinates 0,0,5,5"], "nothing before it blanks"),
        (["contains Modality US", "coordinates 0,0,5,5", "keepcoordinates 0,0,9,9"], "nothing before it blanks"),
        (["contains Modality US", "coordinates 0,0,5,5", "keepcoordinates from:SequenceOfUltrasoundRegions"], "whole"),
        (["equals Rows 100", "coordinates 0,100,5,110"], "beyond the size"),
    ],
)
def test_what_cannot_be_translated_is_a_problem(members: list[str], what: str) -> None:
    imported = import_deid(recipe(*members))
    assert imported.rules == ()
    (problem,) = imported.problems
    assert problem.line == 3
    assert what in problem.what


@pytest.mark.parametrize("group", ["whitelist", "blacklist"])
def test_sorting_images_is_no_business_of_device_rules(group: str) -> None:
    imported = import_deid(recipe("contains BurnedInAnnotation NO", group=group))
    assert imported.rules == ()
    assert "only sorts images" in imported.problems[0].what


def test_other_formats_and_stray_lines() -> None:
    imported = import_deid("FORMAT nifti\n%filter graylist\ncontains Modality US\n")
    assert [problem.line for problem in imported.problems] == [1, 3]
    assert import_deid("").problems[0].what == "no label blanks anything"


def test_two_labels_that_keep_of_one_blank_image_are_refused() -> None:
    imported = import_deid(
        recipe("coordinates all", "LABEL two", "contains Modality US", "keepcoordinates 0,0,5,5",
               "LABEL three", "contains Modality CT", "keepcoordinates 0,0,9,9")
    )  # fmt: skip
    assert [problem.line for problem in imported.problems] == [8]
