"""docs/dates.md says what the code does: its examples are computed, its profile loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from proxy.deid.date_words import AGE_WORDS, DATE_WORDS, TIME_WORDS, read_dates
from proxy.deid.tables import tag_number

TEXT = (Path(__file__).parents[2] / "docs" / "dates.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\([0-9A-F,]+\)) \| (..) \| (\S+) \| (.+) \| (\S+) \|$", TEXT, re.MULTILINE)
WORDS = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}


def test_there_are_examples() -> None:
    assert len(ROWS) == 27


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_the_examples(row: tuple[str, str, str, str, str]) -> None:
    tag, vr, value, said, expected = row
    words = WORDS | dict(word.split(": ") for word in said.split(", "))
    number = tag_number(tag)
    assert number is not None
    policy = read_dates(words, "x")
    beside = "20240301" if policy.companion(number) == 0x00080020 else ""
    result = policy.apply(number, vr, value, -10, minutes=-90, beside=beside)
    assert (result or "removed") == expected


def test_the_profile_loads() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    policy = read_dates(yaml.safe_load(block), "x")
    assert policy.attributes == {0x00080012: "remove"}
    assert (policy.day_of_month, policy.age_cap) == (15, 89)


def test_every_word_is_explained() -> None:
    for word in {*DATE_WORDS, *TIME_WORDS, *AGE_WORDS}:
        assert re.search(rf"^\| {word} \|", TEXT, re.MULTILINE), word
