"""The words that a profile may say, each place with all words: those that load and those that do not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from proxy.deid.pixels.pixel_words import PixelPolicy
from proxy.deid.profile_words import Profile, read_profile
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile

WORDS = ("keep", "remove", "clean", "shift", "remap", "dummy", "hash", "empty", "", None, 7)
PLAIN = "AE AS AT CS DS FD FL IS OB OD OF OL OV OW SL SS SV UL UR US UV".split()
BY_VR = {
    **dict.fromkeys(PLAIN, frozenset({"keep", "remove"})),
    **dict.fromkeys("LO LT SH ST UC UT".split(), frozenset({"keep", "remove", "clean"})),
    **dict.fromkeys("DA DT TM".split(), frozenset({"remove", "shift"})),
    "PN": {"remove"}, "UN": {"remove"}, "UI": {"remap", "remove"},
}  # fmt: skip
SAFE = {"creator": "ACME", "tag": "(0011,xx01)", "vr": "LO", "note": "needed"}
DATES = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}
OPTIONS = """rtn_safe_priv rtn_uids rtn_dev_id rtn_inst_id rtn_pat_chars rtn_long_full rtn_long_modif clean_desc
    clean_struct clean_graph""".split()


def document(**more: Any) -> dict[str, Any]:
    return copy.deepcopy({**load_profile("basic"), **more})


def loads(made: dict[str, Any]) -> Profile | None:
    try:
        return read_profile(made)
    except ConfigError:
        return None


@pytest.mark.parametrize("vr", BY_VR)
def test_what_may_be_said_of_a_vr(vr: str) -> None:
    """A name or a UID is never kept, a date moves or goes, and only a text can be cleaned."""
    for word in WORDS:
        made = document()
        made["unlisted"]["by_vr"][vr] = word
        found = loads(made)
        assert (found is not None) is (word in BY_VR[vr]), word
        assert found is None or found.unlisted.by_vr[vr] == word


def test_every_vr_and_no_other_is_named() -> None:
    assert set(document()["unlisted"]["by_vr"]) == set(BY_VR)
    for vr in BY_VR:
        made = document()
        del made["unlisted"]["by_vr"][vr]
        assert loads(made) is None, vr


def test_what_may_be_said_of_one_attribute() -> None:
    for word in WORDS:
        made = document()
        made["unlisted"]["attributes"] = {"(0018,1111)": word}
        found = loads(made)
        assert (found is not None) is (word in ("dummy", "keep", "remove", "clean")), word
        assert found is None or found.unlisted.attributes == {0x00181111: word}


@pytest.mark.parametrize("option", [*OPTIONS, "clean_pixel"])
def test_an_option_alone(option: str) -> None:
    made = document(options=[option])
    if option == "clean_pixel":
        made["pixels"] = {"text": "full"}
    found = loads(made)
    assert found is not None
    assert found.options == (option,)


def test_options_are_different_words_that_do_not_exclude_each_other() -> None:
    wrong: Any
    found = loads(document(options=["rtn_uids", "clean_desc"]))
    assert found is not None
    assert found.options == ("clean_desc", "rtn_uids"), "in no order of their own"
    for wrong in (
        ["rtn_long_full", "rtn_long_modif", "rtn_uids"],
        ["clean_visual_features"],
        ["rtn_uids"] * 2,
        {},
        None,
    ):
        assert loads(document(options=wrong)) is None, wrong


@pytest.mark.parametrize("key", ["version", "name", "table", "options", "unlisted"])
def test_what_every_profile_says(key: str) -> None:
    made = document()
    del made[key]
    assert loads(made) is None
    wrongs: list[Any] = [None, 7, []]
    for wrong in wrongs:
        assert key == "options" or loads(document(**{key: wrong})) is None, wrong


@pytest.mark.parametrize("key", ["private", "unknown", "by_vr", "attributes"])
def test_what_every_profile_says_of_unlisted_attributes(key: str) -> None:
    made = document()
    del made["unlisted"][key]
    assert loads(made) is None
    assert loads(document(unlisted={**document()["unlisted"], "more": 1})) is None
    assert loads(document(unlisted={**document()["unlisted"], key: "keep"})) is None


def test_what_a_profile_need_not_say() -> None:
    bare = {key: document()[key] for key in ("version", "name", "table", "options", "unlisted")}
    found = read_profile(bare)
    assert (found.names, found.rules, found.dates, found.documents) == ((), (), None, "hold")
    assert found.private.elements == {}
    assert found.pixels == PixelPolicy()
    assert loads({**bare, "note": "why"}) is not None
    assert loads({**bare, "notes": "why"}) is None


def test_documents_names_and_private_elements() -> None:
    for word, fine in (("hold", True), ("dummy", True), ("keep", False), (None, False)):
        assert (loads(document(documents=word)) is not None) is fine
    found = loads(document(names=["Meier", "Abel", "Meier"]))
    assert found is not None
    assert found.names == ("Abel", "Meier")
    for wrong in ("Meier", [" "], ["Meier", 7], None):
        assert loads(document(names=wrong)) is None
    assert loads(document(private=[SAFE], options=["rtn_safe_priv"])) is not None
    assert loads(document(private=[SAFE], options=["rtn_uids"])) is None
    assert loads(document(private=[], options=[])) is None, "a list has no meaning without the option"


@pytest.mark.parametrize("do", ["remove", "clean", "keep", "hash", "refuse"])
def test_rules_about_private_elements_need_the_option_to_leave_any(do: str) -> None:
    rule = {"do": do, "match": {"creator": "ACME", "vr": "LO"}}
    assert loads(document(rules=[rule], options=["rtn_safe_priv"])) is not None
    assert (loads(document(rules=[rule], options=[])) is not None) is (do in ("remove", "refuse"))
    assert loads(document(rules=[{**rule, "match": {"vr": "LO"}}], options=[])) is not None


@pytest.mark.parametrize(
    ("dates", "option"),
    [
        ({}, "rtn_long_full"), ({"dates": "month"}, "rtn_long_modif"), ({"dates": "year"}, "rtn_long_modif"),
        ({"dates": "remove", "times": "remove", "ages": "remove"}, ""),
    ],
)  # fmt: skip
def test_words_about_dates_and_options_agree(dates: dict[str, str], option: str) -> None:
    for each in ("", "rtn_long_full", "rtn_long_modif"):
        options = ["rtn_uids", *filter(None, [each])]
        found = loads(document(dates={**DATES, **dates}, options=options))
        assert (found is not None) is (each == option), each
        assert found is None or found.dates is not None


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("full", True), ("off", False), ({"high": "full", "medium": "full", "low": "off"}, True),
        ({"high": "full", "medium": "off", "low": "full"}, False),
        ({"high": "off", "medium": "full", "low": "full"}, False),
    ],
)  # fmt: skip
def test_clean_pixels_are_read_where_the_risk_is_high_or_medium(text: Any, fine: bool) -> None:
    assert (loads(document(options=["clean_pixel"], pixels={"text": text})) is not None) is fine
    assert loads(document(options=[], pixels={"text": text})) is not None


def test_how_an_error_calls_the_profile() -> None:
    with pytest.raises(ConfigError, match="profile here"):
        read_profile(document(name="here", version=2))
    with pytest.raises(ConfigError) as refused:
        read_profile(document(name=7))
    assert "7" not in str(refused.value)
