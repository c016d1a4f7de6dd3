"""Signatures: every operator on every kind of value, and how comparisons join."""

from __future__ import annotations

from types import ModuleType

import pytest

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.signature import Comparison, Either, Every, Not, Signature, comparisons, holds

MAKER, MODEL, STATION, TYPE, ROWS = (0x00080070,), (0x00081090,), (0x00081010,), (0x00080008,), (0x00280010,)


@pytest.fixture
def asked(make: ModuleType) -> Attributes:
    ds = make.dataset(Manufacturer="Acme Imaging", StationName="", ImageType=["DERIVED", "SECONDARY"], Rows=768)
    instance = read_instance(memoryview(make.encode(ds)), make.policy())
    return Attributes.of(instance.root, True)


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (Comparison(MAKER, "equals", ("acme imaging",)), True),
        (Comparison(MAKER, "equals", ("acme imaging",), exact=True), False),
        (Comparison(MAKER, "equals", ("Acme",)), False),
        (Comparison(MAKER, "equals", ("Other", "ACME IMAGING")), True),
        (Comparison(TYPE, "equals", ("DERIVED",)), False),
        (Comparison(TYPE, "equals", ("DERIVED\\SECONDARY",)), True),
        (Comparison(TYPE, "has", ("secondary",)), True),
        (Comparison(TYPE, "has", ("SECOND",)), False),
        (Comparison(MAKER, "contains", ("E IMA",)), True),
        (Comparison(MAKER, "contains", ("E IMA",), exact=True), False),
        (Comparison(MAKER, "starts", ("acme",)), True),
        (Comparison(MAKER, "starts", ("imaging",)), False),
        (Comparison(MAKER, "ends", ("imaging",)), True),
        (Comparison(MAKER, "matches", ("acme.*",)), True),
        (Comparison(MAKER, "matches", ("acme",)), False),
        (Comparison(MAKER, "search", ("m[aeiou] im",)), True),
        (Comparison(MAKER, "search", ("M[AEIOU] IM",), exact=True), False),
        (Comparison(ROWS, "above", ("700",)), True),
        (Comparison(ROWS, "below", ("700",)), False),
        (Comparison(ROWS, "equals", ("768",)), True),
        (Comparison(MAKER, "above", ("1",)), False),
        (Comparison(MODEL, "equals", ("",)), True),
        (Comparison(MODEL, "contains", ("x",)), False),
        (Comparison(MODEL, "missing"), True),
        (Comparison(MODEL, "empty"), False),
        (Comparison(MODEL, "present"), False),
        (Comparison(STATION, "missing"), False),
        (Comparison(STATION, "empty"), True),
        (Comparison(STATION, "present"), True),
        (Comparison(MAKER, "empty"), False),
    ],
    ids=str,
)
def test_operators(asked: Attributes, comparison: Comparison, expected: bool) -> None:
    assert holds(comparison, asked) is expected
    assert holds(Not(comparison), asked) is not expected


YES, NO = Comparison(MAKER, "present"), Comparison(MODEL, "present")


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (Every((YES, YES)), True),
        (Every((YES, NO)), False),
        (Every(()), True),
        (Either((NO, YES)), True),
        (Either((NO, NO)), False),
        (Either(()), False),
        (Not(Either((NO, Every((YES, Not(NO)))))), False),
    ],
    ids=str,
)
def test_joined(asked: Attributes, signature: Signature, expected: bool) -> None:
    assert holds(signature, asked) is expected


def test_what_speaks_for_a_match() -> None:
    assert list(comparisons(Every((YES, Either((NO, Not(YES))))))) == [YES, NO]
