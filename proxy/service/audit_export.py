"""The use case *hand out records of the audit log*: a signed bundle of what was selected. No record, no bundle.

The record is durable before the first byte. The log is read by a thread as far as the bundle is taken, so a slow reader
keeps nobody waiting, and a long log is never in memory.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from proxy import __version__
from proxy.audit.bundle import FORMS as FORMS
from proxy.audit.bundle import Asked, bundle
from proxy.audit.chain import Position
from proxy.audit.checkpoints import newest_note
from proxy.audit.lookup import Lookup, Question
from proxy.audit.notes import ORIGIN, Note, Signer
from proxy.audit.selection import Selection
from proxy.audit.watch import now
from proxy.errors import Unavailable, VeilError
from proxy.service.audit_reading import Visible, read
from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Peer

#: bundles that are made at the same time
_MOST = 2
#: records that are looked up at once
_PAGE = 2000
#: seconds that are waited for the checkpoint of the newest record, which is due after one
_PATIENCE, _POLL = 3.0, 0.05


class Unsigned(VeilError):
    """This site has no audit key: what it would hand out, nobody could check."""


@dataclass(frozen=True, slots=True)
class Export:
    """A bundle that is on record. ``name``: of its file."""

    name: str
    pieces: AsyncIterator[bytes]


class AuditExport:
    """Makes bundles of the log for those who may read it: whether they may is decided before."""

    def __init__(
        self,
        folder: Path,
        position: Callable[[], Position],
        signer: Signer | None,
        audit: AuditTrail,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Of the log in ``folder``. ``position``: of the last record that is on disk."""
        self._folder, self._position, self._signer, self._audit = folder, position, signer, audit
        self._lookup = Lookup(folder, lambda: position().seq)
        self._clock, self._making = clock, 0

    async def begin(self, selection: Selection, visible: Visible, peer: Peer, form: str = "") -> Export:
        """A bundle of what there is now, told in ``form``, too. KeyError for one that there is not.

        `Unsigned`; `Unavailable`: too many at once, or it cannot be recorded.
        """
        if form and form not in FORMS:
            raise KeyError(form)
        if self._signer is None:
            raise Unsigned("audit.key_file is not set, so nothing can be signed")
        if self._making >= _MOST:
            raise Unavailable("other records are being handed out")
        selection, through = selection.may_see(visible), self._position()
        node = self._signer.verifier.name.removeprefix(ORIGIN)
        by = {"peer": who(peer), "behalf": for_whom(peer)}
        asked = Asked(secrets.token_hex(8), node, self._clock(), by, selection, through, __version__, form)
        await self._audit.record(exported(asked, peer))
        return Export(f"{asked.folder}.tar.gz", self._pieces(asked, self._signer))

    async def _pieces(self, asked: Asked, signer: Signer) -> AsyncIterator[bytes]:
        self._making += 1
        try:
            made = bundle(asked, self._lines(asked), lambda: self._covering(asked.through.seq), signer)
            while (piece := await asyncio.to_thread(next, made, None)) is not None:
                yield piece
        finally:
            self._making -= 1

    def _lines(self, asked: Asked) -> Iterator[bytes]:
        question: Question | None = Question(asked.selection, 0, asked.through.seq + 1, oldest=True, limit=_PAGE)
        while question is not None:
            page = self._lookup.page(question)
            yield from page.lines
            question = page.next
            if question is not None:
                question = replace(question, before=asked.through.seq + 1)

    def _covering(self, seq: int) -> Note | None:
        """The newest checkpoint: one of record ``seq`` or later, where that comes in time."""
        until = time.monotonic() + _PATIENCE
        note = newest_note(self._folder)
        while time.monotonic() < until and (note is None or note.checkpoint.position.seq < seq):
            time.sleep(_POLL)
            note = newest_note(self._folder)
        return note


def exported(asked: Asked, peer: Peer) -> AuditEvent:
    """The record: which bundle, by what was asked, and up to which record."""
    event = read("export", asked.selection, peer, {"last": asked.through.seq}, {})
    return replace(event, type="audit-exported", object={**event.object, "export": asked.id})
