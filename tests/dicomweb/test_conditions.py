from __future__ import annotations

import pytest

from proxy.dicomweb.conditions import byte_range, entity_tag, unchanged
from proxy.dicomweb.status import Refused


def test_tags_are_strong_and_tell_lists_apart() -> None:
    tag = entity_tag("a", "bc")
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert tag == entity_tag("a", "bc") != entity_tag("ab", "c")


@pytest.mark.parametrize(
    ("asked", "same"),
    [('"t"', True), ('W/"t"', True), ('"x", "t"', True), ("*", True), ('"x"', False), ("t", False), ("", False)],
)
def test_if_none_match(asked: str, same: bool) -> None:
    assert unchanged({"If-None-Match": asked}, '"t"') is same


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-0", (0, 1)), ("bytes=2-", (2, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)),
     ("bytes=5-99", (5, 10)), ("bytes= 1-2", (1, 3)), ("bytes=0-1,4-5", None), ("lines=1-2", None), ("", None),
     ("bytes=-", None), ("bytes=5-2", None), ("bytes=1" + "0" * 40 + "-", None)],
)  # fmt: skip
def test_ranges(asked: str, expected: tuple[int, int] | None) -> None:
    assert byte_range({"Range": asked}, '"t"', 10) == expected


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_outside_is_416_and_says_the_size(asked: str) -> None:
    with pytest.raises(Refused) as caught:
        byte_range({"Range": asked}, '"t"', 10)
    assert (int(caught.value.status), caught.value.headers["Content-Range"]) == (416, "bytes */10")


def test_if_range_of_another_representation_gets_the_whole() -> None:
    assert byte_range({"Range": "bytes=1-2", "If-Range": '"t"'}, '"t"', 10) == (1, 3)
    assert byte_range({"Range": "bytes=1-2", "If-Range": '"u"'}, '"t"', 10) is None
