"""The built-in pseudonym provider: relations between pseudonyms; exact values are in test_pseudonyms_doc.py."""

from __future__ import annotations

import pickle
import re
import unicodedata
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.deid.pseudonym import (
    CROCKFORD,
    HmacPseudonyms,
    canonical,
    check_character,
    crockford,
    key_check_value,
    message,
)

ROOT = bytes(range(32))
PROVIDER = HmacPseudonyms(ROOT)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUE = TEXT.filter(lambda text: canonical(text) != "")
UID = re.compile(r"2\.25\.(0|[1-9][0-9]*)")


@given(VALUE, TEXT)
def test_normal_forms_and_padding_are_one_value(value: str, issuer: str) -> None:
    expected = PROVIDER.patient_id(issuer, value)
    assert PROVIDER.patient_id(issuer, unicodedata.normalize("NFD", value)) == expected
    assert PROVIDER.patient_id(issuer, f"  {value} \0 ") == expected
    assert PROVIDER.patient_id(unicodedata.normalize("NFD", issuer) + " ", value) == expected
    assert PROVIDER.date_offset(issuer, f" {value}\0") == PROVIDER.date_offset(issuer, value)


@given(TEXT)
def test_canonical_is_idempotent(value: str) -> None:
    assert canonical(canonical(value)) == canonical(value)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_messages_are_unambiguous(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    same = one[0] == other[0] and [canonical(x) for x in one[1:]] == [canonical(x) for x in other[1:]]
    assert (message(*one) == message(*other)) is same


@given(TEXT, TEXT, TEXT)
def test_moving_the_border_between_parts_changes_the_message(kind: str, issuer: str, value: str) -> None:
    whole = canonical(issuer) + canonical(value)
    assume(whole == canonical(whole))
    seen = {message(kind, whole[:i], whole[i:]) for i in range(len(whole) + 1)}
    parts = {(canonical(whole[:i]), canonical(whole[i:])) for i in range(len(whole) + 1)}
    assert len(seen) == len(parts)


@given(VALUE)
def test_uids_are_valid_and_of_version_8(value: str) -> None:
    result = PROVIDER.uid(value)
    if canonical(value).startswith("1.2.840.10008"):
        return
    assert UID.fullmatch(result)
    assert len(result) <= 44
    parsed = uuid.UUID(int=int(result.removeprefix("2.25.")))
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122


@given(VALUE, st.integers(1, 36500))
def test_the_offset_is_negative_and_bounded(value: str, days: int) -> None:
    assert -days <= HmacPseudonyms(ROOT, date_shift_days=days).date_offset("", value) <= -1


def test_offsets_use_the_whole_range() -> None:
    provider = HmacPseudonyms(ROOT, date_shift_days=7)
    assert {provider.date_offset("", str(i)) for i in range(200)} == {-7, -6, -5, -4, -3, -2, -1}


@given(VALUE)
def test_shapes(value: str) -> None:
    assert re.fullmatch(f"PRE-[{CROCKFORD}]{{17}}", HmacPseudonyms(ROOT, prefix="PRE-").patient_id("", value))
    assert re.fullmatch(f"[{CROCKFORD}]{{16}}", PROVIDER.accession("", value))
    assert re.fullmatch(f"[{CROCKFORD}]{{16}}", PROVIDER.text("serial", value))


def test_another_key_shares_nothing() -> None:
    other = HmacPseudonyms(bytes(31) + b"\x01")
    assert other.patient_id("", "1") != PROVIDER.patient_id("", "1")
    assert other.uid("1.2.3") != PROVIDER.uid("1.2.3")
    assert other.accession("", "1") != PROVIDER.accession("", "1")
    assert other.text("k", "1") != PROVIDER.text("k", "1")


def test_purposes_kinds_and_issuers_are_apart() -> None:
    results = [
        PROVIDER.patient_id("", "77")[:16],
        PROVIDER.patient_id("A", "77")[:16],
        PROVIDER.accession("", "77"),
        PROVIDER.accession("A", "77"),
        PROVIDER.text("patient", "77"),
        PROVIDER.text("accession", "77"),
    ]
    assert len(set(results)) == len(results)


@pytest.mark.parametrize("empty", ["", " ", "\0", "  \0 \0"])
def test_an_empty_value_has_no_pseudonym(empty: str) -> None:
    for call in (PROVIDER.patient_id, PROVIDER.accession, PROVIDER.date_offset, PROVIDER.text):
        with pytest.raises(ValueError, match="empty"):
            call("x", empty)
    with pytest.raises(ValueError, match="empty"):
        PROVIDER.uid(empty)


def test_what_is_not_text_is_refused_without_being_quoted() -> None:
    with pytest.raises(ValueError, match="not a Unicode text") as caught:
        PROVIDER.patient_id("", "Meyer\udcff")
    assert "Meyer" not in repr(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("uid", ["1.2.840.10008", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2\0"])
def test_standard_uids_stay(uid: str) -> None:
    assert PROVIDER.uid(uid) == uid.rstrip("\0")


@pytest.mark.parametrize("uid", ["1.2.840.100080", "1.2.840.1000", "2.25.1", "11.2.840.10008.1"])
def test_other_uids_do_not(uid: str) -> None:
    assert PROVIDER.uid(uid).startswith("2.25.")
    assert PROVIDER.uid(uid) != uid


@given(st.binary(min_size=10, max_size=10), st.integers(0, 16), st.sampled_from(CROCKFORD))
def test_the_check_character_finds_every_wrong_character(data: bytes, place: int, wrong: str) -> None:
    good = crockford(data)
    good += check_character(good)
    bad = good[:place] + wrong + good[place + 1 :]
    assert (check_character(bad[:16]) == bad[16]) is (bad == good)


def test_the_check_character_finds_nearly_every_transposition() -> None:
    missed = total = 0
    for i in range(2000):
        body = PROVIDER.patient_id("", str(i))
        for place in range(16):
            swapped = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
            if swapped != body:
                total += 1
                missed += check_character(swapped[:16]) == swapped[16]
    assert missed / total < 0.01


def test_no_key_in_repr_and_the_same_after_pickling() -> None:
    copy = pickle.loads(pickle.dumps(PROVIDER))
    assert copy.patient_id("i", "v") == PROVIDER.patient_id("i", "v")
    assert repr(copy) == "HmacPseudonyms(<key>)"
    assert ROOT not in pickle.dumps(PROVIDER)


@pytest.mark.parametrize(("key", "prefix", "days"), [(b"", "", 1), (bytes(31), "", 1), (bytes(33), "", 1)])
def test_bad_keys(key: bytes, prefix: str, days: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        HmacPseudonyms(key, prefix, days)


@pytest.mark.parametrize(("prefix", "days"), [("", 0), ("", -1), ("A\\B", 1), ("x" * 48, 1)])
def test_bad_parameters(prefix: str, days: int) -> None:
    with pytest.raises(ValueError, match="date_shift_days"):
        HmacPseudonyms(ROOT, prefix, days)


def test_key_check_values_tell_keys_apart() -> None:
    assert key_check_value(ROOT) == key_check_value(bytes(range(32)))
    assert key_check_value(ROOT) != key_check_value(bytes(32))
    assert ROOT.hex() not in key_check_value(ROOT)
