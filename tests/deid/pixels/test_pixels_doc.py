"""docs/pixels.md and rules/README.md say what is so: their examples load, and every word has its place in them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.pixel_words import PixelPolicy, read_pixels
from proxy.deid.pixels.signature import OPERATORS, PATTERNS, STATES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "pixels.md").read_text(encoding="utf-8")
RULES = (ROOT / "rules" / "README.md").read_text(encoding="utf-8").split("## Device rules")[1]


def examples(text: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_the_examples_load() -> None:
    rules = [example for example in (*examples(PAGE), *examples(RULES)) if "rules" in example]
    assert len(rules) == 2
    for document in rules:
        assert read_devices(document["name"], document).rules
    (said,) = [example["pixels"] for example in examples(PAGE) if "pixels" in example]
    assert set(said) == {field.name for field in fields(PixelPolicy)}, "every word is shown"
    known = {name: {**rules[0], "name": name} for name in said["devices"]}
    shown = read_pixels("pixels", said, known)
    default = PixelPolicy(devices=shown.devices)
    assert shown == default, "the example shows what is so without a word"


def test_every_operator_is_described() -> None:
    for word in (*OPERATORS, *PATTERNS, *STATES):
        assert word in RULES
