"""Metadata of a view without fetching whole instances: what the PACS says of them, de-identified many at a time.

Only where the policy asks nothing of an instance's pixels; any other instance, one that is held here included, is
fetched and judged whole, as `view_retrieve` does, and its metadata read from the file: what holds is said there.
Recorded before it is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from proxy.archive import encoded
from proxy.archive.attributes import LEVELS
from proxy.errors import VeilError
from proxy.service.ports import Arena, AuditTrail, Held, Peer
from proxy.service.retrieve import retrieved
from proxy.service.upstream import Reference
from proxy.service.view import View, Views, originals_of
from proxy.service.view_fetch import ViewFetch
from proxy.service.view_known import Known
from proxy.store.crosswalk import Crosswalk
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.uri import Target
from proxy.workers.arena import ArenaFull
from proxy.workers.describing import Described, Outcome, needed

_BATCH = 20
_AT_ONCE = 4
_BATCH_BYTES = 64 << 20
#: More instances than this are answered from files, one at a time.
MOST_DESCRIBED = 5000
_TAGS = ("0020000D", "0020000E", "00080018")


class Describer(Protocol):
    """De-identification of metadata somewhere else: a worker process."""

    async def describe(self, project: str, arena: Arena) -> list[Outcome] | Held:
        """An outcome for each DICOM JSON object of the array in ``arena``. `WorkersUnavailable`."""
        ...


class ViewDescribe:
    """Answers metadata of projects with a view."""

    def __init__(
        self,
        views: Views,
        describer: Describer,
        fetch: ViewFetch,
        crosswalk: Crosswalk,
        known: Known,
        audit: AuditTrail,
    ) -> None:
        self._views, self._describer, self._fetch = views, describer, fetch
        self._crosswalk, self._known, self._audit = crosswalk, known, audit

    async def described(self, project: str, target: Target, peer: Peer) -> list[Json] | None:
        """The instances' DICOM JSON in the order of their pseudonyms, bulk data named relative to the instance.

        None where it has to come from files, or one is at hand: nothing is recorded then. Raises what
        `ViewRetrieve.find` raises.
        """
        view = self._views(project)
        if target.instance and self._fetch.cached(view, target) is not None:
            return None
        originals = await originals_of(view, self._crosswalk, target)
        if originals is None:
            return None
        try:
            found = await self._all(view, originals, peer)
        except VeilError as error:
            failed = retrieved(project, target, "metadata", 0, peer)
            await self._audit.record(replace(failed, reason=type(error).__name__))
            raise
        if found is not None:
            await self._audit.record(retrieved(project, target, "metadata", len(found), peer))
        return found

    async def _all(self, view: View, originals: dict[str, str], peer: Peer) -> list[Json] | None:
        turns = asyncio.Semaphore(_AT_ONCE)
        tasks: list[asyncio.Task[list[tuple[Json, Outcome]]]] = []
        try:
            async with asyncio.TaskGroup() as group:
                async for batch in _batches(view, originals):
                    if len(tasks) * _BATCH >= MOST_DESCRIBED:
                        return None
                    tasks.append(group.create_task(self._batch(view, batch, turns)))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        pairs = [pair for task in tasks for pair in task.result()]
        if not pairs:
            return None
        ready = [outcome for _, outcome in pairs if isinstance(outcome, Described)]
        rows = [row for one in ready for row in zip(LEVELS, one.uids, one.originals, strict=True)]
        await self._crosswalk.put({view.key(level, uid): original for level, uid, original in rows})
        whole = [instance for instance, outcome in pairs if not isinstance(outcome, Described)]
        answer: list[tuple[tuple[str, ...], Json]]
        answer = [(one.uids[1:], one.json) for one in ready if not self._known.is_held(view.scope, *one.uids[::2])]
        answer += await self._whole(view, whole, peer)
        return [json for _, json in sorted(answer, key=lambda pair: pair[0])]

    async def _batch(self, view: View, batch: list[Json], turns: asyncio.Semaphore) -> list[tuple[Json, Outcome]]:
        async with turns:
            with Arena(_BATCH_BYTES) as arena:
                try:
                    arena.write(json.dumps(batch, separators=(",", ":")).encode())
                except ArenaFull:
                    return [(instance, None) for instance in batch]
                outcomes = await self._describer.describe(view.project, arena)
        if isinstance(outcomes, Held) or len(outcomes) != len(batch):
            return [(instance, None) for instance in batch]
        return list(zip(batch, outcomes, strict=True))

    async def _whole(self, view: View, instances: list[Json], peer: Peer) -> list[tuple[tuple[str, ...], Json]]:
        """The metadata of instances that had to be fetched, with their pseudonymous UIDs."""
        found: list[tuple[tuple[str, ...], Json]] = []
        for instance in instances:
            reference = Reference(*(first_value(instance, tag) for tag in (*_TAGS, "00080016")))
            if (path := await self._fetch.get(view, reference, peer)) is not None:
                described = await asyncio.to_thread(encoded.metadata, path)
                found.append((tuple(first_value(described, tag) for tag in _TAGS[1:]), described))
        return found


async def _batches(view: View, originals: dict[str, str]) -> AsyncIterator[list[Json]]:
    """What the PACS says of the target's instances, a few at a time; nothing of what it was not asked for."""
    wanted = {_TAGS[LEVELS.index(level)]: uid for level, uid in originals.items()}
    batch: list[Json] = []
    asked = (originals["study"], originals.get("series", ""), originals.get("instance", ""))
    async for instance in view.upstream.metadata(*asked):
        if all(first_value(instance, tag) == uid for tag, uid in wanted.items()):
            batch.append(needed(instance, view.policy.reads_private))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
