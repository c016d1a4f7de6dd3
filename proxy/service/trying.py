"""The use case *try rules*: what becomes of one file under the rules in force, and under others that are sent along.

Both are judged by a worker, as in flight; nothing is stored, queued or sent, and no value is shown. Who tried which
rules, and how it came out, is on record before the outcome is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from proxy.deid.previewed import MOST_ROWS, Previewed, Row, Wish
from proxy.deid.profile import Policy
from proxy.errors import ConfigError
from proxy.service.events import rules_tried
from proxy.service.ports import AuditTrail, Peer

#: largest file of rules, in bytes
MOST_RULES = 256 << 10
#: an element that the other rules do not tell of
_ABSENT = "absent"


class Previewing(Protocol):
    """`proxy.service.preview.Preview`."""

    async def of(self, project: str, data: bytes, wish: Wish, candidate: Policy | None = None) -> Previewed:
        """What would become of the Part 10 instance in ``data``. `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that the two treat differently: what they do, and by which rule."""

    path: str
    tag: str
    keyword: str
    now: str
    now_rule: str
    then: str
    then_rule: str


@dataclass(frozen=True, slots=True)
class Tried:
    """``then``: under the rules that were sent along, whose policy has ``digest``; None without any.

    ``whole``: every element was compared.
    """

    now: Previewed
    then: Previewed | None = None
    digest: str = ""
    differences: tuple[Difference, ...] = ()
    whole: bool = True


class Trying:
    """``digests``: project → digest of the policy in force. ``compiled``: the policy of a project with other rules."""

    def __init__(
        self,
        preview: Previewing,
        audit: AuditTrail,
        digest: Callable[[str], str],
        compiled: Callable[[str, bytes], Policy],
    ) -> None:
        """``compiled`` blocks, and raises `ConfigError` for rules that are not in order."""
        self._preview, self._audit = preview, audit
        self._digest, self._compiled = digest, compiled

    async def run(self, project: str, data: bytes, rules: bytes, frame: int, peer: Peer) -> Tried:
        """``rules``: a profile as YAML, b"" for none; ``frame``: from 1.

        `ConfigError` for rules that are not in order, which is recorded too; `Unavailable`.
        """
        digest, candidate = self._digest(project), None
        if rules:
            try:
                candidate = await asyncio.to_thread(self._compiled, project, rules)
            except ConfigError:
                await self._audit.record(rules_tried(project, peer, digest, "", {}))
                raise
        wish = Wish(0, MOST_ROWS, frame)
        now = await self._preview.of(project, data, wish)
        then = await self._preview.of(project, data, wish, candidate) if candidate is not None else None
        tried = Tried(now)
        if then is not None and candidate is not None:
            whole = max(now.table.elements, then.table.elements) <= MOST_ROWS
            tried = Tried(now, then, candidate.digest, tuple(differences(now.table.rows, then.table.rows)), whole)
        outcomes = {"now": outcome(now)} | ({"then": outcome(then)} if then is not None else {})
        await self._audit.record(rules_tried(project, peer, digest, tried.digest, outcomes))
        return tried


def outcome(preview: Previewed) -> str:
    """One word, or a code."""
    return preview.reason or "released"


def differences(now: Iterable[Row], then: Iterable[Row]) -> Iterator[Difference]:
    """Elements whose action or rule differs, in document order. No values are known here."""
    old, new = ({(row.path, row.tag): row for row in rows} for rows in (now, then))
    for key in sorted(old.keys() | new.keys()):
        first, second = old.get(key), new.get(key)
        known = first or second
        if known is not None and _done(first) != _done(second):
            yield Difference(*key, known.keyword, *_done(first), *_done(second))


def _done(row: Row | None) -> tuple[str, str]:
    if row is None:
        return _ABSENT, ""
    return row.action, f"{row.rule} ({row.section})" if row.section else row.rule
