"""One line, seven bars, our keys and no others: read back by a reader that knows only CEF's rules."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings

from proxy.audit.formats.cef import render
from proxy.audit.formats.entry import Entry
from proxy.service.ports import AuditEvent
from tests.audit.formats.records import EVENTS, entry, hostile

#: every key that Veil writes; no peer may add one
KEYS = {
    "rt", "dvchost", "externalId", "outcome", "reason", "suser", "src", "c6a2", "c6a2Label", "app",
    *(f"cs{n}{label}" for n in range(1, 7) for label in ("", "Label")),
}  # fmt: skip


def read(line: str) -> tuple[list[str], dict[str, str]]:
    """Header fields and extension of a CEF line, after the format's own rules."""
    parts = re.split(r"(?<!\\)((?:\\\\)*)\|", line, maxsplit=7)
    header = [a + b for a, b in zip(parts[0:14:2], parts[1:14:2], strict=True)]
    extension, found = parts[14], {}
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9_.]+)(?<!\\)=", extension))
    for this, following in zip(starts, [*starts[1:], None], strict=True):
        value = extension[this.end() : following.start() if following else len(extension)]
        assert this.group(1) not in found
        found[this.group(1)] = re.sub(r"\\([\\=])", r"\1", value)
    return [re.sub(r"\\([\\|])", r"\1", each) for each in header], found


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_type_can_be_read_back(event: AuditEvent) -> None:
    found = entry(event)
    header, extension = read(render(found))
    assert header[:3] == ["CEF:0", "Veil", "Veil"]
    assert header[4] == event.type
    assert header[6] == ("3" if event.outcome == "success" else "7")
    assert extension["externalId"] == "42"
    assert extension.keys() <= KEYS


@settings(max_examples=200, deadline=None)
@given(hostile())
def test_nobody_adds_a_field_or_a_line(found: Entry) -> None:
    line = render(found)
    assert len(line.splitlines()) == 1
    header, extension = read(line)
    assert len(header) == 7
    assert header[4] == found.type
    assert extension.keys() <= KEYS
    assert extension.get("reason", "") == found.reason
    assert extension.get("suser", "") == found.who
    assert extension["outcome"] == found.outcome
    more = json.loads(extension.get("cs6", "{}"))
    assert all(found.told[key] == value for key, value in more.items())
