"""Whatever the blocks, the same objects; whatever is not an array of objects is refused without a word of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.wire.json_array import JsonArrayError, JsonArrayReader

OBJECTS: list[dict[str, Any]] = [{"a": ['}"', "ä]"]}, {}, {"b": {"c": [1.5, None, {"d": "\\"}]}}, {"e": "x" * 300}]


def read(data: bytes, block: int, most: int = 1 << 20) -> list[Any]:
    reader = JsonArrayReader(most)
    found = [item for at in range(0, len(data), block) for item in reader.feed(data[at : at + block])]
    return [*found, *reader.close()]


@pytest.mark.parametrize("block", [1, 2, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_blocks_do_not_matter(block: int, indent: int | None) -> None:
    text = json.dumps(OBJECTS, indent=indent, ensure_ascii=False)
    assert read(text.encode(), block) == OBJECTS
    assert read(b"\xef\xbb\xbf \n" + text.encode() + b"\r\n", block) == OBJECTS


def test_an_empty_array_has_nothing() -> None:
    assert read(b" [ ] ", 1) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[", "[{}", "[{},", '[{"a": 1]', "[1]", "[[{}]]", "[{}{}]", "[,{}]", "[{},]", "[{}] x", "[{}],[{}]",
        '["secret"]', "<html>secret</html>", "[" + '{"a":' * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(JsonArrayError) as caught:
        read(text.encode(), 50)
    assert "secret" not in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(JsonArrayError):
        read(b'[{"a": "\xff"}]', 4)


def test_one_object_is_bounded_and_the_array_is_not() -> None:
    assert len(read(json.dumps(OBJECTS * 50).encode(), 100, most=400)) == 200
    with pytest.raises(JsonArrayError):
        read(b'[{"a": "' + b"x" * 5000, 100, most=400)
