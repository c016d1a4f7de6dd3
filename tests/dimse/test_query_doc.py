"""docs/dimse.md names every key of a C-FIND: what is matched, what is only answered."""

from __future__ import annotations

import re
from pathlib import Path

from proxy.archive.attributes import ATTRIBUTES, COMPUTED, LEVELS, NESTED, REQUEST, matchable
from proxy.dimse.query_identifier import PATIENT_COUNTS, supported
from proxy.dimse.query_models import NAME_OF, UNIQUE

PAGE = (Path(__file__).parents[2] / "docs" / "dimse.md").read_text(encoding="utf-8")


def own(level: str) -> set[str]:
    """Keywords that a level adds to those above it."""
    above = ["patient", *LEVELS][: ["patient", *LEVELS].index(level)]
    return set(supported(level, False)) - {key for name in above for key in supported(name, False)}


def table() -> str:
    lines = ["| level | unique | matched and answered | answered |", "| --- | --- | --- | --- |"]
    for level in ("patient", *LEVELS):
        keys = own(level) - {UNIQUE[level], REQUEST}
        matched = (keys & matchable("study" if level == "patient" else level)) - {"TimezoneOffsetFromUTC"}
        nested = sorted(NESTED) if level == "series" else []
        cells = (sorted(matched) + nested, sorted(keys - matched) + ([REQUEST] if nested else []))
        lines.append(f"| {NAME_OF[level]} | {UNIQUE[level]} | {', '.join(cells[0])} | {', '.join(cells[1])} |")
    return "\n".join(lines)


def test_the_page_has_every_key() -> None:
    _, written, _ = re.split(r"<!-- /?query-keys -->", PAGE)
    assert written.strip() == table()


def test_no_key_is_left_out() -> None:
    everything = {a.keyword for rows in ATTRIBUTES.values() for a in rows} | set(COMPUTED) | set(PATIENT_COUNTS)
    assert everything == set().union(*map(own, ("patient", *LEVELS)))
