"""The table of events names only codes that have a meaning, and classes that OCSF has."""

from __future__ import annotations

import re
from pathlib import Path

from proxy.audit.formats.events import KINDS, MEANINGS, OCSF, OTHER, kind_of

DOCS = Path(__file__).parents[3] / "docs" / "audit.md"


def test_every_code_has_a_meaning() -> None:
    for kind in [*KINDS.values(), OTHER]:
        assert {kind.event, kind.subtype or kind.event, kind.peer or kind.event, kind.ours} <= MEANINGS.keys()
        assert kind.action in "CRUDE"
        assert kind.ocsf[0] in OCSF


def test_no_documented_type_falls_through() -> None:
    table = DOCS.read_text().partition("| `type` | when |")[2].partition("\n\n")[0]
    types = {
        word
        for row in table.splitlines()
        if row.startswith("| `")
        for word in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    }
    assert len(types) > 20
    assert not [each for each in types if kind_of(each) is OTHER]
