"""What a profile may not say, one wrong word each; and that its digest does not depend on the order of its words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile

Document = dict[str, Any]
SAFE = {"creator": "ACME", "tag": "(0011,xx01)", "vr": "LO", "note": "needed"}


def _set(*path: str, to: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = to

    return change


WRONG: dict[str, Callable[[Document], None]] = {
    "a name that is none": _set("name", to=7),
    "another version": _set("version", to=2),
    "another table": _set("table", to="ps3.15-e3.4-1"),
    "private elements kept": _set("unlisted", "private", to="keep"),
    "unknown elements kept": _set("unlisted", "unknown", to="keep"),
    "a private list without the option": _set("private", to=[SAFE]),
    "an option that is none": _set("options", to=["rtn_everything"]),
    "an option twice": _set("options", to=["rtn_uids", "rtn_uids"]),
    "an option that no single instance can have": _set("options", to=["clean_visual_features"]),
    "full dates and moved ones": _set("options", to=["rtn_long_full", "rtn_long_modif"]),
    "options in one word": _set("options", to="rtn_uids"),
    "names kept": _set("unlisted", "by_vr", "PN", to="keep"),
    "UIDs kept": _set("unlisted", "by_vr", "UI", to="keep"),
    "UN kept": _set("unlisted", "by_vr", "UN", to="keep"),
    "a VR that is none": _set("unlisted", "by_vr", "XX", to="remove"),
    "an attribute that is no tag": _set("unlisted", "attributes", "PatientName", to="keep"),
    "a word that is none": _set("unlisted", "attributes", "(0018,1111)", to="perhaps"),
    "attributes as a list": _set("unlisted", "attributes", to=[]),
    "an unknown key": _set("more", to=1),
    "names that are none": _set("names", to=["", 7]),
}


def compiled(make: ModuleType, document: Document) -> Any:
    return compile_policy(make.tables(), PolicySpec("research", document, make.KEY))


def test_the_document_that_is_changed_here_loads(make: ModuleType) -> None:
    assert compiled(make, dict(load_profile("basic"))).profile == "basic"


@pytest.mark.parametrize("name", WRONG)
def test_refused(make: ModuleType, name: str) -> None:
    document = copy.deepcopy(dict(load_profile("basic")))
    WRONG[name](document)
    with pytest.raises(ConfigError):
        compiled(make, document)


def test_every_vr_has_to_be_named(make: ModuleType) -> None:
    for vr in load_profile("basic")["unlisted"]["by_vr"]:
        document = copy.deepcopy(dict(load_profile("basic")))
        del document["unlisted"]["by_vr"][vr]
        with pytest.raises(ConfigError):
            compiled(make, document)


@pytest.mark.parametrize(
    "option",
    "rtn_safe_priv rtn_uids rtn_dev_id rtn_inst_id rtn_pat_chars rtn_long_full rtn_long_modif clean_desc clean_struct "
    "clean_graph".split(),
)
def test_every_option_of_the_table_loads_alone(make: ModuleType, option: str) -> None:
    document = {**load_profile("basic"), "options": [option]}
    assert compiled(make, document).options == (option,)


def test_the_order_of_words_is_not_in_the_digest(make: ModuleType) -> None:
    document = dict(load_profile("basic"))
    turned = dict(reversed(list(document.items())))
    turned["unlisted"] = dict(reversed(list(document["unlisted"].items())))
    assert compiled(make, turned).digest == compiled(make, document).digest
    other = {**document, "options": ["rtn_uids"]}
    assert compiled(make, other).digest != compiled(make, document).digest
