"""Each format as text of one record, and as the body of one HTTP request with many: ``body(form, lines) -> Body``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from proxy.audit.formats import cef, fhir, ocsf, otlp
from proxy.audit.formats.entry import Entry, entry_of


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted."""

    media_type: str
    data: bytes


def fhir_text(entry: Entry) -> str:
    """A FHIR AuditEvent in JSON."""
    return _json(fhir.render(entry))


def ocsf_text(entry: Entry) -> str:
    """An OCSF event in JSON."""
    return _json(ocsf.render(entry))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _records(lines: Iterable[bytes]) -> Body:
    return Body("application/x-ndjson", b"".join(line + b"\n" for line in lines))


def _texts(media_type: str, render: Callable[[Entry], str]) -> Callable[[Iterable[bytes]], Body]:
    def make(lines: Iterable[bytes]) -> Body:
        return Body(media_type, "".join(f"{render(entry)}\n" for entry in _entries(lines)).encode())

    return make


def _bundle(lines: Iterable[bytes]) -> Body:
    """A batch of updates to ids that are the records' hashes: whoever sends it again changes nothing."""
    entries = ",".join(map(_update, _entries(lines)))
    return Body("application/fhir+json", f'{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}'.encode())


def _update(entry: Entry) -> str:
    found = fhir.render(entry)
    return _json({"resource": found, "request": {"method": "PUT", "url": f"AuditEvent/{found['id']}"}})


def _export(lines: Iterable[bytes]) -> Body:
    return Body("application/json", _json(otlp.request(_entries(lines))).encode())


def _entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    return (entry_of(json.loads(line)) for line in lines)


_BODIES: dict[str, Callable[[Iterable[bytes]], Body]] = {
    "json": _records,
    "cef": _texts("text/plain; charset=utf-8", cef.render),
    "ocsf": _texts("application/x-ndjson", ocsf_text),
    "fhir": _bundle,
    "otlp": _export,
}


def body(form: str, lines: Iterable[bytes]) -> Body:
    """The request body of ``lines`` of the log in ``form``."""
    return _BODIES[form](lines)
