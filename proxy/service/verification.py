"""The use case *see that the audit log is whole*, while it is being written: every so often, and when somebody asks.

The work is another process's. Its outcome is a record (`audit-verified`), so that every sink is told. The log has to
pass through what this process has seen of it: one that was put back or written anew under a running proxy is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proxy.audit.chain import Position, stamp
from proxy.audit.lookup import Lookup, Question
from proxy.audit.selection import EVERYTHING, Selection, parsed
from proxy.audit.verify import read_anchors
from proxy.audit.verify_apart import Apart, BrokenOff, Verdict
from proxy.audit.watch import now
from proxy.errors import VeilError
from proxy.service.audit_reading import read
from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Peer

VERIFIED = "audit-verified"
NOT_WHOLE, UNREADABLE = "not-whole", "unreadable"
#: a log that was never verified is, so long after a start
_FIRST = timedelta(minutes=10)
#: tries: a segment whose time has come may go while it is read
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Verified:
    """A verification that ended. ``reason``: "" where the log is whole up to record ``seq``; ``told``: problems."""

    moment: datetime
    reason: str
    records: int
    seq: int
    signed: int
    milliseconds: int
    problems: int = 0
    told: tuple[str, ...] = ()
    signatures: bool = True

    @property
    def whole(self) -> bool:
        """Nothing is wrong."""
        return not self.reason


class Verification:
    """Of the log in ``folder``."""

    def __init__(
        self,
        folder: Path,
        position: Callable[[], Position],
        key: str,
        audit: AuditTrail,
        hours: int | None,
        witness: Path | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """``key``: the public key, "" for none; ``hours`` between two verifications; None: only when somebody asks.

        ``witness``: a file of checkpoints that a witness has co-signed, brought back from its machine.
        """
        self._folder, self._position, self._key, self._audit = folder, position, key, audit
        self._every = None if hours is None else timedelta(hours=hours)
        self._witness, self._clock, self._apart, self._seen = witness, clock, Apart(), Position()
        self._asked: asyncio.Task[Verified] | None = None
        self.last: Verified | None = None

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._asked is not None and not self._asked.done()

    async def ask(self, peer: Peer) -> None:
        """Begin now, unless one is under way. `AuditUnavailable`: it is not begun."""
        await self._audit.record(read("verification", EVERYTHING, peer, {}, {}))
        self._begin(peer)

    async def run(self) -> None:
        """Every so often, until it is cancelled; then what is under way ends, too."""
        try:
            with suppress(OSError):
                self.last = await asyncio.to_thread(self._before)
            while self._every is not None:
                after = self.last.moment + self._every if self.last is not None else self._clock() + _FIRST
                await asyncio.sleep(max(0.0, (after - self._clock()).total_seconds()))
                await asyncio.wait([self._begin(None)])
            await asyncio.Event().wait()
        finally:
            if self._asked is not None:
                self._asked.cancel()
            self._apart.stop()

    def _begin(self, peer: Peer | None) -> asyncio.Task[Verified]:
        if self._asked is None or self._asked.done():
            self._asked = asyncio.get_running_loop().create_task(self._verify(peer))
        return self._asked

    async def _verify(self, peer: Peer | None) -> Verified:
        start = self._clock()
        witnessed = await asyncio.to_thread(self._witnessed)
        at = self._position()  # what a witness has seen before must be there by now
        verdict = None
        if witnessed is not None:
            verdict = await self._verdict([each for each in (self._seen, *witnessed, at) if each.seq])
        milliseconds = (self._clock() - start) // timedelta(milliseconds=1)
        self.last = _verified(verdict, start, at, milliseconds)
        if self.last.whole:
            self._seen = at
        with suppress(VeilError):  # the log cannot be written, which everybody is told
            await self._audit.record(verified(self.last, peer))
        return self.last

    async def _verdict(self, anchors: list[Position]) -> Verdict | None:
        for _ in range(_TRIES):
            with suppress(BrokenOff):
                return await asyncio.to_thread(self._apart.verify, self._folder, anchors, self._key)
        return None

    def _witnessed(self) -> list[Position] | None:
        """None where they cannot be read, though there should be some."""
        try:
            return read_anchors(self._witness.read_bytes()) if self._witness is not None else []
        except (OSError, ValueError):
            return None

    def _before(self) -> Verified | None:
        """What the log says of the last one."""
        lookup = Lookup(self._folder, lambda: self._position().seq)
        lines = lookup.page(Question(Selection(types=frozenset({VERIFIED})), limit=1)).lines
        return _read(parsed(lines[0]) or {}) if lines else None


def verified(outcome: Verified, peer: Peer | None) -> AuditEvent:
    """The record. ``peer``: who asked; None: it was time."""
    about = {
        "kind": "audit",
        "how": "schedule" if peer is None else "asked",
        "last": outcome.seq,
        "signed": outcome.signed,
        "moment": stamp(outcome.moment),
        "signatures": "verified" if outcome.signatures else "not-verified",
    }
    counts = {"records": outcome.records, "problems": outcome.problems, "milliseconds": outcome.milliseconds}
    fate = "success" if outcome.whole else "failure"
    event = AuditEvent(VERIFIED, fate, object=about, reason=outcome.reason, counts=counts)
    return event if peer is None else replace(event, peer=who(peer), behalf=for_whom(peer))


def _verified(verdict: Verdict | None, start: datetime, at: Position, milliseconds: int) -> Verified:
    if verdict is None:
        return Verified(start, UNREADABLE, 0, at.seq, 0, milliseconds, signatures=False)
    reason = NOT_WHOLE if verdict.problems else ""
    return Verified(
        start, reason, verdict.records, at.seq, verdict.signed, milliseconds, verdict.problems, verdict.told,
        verdict.signatures,
    )  # fmt: skip


def _read(record: Mapping[str, Any]) -> Verified | None:
    try:
        about, counts = record["object"], record["counts"]
        return Verified(
            datetime.fromisoformat(about["moment"]),
            record["reason"],
            counts["records"],
            about["last"],
            about["signed"],
            counts["milliseconds"],
            counts["problems"],
            signatures=about["signatures"] == "verified",
        )
    except (KeyError, TypeError, ValueError):
        return None
