"""Which content items the gate refuses (PS3.15 Table E.3.4-1), told by code, scheme and value type of the item."""

from __future__ import annotations

from types import ModuleType

import pytest

from proxy.deid.allowed_content import ContentCheck
from proxy.deid.reading import Path
from proxy.deid.structured import ContentRow, ContentRules

CONTENT, ACQUISITION, PREPARATION, FINDING = 0x0040A730, 0x00400555, 0x00400612, 0x0040A168
NAME, TYPE, SCHEME = 0x0040A043, 0x0040A040, 0x00080102
VALUE, LONG, URN, MEANING = 0x00080100, 0x00080119, 0x00080120, 0x00080104


def check(basic: str = "X", *options: str) -> ContentCheck:
    row = ContentRow("Accession Number", "121022", "DCM", "TEXT", basic, {"rtn_inst_id": "K"})
    return ContentCheck(ContentRules({("121022", "dcm"): (row,)}), set(options))


def refused(
    make: ModuleType, asked: ContentCheck, path: Path, *elements: tuple[int, bytes], kind: bytes = b"TEXT"
) -> bool:
    """Whether an item with that name is refused, and at its last element."""
    assert not asked.refuses(make.leaf(TYPE, "CS", kind, path))
    *before, last = [make.leaf(tag, "SH", value, (*path, NAME, 0)) for tag, value in elements]
    assert not any(asked.refuses(each) for each in before)
    return asked.refuses(last)


GONE = ((VALUE, b"121022"), (SCHEME, b"DCM "))


@pytest.mark.parametrize("sequence", [CONTENT, ACQUISITION, PREPARATION])
@pytest.mark.parametrize("above", [(), (CONTENT, 3)], ids=["top", "nested"])
def test_an_item_that_goes(make: ModuleType, sequence: int, above: Path) -> None:
    assert refused(make, check(), (*above, sequence, 0), *GONE)


@pytest.mark.parametrize("code", [VALUE, LONG, URN])
def test_a_code_in_each_form_before_and_behind_its_scheme(make: ModuleType, code: int) -> None:
    for elements in (((code, b"121022"), (SCHEME, b"DCM")), ((SCHEME, b"dcm"), (code, b"121022 "))):
        assert refused(make, check(), (CONTENT, 0), *elements)


def test_one_of_several_codes_is_enough(make: ModuleType) -> None:
    assert refused(make, check(), (CONTENT, 0), (VALUE, b"1"), (LONG, b"121022"), (SCHEME, b"DCM"))


def test_what_is_not_of_such_an_item(make: ModuleType) -> None:
    assert not refused(make, check(), (CONTENT, 0), (VALUE, b"121023"), (SCHEME, b"DCM"))
    assert not refused(make, check(), (CONTENT, 0), (VALUE, b"121022"), (SCHEME, b"99X"))
    assert not refused(make, check(), (CONTENT, 0), *GONE, kind=b"NUM"), "the row is about texts"
    assert not refused(make, check("Z"), (CONTENT, 0), *GONE), "emptied, not removed"
    assert not refused(make, check("X", "rtn_inst_id"), (CONTENT, 0), *GONE), "an option keeps it"
    assert refused(make, check("X", "rtn_uids"), (CONTENT, 0), *GONE)
    assert not refused(make, check(), (FINDING, 0), *GONE), "no content item"
    assert not refused(make, check(), (CONTENT, 0), (VALUE, b"121022"), (MEANING, b"DCM"))


def test_a_code_is_of_its_own_item(make: ModuleType) -> None:
    """The name of one item, the kind and the scheme of another: nothing that goes."""
    asked = check()
    asked.refuses(make.leaf(TYPE, "CS", b"TEXT", (CONTENT, 0)))
    assert not asked.refuses(make.leaf(SCHEME, "SH", b"DCM", (CONTENT, 0, NAME, 0)))
    assert not asked.refuses(make.leaf(VALUE, "SH", b"121022", (CONTENT, 1, NAME, 0)))
    assert not asked.refuses(make.leaf(VALUE, "SH", b"121022", (NAME, 0)))
    assert not asked.refuses(make.leaf(VALUE, "SH", b"121022", (CONTENT, 0, FINDING, 0)))
    assert asked.refuses(make.leaf(VALUE, "SH", b"121022", (CONTENT, 0, NAME, 0)))


def test_the_name_of_a_content_item_is_told_by_where_it_stands(make: ModuleType) -> None:
    """In its (0040,A043) Concept Name Code Sequence, and the item in a sequence of content items."""
    for path in ((CONTENT, 0, FINDING, 0), (FINDING, 0, NAME, 0), (NAME, 0), (CONTENT, 0, NAME, 0, NAME, 0)):
        asked = check()
        for length in range(2, len(path) + 1, 2):
            asked.refuses(make.leaf(TYPE, "CS", b"TEXT", path[:length]))
        assert not any(asked.refuses(make.leaf(tag, "SH", value, path)) for tag, value in GONE), path
