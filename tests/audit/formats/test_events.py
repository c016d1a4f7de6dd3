"""The table of events names only codes that have a meaning, and classes that OCSF has."""

from __future__ import annotations

from proxy.audit.formats.events import KINDS, MEANINGS, OCSF, OTHER


def test_every_code_has_a_meaning() -> None:
    for kind in [*KINDS.values(), OTHER]:
        assert {kind.event, kind.subtype or kind.event, kind.peer or kind.event, kind.ours} <= MEANINGS.keys()
        assert kind.action in "CRUDE"
        assert kind.ocsf[0] in OCSF
