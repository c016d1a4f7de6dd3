"""One instance of an identified PACS, fetched and de-identified into the cache of a view: once, whoever waits for it.

Original bytes are in an `Arena` only. What is held is remembered for a while by its pseudonym and recorded with the
reason; it is not sealed, for the original stays where it is. When nobody waits any more, the work ends.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from proxy.archive.attributes import LEVELS
from proxy.deid.types import Claimed
from proxy.errors import InstanceHeld, Reason
from proxy.service.events import for_whom, who
from proxy.service.ports import Arena, AuditEvent, AuditTrail, Deidentifier, Held, Peer
from proxy.service.upstream import Reference, UpstreamError
from proxy.service.view import Translations, View
from proxy.service.view_known import Known
from proxy.store.view_cache import ViewCache
from proxy.wire.uri import Target

#: `UpstreamError.code` of an instance beyond the limit
TOO_LARGE = "too-large"
#: instances under way at the same time, each in an arena of its own
AT_ONCE = 4
_MOST_HELD = 100_000
#: why a worker did not come to an end: it may the next time
_PASSING = frozenset(map(str, (Reason.WORKER_CRASHED, Reason.WORKER_TIMEOUT, Reason.ENGINE_ERROR)))


@dataclass(slots=True)
class _Work:
    task: asyncio.Task[Path | None]
    waiting: int = 0


class ViewFetch:
    """Gives the de-identified file of an instance, or None for one that is not there or may not leave."""

    def __init__(
        self, deidentifier: Deidentifier, cache: ViewCache, crosswalk: Translations, known: Known, audit: AuditTrail,
        instance_limit: int,
    ) -> None:  # fmt: skip
        """``instance_limit``: bytes of one instance."""
        self._deidentifier, self._cache, self._crosswalk = deidentifier, cache, crosswalk
        self._known, self._audit, self._limit = known, audit, instance_limit
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._works: dict[Hashable, _Work] = {}
        self._held: OrderedDict[Hashable, None] = OrderedDict()

    async def get(self, view: View, reference: Reference, peer: Peer) -> Path | None:
        """The file of ``reference``. Raises `UpstreamError`, `Unavailable`."""
        key = (view.scope, view.uid(reference.instance))
        if key in self._held:
            return None
        if (path := self._cache.get(key)) is not None:
            return path
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = _Work(asyncio.ensure_future(self._made(view, reference, key, peer)))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting:  # who comes later begins anew: this one may be ending unfinished
                work.task.cancel()
                if self._works.get(key) is work:
                    del self._works[key]

    def cached(self, view: View, target: Target) -> Path | None:
        """The file of an instance that was released, where it is at hand; nobody is asked."""
        if self._known.series_of(view.scope, target.study, target.instance) != target.series:
            return None
        return self._cache.get((view.scope, target.instance))

    async def _made(self, view: View, reference: Reference, key: Hashable, peer: Peer) -> Path | None:
        async with self._turns:
            with Arena(self._limit) as arena:
                try:
                    if not await view.upstream.fetch(reference, arena):
                        return None
                    return await self._judged(view, reference, key, arena)
                except InstanceHeld as held:
                    why = str(held.reason)
                except UpstreamError as error:
                    if error.code != TOO_LARGE:
                        raise
                    why = TOO_LARGE
        await self._withheld(view, reference, peer, why)
        if why not in _PASSING:
            self._held[key] = None
            while len(self._held) > _MOST_HELD:
                self._held.popitem(last=False)
        return None

    async def _judged(self, view: View, reference: Reference, key: Hashable, arena: Arena) -> Path:
        """The file of what was fetched; `InstanceHeld`."""
        claimed = Claimed(reference.sop_class, reference.instance, reference.study)
        verdict = await self._deidentifier.run(view.project, arena, claimed)
        if isinstance(verdict, Held):
            raise InstanceHeld(verdict.reason, verdict.detail)
        path = await self._cache.put(key, verdict.release, verdict.chunks, arena)
        original, report = verdict.original, verdict.report
        uids = (report.study_instance_uid, report.series_instance_uid, report.sop_instance_uid)
        originals = (original.study_instance_uid, original.series_instance_uid, original.sop_instance_uid)
        rows = zip(LEVELS, uids, originals, strict=True)
        await self._crosswalk.put({view.key(kind, uid): old for kind, uid, old in rows})
        self._known.note(view.scope, uids, report.modality)
        return path

    async def _withheld(self, view: View, reference: Reference, peer: Peer, why: str) -> None:
        uids = (view.uid(reference.study), view.uid(reference.series), view.uid(reference.instance))
        names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
        about = {"kind": "instance", **dict(zip(names, uids, strict=True))}
        policy = view.policy
        rules, behalf = (policy.digest, policy.key_epoch), for_whom(peer)
        await self._audit.record(
            AuditEvent("withheld", "failure", view.project, who(peer), about, why, *rules, behalf=behalf)
        )
        self._known.note(view.scope, uids, None)
