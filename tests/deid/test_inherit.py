"""What a profile has from the one that it extends, word by word; what cannot be joined is refused."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.deid.inherit import inherited
from proxy.errors import ConfigError

PARENT: dict[str, Any] = {
    "version": 1,
    "name": "parent",
    "options": ["clean_desc"],
    "rules": ["parent's rule"],
    "names": ["Meier"],
    "private": ["parent's element"],
    "pixels": {"faces": "hold", "text": "full", "devices": ["parent's device"]},
    "unlisted": {"by_vr": {"LO": "keep", "SH": "keep"}, "attributes": {"(0008,0051)": "remove"}, "unknown": "remove"},
}


def test_what_the_child_leaves_out_is_the_parents() -> None:
    assert inherited(PARENT, {"name": "child", "extends": "parent"}, "child") == {**PARENT, "name": "child"}


def test_what_only_the_child_says_is_the_childs() -> None:
    child = {"rules": ["ours"], "unlisted": {"by_vr": {"LO": "clean"}}, "pixels": {"devices": ["ours"]}}
    assert inherited({"name": "parent"}, {**child, "extends": "parent"}, "child") == {"name": "parent", **child}


@pytest.mark.parametrize("key", ["rules", "names", "private"])
def test_lists_grow_in_front(key: str) -> None:
    assert inherited(PARENT, {key: ["ours"]}, "child") == {**PARENT, key: ["ours", *PARENT[key]]}


def test_other_lists_are_replaced() -> None:
    assert inherited(PARENT, {"options": []}, "child") == {**PARENT, "options": []}


def test_unlisted_attributes_are_changed_one_by_one() -> None:
    joined = inherited(PARENT, {"unlisted": {"by_vr": {"LO": "clean"}, "attributes": {"(0010,0024)": "keep"}}}, "child")
    assert joined["unlisted"] == {
        "by_vr": {"LO": "clean", "SH": "keep"},
        "attributes": {"(0008,0051)": "remove", "(0010,0024)": "keep"},
        "unknown": "remove",
    }


def test_a_part_of_the_words_about_unlisted_attributes() -> None:
    joined = inherited(PARENT, {"unlisted": {"unknown": "keep"}}, "child")
    assert joined["unlisted"] == {**PARENT["unlisted"], "unknown": "keep"}


def test_words_about_pixels_are_changed_one_by_one_and_devices_added() -> None:
    joined = inherited(PARENT, {"pixels": {"text": "off", "devices": ["ours"]}}, "child")["pixels"]
    assert joined == {"faces": "hold", "text": "off", "devices": ["ours", "parent's device"]}
    assert inherited(PARENT, {"pixels": {"text": "off"}}, "child")["pixels"]["devices"] == ["parent's device"]
    bare = inherited({"pixels": {"faces": "hold"}}, {"pixels": {"devices": ["ours"]}}, "child")["pixels"]
    assert bare == {"faces": "hold", "devices": ["ours"]}


def test_neither_document_is_changed() -> None:
    child = {"rules": ["ours"], "unlisted": {"by_vr": {"LO": "clean"}}}
    inherited(PARENT, child, "child")
    assert PARENT["rules"] == ["parent's rule"]
    assert child == {"rules": ["ours"], "unlisted": {"by_vr": {"LO": "clean"}}}


@pytest.mark.parametrize(
    ("child", "where", "why"),
    [
        ({"rules": 3}, "child: rules", "list"),
        ({"rules": "ours"}, "child: rules", "list"),
        ({"names": {"Meier": 1}}, "child: names", "list"),
        ({"unlisted": 3}, "child: unlisted", "mapping"),
        ({"unlisted": {"by_vr": ["LO"]}}, "child: unlisted.by_vr", "mapping"),
        ({"unlisted": {"attributes": "all"}}, "child: unlisted.attributes", "mapping"),
        ({"pixels": "off"}, "child: pixels", "mapping"),
        ({"pixels": {"devices": "ours"}}, "child: pixels.devices", "list"),
    ],
)
def test_what_cannot_be_joined(child: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        inherited(PARENT, child, "child")
    assert str(refused.value).startswith(where)
    assert f"it is a {why}" in str(refused.value)
