"""What a compiled policy says of itself: identity, dates, claims and codes; and what a project may not ask for."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import pytest

from proxy.deid.profile import PolicySpec, compile_policy
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile


@pytest.mark.parametrize(
    ("options", "dates", "said", "moves", "claims"),
    [
        ((), {}, "REMOVED", False, True), (("rtn_long_full",), {}, "UNMODIFIED", False, True),
        (("rtn_long_modif",), {}, "MODIFIED", True, True),
        (("rtn_long_full",), {"ages": "keep"}, "UNMODIFIED", False, True),
        (("rtn_long_modif",), {"dates": "shift", "times": "keep", "ages": "remove"}, "MODIFIED", True, True),
        (("rtn_long_modif",), {"dates": "month", "birth_date": "year"}, "MODIFIED", False, False),
        (("rtn_long_modif",), {"dates": "month", "ages": "remove"}, "MODIFIED", False, True),
        ((), {"dates": "remove", "times": "remove", "ages": "remove"}, "REMOVED", False, True),
        (("rtn_long_modif",), {"times": "hour"}, "MODIFIED", False, False),
        (("rtn_long_modif",), {"dates": "month", "attributes": {"(0008,0020)": "keep"}}, "MODIFIED", False, False),
        (("rtn_long_full",), {"birth_date": "keep"}, "UNMODIFIED", False, False),
    ],
)  # fmt: skip
def test_what_it_says_of_dates(
    make: ModuleType, options: tuple[str, ...], dates: dict[str, str], said: str, moves: bool, claims: bool
) -> None:
    """PS3.15 E.3.6; a birth date that stays, whole or in part, is not the profile's."""
    policy = make.worded(*options, **dates)
    assert (policy.longitudinal, policy.claims_profile) == (said, claims)
    assert policy.moves is moves
    assert bool(policy.methods) is claims


def test_the_codes_of_what_was_done(make: ModuleType) -> None:
    """PS3.16 CID 7050. Clean pixels are stated by the instances whose pixels were answered for."""
    assert [code for code, _ in make.worded().methods] == ["113100"]
    assert {code for code, _ in make.worded("rtn_uids", "clean_desc").methods} == {"113100", "113110", "113105"}
    profile = {**load_profile("basic"), "options": ["clean_pixel"], "pixels": {"text": "full"}}
    policy = compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))
    assert [code for code, _ in policy.methods] == ["113100"]


@pytest.mark.parametrize(
    ("rule", "claims", "said"),
    [
        ({"do": "keep", "match": {"tag": "(0008,0080)"}}, False, "REMOVED"),
        ({"do": "remove", "match": {"tag": "(0008,0070)"}}, True, "REMOVED"),
        ({"do": "keep", "match": {"tag": "(0008,0020)"}}, False, "UNMODIFIED"),
    ],
)
def test_a_rule_that_leaves_more_claims_nothing(
    make: ModuleType, rule: dict[str, Any], claims: bool, said: str
) -> None:
    profile = {**load_profile("basic"), "rules": [rule]}
    policy = compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))
    assert policy.claims_profile is claims
    assert (policy.longitudinal == "REMOVED") is (said == "REMOVED")


def test_policies_are_the_same_by_their_words_and_their_key(make: ModuleType) -> None:
    one, same, other = make.worded(), make.worded(), make.worded("rtn_uids")
    assert one is not same
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != dataclasses.replace(one, root_key=bytes(32))
    assert one.__eq__(one.digest) is NotImplemented
    assert (one == one.digest) is False
    assert one.pseudonyms() is same.pseudonyms()
    assert one.pseudonyms() is not dataclasses.replace(one, root_key=bytes(32)).pseudonyms()


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        (0x00090010, "X"), (0x00090001, "X"), (0x00000001, "X"), (0x00020010, "X"), (0x00041500, "X"),
        (0x50000005, "X"), (0x501E0005, "X"), (0x50200005, ""), (0x60003000, "X"), (0x601E0010, "X"), (0x60200010, ""),
        (0x00100010, "Z"), (0x00280010, ""), (0x4FFE0010, ""),
    ],
)  # fmt: skip
def test_codes(make: ModuleType, tag: int, code: str) -> None:
    assert make.policy().code(tag) == code


def test_who_looks_at_private_elements(make: ModuleType) -> None:
    assert not make.worded().reads_private
    assert make.worded("rtn_safe_priv").reads_private
    for match, reads in (({"creator": "ACME"}, True), ({"vr": "LO"}, False)):
        profile = {**load_profile("basic"), "rules": [{"do": "remove", "match": match}]}
        policy = compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))
        assert policy.reads_private is reads
    assert make.worded().safe_private is None


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"blank_patient_id": "forward"}, "projects.p.blank_patient_id"), ({"date_shift_days": -1}, "projects.p"),
        ({"uninspected_pixels": "per-study"}, "projects.p.uninspected_pixels"), ({"root_key": b"short"}, "projects.p"),
        ({"encrypt_to": ("no certificate",)}, "projects.p.encrypt_originals"),
        ({"patient_id_prefix": "much too long a prefix for any Patient ID of sixty-four characters"}, "projects.p"),
    ],
)  # fmt: skip
def test_what_no_project_may_ask_for(make: ModuleType, asked: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_policy(
            make.tables(),
            PolicySpec(**{"project": "p", "profile": load_profile("basic"), "root_key": make.KEY, **asked}),
        )
    assert where in str(refused.value)


@pytest.mark.parametrize("asked", [{"blank_patient_id": "per-study"}, {"uninspected_pixels": "forward"}])
def test_what_a_project_may_ask_for_is_in_the_digest(make: ModuleType, asked: dict[str, Any]) -> None:
    plain, other = (
        compile_policy(make.tables(), PolicySpec("p", load_profile("basic"), make.KEY, **each)) for each in ({}, asked)
    )
    for key, value in asked.items():
        assert getattr(other, key) == value
        assert getattr(plain, key) == "hold"
    assert plain.digest != other.digest


def test_the_digest_depends_on_limits_and_profile_and_not_on_their_order(make: ModuleType) -> None:
    profile = load_profile("basic")
    digests = {
        compile_policy(make.tables(), PolicySpec("p", each, make.KEY)).digest
        for each in (profile, dict(reversed(list(profile.items()))), {**profile, "note": "other"})
    }
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)
