"""The words of a profile about pixels: what they mean, what refuses to load, and that the digest covers them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.inherit import inherited
from proxy.deid.pixels.pixel_words import PixelPolicy, read_pixels
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile

RULES = {
    name: {"version": 1, "name": name, "rules": [{"name": "x", "match": {"all": []}, "any_size": {"blank": "all"}}]}
    for name in ("one", "two")
}


def read(**words: Any) -> PixelPolicy:
    return read_pixels("pixels", words, RULES)


def test_the_words() -> None:
    assert read(text="full").text == {"high": "full", "medium": "full", "low": "full"}
    assert read(text="screen").text == {"high": "full", "medium": "screen", "low": "screen"}
    assert read(text="off").text == read(text=False).text == {"high": "off", "medium": "off", "low": "off"}
    assert read(text={"medium": "screen"}).text == {**PixelPolicy().text, "medium": "screen"}
    assert read(text={"low": False}).text["low"] == "off"
    assert read(ultrasound=False).ultrasound == "off"
    assert (read(strict=True).strict, read(audit=1).audit, read(faces="forward").faces) == (True, 1.0, "forward")
    assert [file.name for file in read(devices=["two", "one", "two"]).devices] == ["two", "one"]
    assert read() == PixelPolicy()


@pytest.mark.parametrize(
    "words",
    [
        {"texts": "full"}, {"text": "some"}, {"text": True}, {"text": {"high": "screen"}}, {"text": {"none": "full"}},
        {"text": {"low": "fast"}}, {"text": ["full"]}, {"burned_in": "forward"}, {"keep_text": "all"},
        {"keep_text": False}, {"ultrasound": True}, {"faces": "blur"}, {"faces": False}, {"strict": "yes"},
        {"audit": 1.5}, {"audit": -0.1}, {"audit": True}, {"audit": "1%"}, {"devices": "one"}, {"devices": ["three"]},
        {"devices": [1]},
    ],
    ids=str,
)  # fmt: skip
def test_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        read(**words)


def test_they_are_a_mapping() -> None:
    with pytest.raises(ConfigError):
        read_pixels("pixels", ["full"], RULES)


def policy(make: ModuleType, pixels: Any, rules: Any = None, options: tuple[str, ...] = ()) -> Policy:
    document = {**load_profile("basic"), "pixels": pixels, "options": list(options)}
    return compile_policy(make.tables(), PolicySpec("research", document, make.KEY, pixel_rules=rules or RULES))


def test_the_digest_covers_words_and_device_rules(make: ModuleType) -> None:
    one = policy(make, {"devices": ["one"]})
    assert one.digest != policy(make, {}).digest
    changed = {**RULES, "one": {**RULES["one"], "first": True}}
    assert policy(make, {"devices": ["one"]}, changed).digest != one.digest
    assert policy(make, {"devices": ["one"]}).digest == one.digest
    assert one.pixels.devices[0].rules[0].name == "x"


def test_clean_pixel_needs_reading_and_is_not_claimed_for_all(make: ModuleType) -> None:
    for text in ("screen", "off", {"high": "off"}):
        with pytest.raises(ConfigError):
            policy(make, {"text": text}, options=("clean_pixel",))
    found = policy(make, {"text": "full"}, options=("clean_pixel",))
    assert "clean_pixel" in found.options
    assert "113101" not in dict(found.methods)


def test_a_child_changes_words_and_adds_device_rules() -> None:
    parent = {"name": "p", "pixels": {"faces": "hold", "strict": True, "devices": ["one"]}}
    child = {"name": "c", "extends": "p", "pixels": {"faces": "forward", "devices": ["two"]}}
    assert inherited(parent, child, "profile c")["pixels"] == {
        "faces": "forward", "strict": True, "devices": ["two", "one"],
    }  # fmt: skip
    assert inherited(parent, {"name": "c"}, "c")["pixels"] == parent["pixels"]
    with pytest.raises(ConfigError):
        inherited(parent, {"pixels": []}, "c")
    with pytest.raises(ConfigError):
        inherited(parent, {"pixels": {"devices": "two"}}, "c")
