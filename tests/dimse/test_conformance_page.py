"""docs/dicom-conformance.md is what its generator makes of the code."""

from __future__ import annotations

from proxy.wire import negotiation
from tests.dimse.conformance_page import PAGE, TABLES
from tests.dimse.conformance_words import REJECTIONS
from tests.tables import filled


def test_the_tables_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page, TABLES), "write them with: python -m tests.dimse.conformance_page"


def test_every_rejection_is_explained_and_none_that_is_gone() -> None:
    made = {
        (each.result, each.source, each.reason)
        for each in vars(negotiation).values()
        if isinstance(each, negotiation.Rejection)
    }
    assert made == set(REJECTIONS)
