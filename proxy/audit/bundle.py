"""A bundle of selected records to hand out: a tar.gz that anybody checks offline with the public key of the log.

In it, in order: `records-000001.jsonl`, ... (lines of the log as they stand there; beside each, where that was asked
for, `rendered-000001.*`, the same in another format), `checkpoint.note` (one signed checkpoint), `README.txt`,
`manifest.json` (canonical JSON: who asked, for what, how far the log was, size and SHA-256 of every file before it) and
`manifest.sig`: the log's own key over the line `FORMAT` and the manifest. A checkpoint begins with another line, so
neither can be taken for the other. `proxy.audit.bundle_verify` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from proxy.audit.chain import Position, canonical
from proxy.audit.follow import seq_of
from proxy.audit.formats.batches import body
from proxy.audit.notes import Note, Signer
from proxy.audit.selection import Selection

FORMAT = "veil.audit-export/v1"
MANIFEST, SIGNATURE, CHECKPOINT, README = "manifest.json", "manifest.sig", "checkpoint.note", "README.txt"
RECORDS, RENDERED = "records-", "rendered-"
#: formats in which records can be told besides, and how their files end
FORMS = {"cef": "cef", "fhir": "json", "ocsf": "jsonl", "otlp": "json"}
#: of one file with records; as much is in memory at once
_LINES, _BYTES = 5000, 4 << 20
_EXPLAINED = b"""Records of the audit log of Veil, a de-identifying DICOM proxy.
records-*.jsonl: one record a line, as it stands in the log. manifest.json: who asked for what, and the SHA-256 of each
file. To see that nothing was changed, with the public key of the log, got from its operator by another way:

    veil audit verify-export FILE --pubkey audit.pub

It does not show that every record that was meant is here; manifest.json says up to which record the log was searched.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bundle is of. ``through``: where the log stood; ``by``: who asked, as records say it."""

    id: str
    node: str
    moment: datetime
    by: Mapping[str, Any]
    selection: Selection
    through: Position
    version: str
    form: str = ""  # one of `FORMS`, besides the records as they stand in the log

    @property
    def folder(self) -> str:
        """Every file of the bundle is below it."""
        return f"veil-audit-{self.node}-{self.id}"


def signed_text(manifest: bytes) -> bytes:
    """What is signed."""
    return FORMAT.encode() + b"\n" + manifest


def selection_said(selection: Selection) -> dict[str, Any]:
    """A selection as a manifest states it."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(selection).items()}


def selection_read(said: Mapping[str, Any]) -> Selection:
    """And back. TypeError, AttributeError for what is none."""
    read: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in said.items()
    }
    return Selection(**read)


def bundle(asked: Asked, lines: Iterable[bytes], newest: Callable[[], Note | None], signer: Signer) -> Iterator[bytes]:
    """The bytes of the bundle, piece by piece. ``newest``: a checkpoint, asked for when all ``lines`` have been read.

    Blocking, as ``lines`` are.
    """
    made = _Archive(asked)
    first = last = count = 0
    for number, part in enumerate(_parts(lines), 1):
        first, last, count = first or seq_of(part[0]), seq_of(part[-1]), count + len(part)
        yield made.add(f"{RECORDS}{number:06d}.jsonl", b"".join(line + b"\n" for line in part))
        if asked.form:
            yield made.add(f"{RENDERED}{number:06d}.{FORMS[asked.form]}", body(asked.form, part).data)
    note = newest()
    if note is not None:
        yield made.add(CHECKPOINT, note.encode())
    yield made.add(README, _EXPLAINED)
    about = {
        "format": FORMAT, "id": asked.id, "node": asked.node, "made": asked.moment.isoformat(), "by": dict(asked.by),
        "selection": selection_said(asked.selection), "through": asdict(asked.through), "version": asked.version,
        "records": count, "first": first, "last": last, "files": made.files, "public_key": signer.verifier.text(),
        "checkpoint": note.checkpoint.position.seq if note is not None else 0,
    }  # fmt: skip
    manifest = canonical(about) + b"\n"
    yield made.add(MANIFEST, manifest)
    yield made.add(SIGNATURE, signer.signature(signed_text(manifest)).line().encode())
    yield made.end()


def _parts(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        if len(part) >= _LINES or size >= _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


class _Archive:
    """A tar.gz that is taken away as it is made. ``files``: what was added so far."""

    def __init__(self, asked: Asked) -> None:
        self._made = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._made, mode="w|gz", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - `end`
        self._folder, self._moment = asked.folder, int(asked.moment.timestamp())
        self.files: list[dict[str, Any]] = []

    def add(self, name: str, data: bytes) -> bytes:
        info = tarfile.TarInfo(f"{self._folder}/{name}")
        info.size, info.mtime, info.mode = len(data), self._moment, 0o600
        self._tar.addfile(info, io.BytesIO(data))
        self.files.append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        return self._taken()

    def end(self) -> bytes:
        self._tar.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._made.getvalue()
        self._made.seek(0)
        self._made.truncate()
        return data


def read_manifest(data: bytes) -> dict[str, Any]:
    """ValueError for what is no manifest of `FORMAT`, in the one form that it has."""
    found = json.loads(data)
    if not isinstance(found, dict) or found.get("format") != FORMAT or canonical(found) + b"\n" != data:
        raise ValueError("no manifest of this format")
    return found
