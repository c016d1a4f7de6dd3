"""What the policy says of an attribute that no row of the table names, and of private ones that are safe."""

from __future__ import annotations

from types import ModuleType

import pytest
from pydicom.datadict import tag_for_keyword

from proxy.deid.decisions import Decider, Decision, decider_of
from proxy.deid.profile import Policy


def tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


def unlisted(policy: Policy, keyword: str, vr: str) -> Decision:
    found, read = Decider(policy).unlisted(tag(keyword), vr, True)
    assert read == vr
    return found


def test_what_no_row_names_is_as_the_profile_says(make: ModuleType) -> None:
    policy = make.worded(by_vr={"LO": "clean", "IS": "remove", "DA": "shift"})
    for keyword, vr, action in (
        ("Rows", "US", "keep"), ("Manufacturer", "LO", "clean"), ("SeriesNumber", "IS", "X"),
        ("SourceFrameOfReferenceUID", "UI", "U"), ("ExpiryDate", "DA", "X"), ("ExpiryTime", "TM", "X"),
    ):  # fmt: skip
        if tag_for_keyword(keyword) is None or policy.code(tag(keyword)):
            continue
        found = unlisted(policy, keyword, vr)
        assert found.action == action, keyword
        assert found.rule.startswith(f"profile unlisted {vr} "), keyword
        assert found.otherwise is None or found.otherwise.action in ("X", "U")
    named = unlisted(policy, "TextValue", "UT")
    assert (named.action, named.rule) == ("D", "profile attribute dummy")
    walked = unlisted(policy, "AnatomicRegionSequence", "SQ")
    assert (walked.action, walked.otherwise) == ("R", Decision("X", walked.rule))


@pytest.mark.parametrize(
    ("options", "action", "section"),
    [((), "X", ""), (("rtn_long_full",), "keep_date", "E.3.6"), (("rtn_long_modif",), "shift", "")],
)
def test_a_date_that_no_row_names(make: ModuleType, options: tuple[str, ...], action: str, section: str) -> None:
    found = unlisted(make.worded(*options, by_vr={"DA": "shift"}), "ExpiryDate", "DA")
    assert (found.action, found.section) == (action, section)
    worded = unlisted(make.worded("rtn_long_full", by_vr={"DA": "shift"}, ages="keep"), "ExpiryDate", "DA")
    assert (worded.action, worded.rule) == ("date", "profile dates DA")


def test_a_uid_that_no_row_names_stays_where_uids_stay(make: ModuleType) -> None:
    keyword = "PyramidUID" if tag_for_keyword("PyramidUID") else "FrameOfReferenceUID"
    for each in ("ConcatenationUID", keyword):
        if not make.optioned().code(tag(each)):
            found = unlisted(make.optioned("rtn_uids"), each, "UI")
            assert (found.action, found.section) == ("keep_uid", "E.3.9")
            assert unlisted(make.optioned(), each, "UI").action == "U"
    found, _ = Decider(make.optioned("rtn_uids")).unlisted(0x00200242, "UI", True)
    assert (found.action, found.section) == ("keep_uid", "E.3.9")
    assert found.otherwise == Decision("U", "profile unlisted UI remap")


def test_content_items_that_no_row_names(make: ModuleType) -> None:
    """(0040,0612) Specimen Preparation Step Content Item Sequence."""
    cleaned, basic = Decider(make.optioned("clean_struct")), Decider(make.optioned())
    assert cleaned.is_content(0x00400612)
    assert not basic.is_content(0x00400612)
    assert not cleaned.is_content(0x00400610)
    found, _ = cleaned.unlisted(0x00400612, "SQ", True)
    assert (found.action, found.section) == ("content", "E.3.4")
    assert found.otherwise == Decision("R", "profile unlisted SQ walk")
    assert basic.unlisted(0x00400612, "SQ", True)[0].action == "R"
    assert cleaned.unlisted(tag("AnatomicRegionSequence"), "SQ", True)[0].action == "R"


@pytest.mark.parametrize(
    ("options", "word", "vr", "action", "section"),
    [
        ((), "keep", "LO", "keep", "E.3.10"),
        ((), "clean", "LO", "clean", "E.3.10"), ((), "remap", "UI", "U", "E.3.10"),
        (("rtn_uids",), "remap", "UI", "keep_uid", "E.3.9"), ((), "recurse", "SQ", "private_items", "E.3.10"),
        ((), "shift", "DA", "X", "E.3.10"), (("rtn_long_modif",), "shift", "DA", "shift", "E.3.10"),
        (("rtn_long_full",), "shift", "DA", "keep_date", "E.3.6"), ((), "keep", "AS", "X", "E.2"),
        ((), "shift", "AS", "X", "E.2"), (("rtn_pat_chars",), "shift", "AS", "keep", "E.3.10"),
    ],
)  # fmt: skip
def test_a_private_element_that_is_safe(
    make: ModuleType, options: tuple[str, ...], word: str, vr: str, action: str, section: str
) -> None:
    found = Decider(make.optioned("rtn_safe_priv", *options)).private(word, vr)
    assert (found.action, found.section) == (action, section)


def test_a_private_age_under_words_about_dates(make: ModuleType) -> None:
    decider = Decider(make.worded("rtn_safe_priv", "rtn_long_full", ages="cap"))
    assert decider.private("shift", "AS").action == "date"
    assert decider.private("keep", "LO").action == "keep"


def test_decisions_are_made_once_for_a_policy(make: ModuleType) -> None:
    assert decider_of(make.optioned()) is decider_of(make.optioned())
