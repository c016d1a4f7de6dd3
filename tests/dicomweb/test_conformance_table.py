"""docs/dicomweb.md has every resource, parameter, media type and status, each with a test (see tests/test_docs.py)."""

from __future__ import annotations

from proxy.dicomweb.resources import RESOURCES
from tests.dicomweb.conformance_table import PAGE, TABLES, WORDS
from tests.tables import filled


def test_the_tables_are_those_of_the_resources() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page, TABLES), "write them with: python -m tests.dicomweb.conformance_table"


def test_nothing_is_left_of_what_is_gone() -> None:
    assert set(WORDS["operations"]) == {row.operation for row in RESOURCES}
