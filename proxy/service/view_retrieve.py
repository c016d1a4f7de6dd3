"""The use case *retrieve* of a view: WADO-RS over an identified PACS, in pseudonyms (DESIGN.md, *a viewer asks*).

A UID that no answer of this view has shown is unknown: 404, and nobody is asked. Every instance is fetched whole,
judged by engine and gate, and lies in the cache as a de-identified file before anything of it is answered; all routes
read that file, so that pixels are the same on each. What is held is absent. Recorded before it is answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from proxy.errors import VeilError
from proxy.service.in_turn import Listed, ready
from proxy.service.ports import AuditTrail, Peer
from proxy.service.retrieve import retrieved
from proxy.service.upstream import Reference
from proxy.service.view import TooBroad, Translations, View, Views, originals_of
from proxy.service.view_fetch import ViewFetch
from proxy.wire.uri import Target

#: The most instances of one answer.
MOST_INSTANCES = 20_000


class ViewRetrieve:
    """Finds the files of projects with a view."""

    #: whether an instance that may not leave is one that failed, and not one that does not exist
    _required = False

    def __init__(self, views: Views, fetch: ViewFetch, crosswalk: Translations, audit: AuditTrail) -> None:
        self._views, self._fetch, self._crosswalk, self._audit = views, fetch, crosswalk, audit

    async def find(self, project: str, target: Target, what: str, peer: Peer) -> list[Path]:
        """The files of a study, series or instance, [] for none, in the order of their pseudonymous UIDs.

        Raises `AuditUnavailable`, `UpstreamError`, `WorkersUnavailable`, `SpoolFull`, `TooBroad`.
        """
        try:
            paths = await self._paths(self._views(project), target, peer)
        except VeilError as error:
            failed = replace(retrieved(project, target, what, 0, peer), reason=type(error).__name__)
            await self._audit.record(failed)
            raise
        await self._audit.record(retrieved(project, target, what, len(paths), peer))
        return paths

    async def listed(self, project: str, targets: Sequence[Target], what: str, peer: Peer, to: str) -> list[Listed]:
        """See `proxy.service.in_turn.Lists.listed`; raises as `find`."""
        view = self._views(project)
        try:
            found = [(target, await self._each(view, target, uids, peer)) for target, uids in _by_series(targets)]
        except VeilError as error:
            failed = [retrieved(project, target, what, 0, peer, to) for target in targets]
            await self._audit.record(*(replace(one, reason=type(error).__name__) for one in failed))
            raise
        await self._audit.record(*(retrieved(project, target, what, len(each), peer, to) for target, each in found))
        return [one for _, each in found for one in each]

    async def _each(self, view: View, target: Target, uids: frozenset[str], peer: Peer) -> list[Listed]:
        if target.instance and (path := self._fetch.cached(view, target)) is not None:
            return [Listed(target.instance, partial(ready, path))]
        named = [(view.uid(one.instance), one) for one in await self._references(view, target)]
        return [
            Listed(uid, partial(self._fetch.get, view, one, peer), self._required)
            for uid, one in named
            if not uids or uid in uids
        ]

    async def _paths(self, view: View, target: Target, peer: Peer) -> list[Path]:
        if target.instance and (path := self._fetch.cached(view, target)) is not None:
            return [path]
        return await self._all(view, await self._references(view, target), peer)

    async def _references(self, view: View, target: Target) -> list[Reference]:
        """What ``target`` consists of, in the order of its pseudonymous UIDs; [] where it was never shown here."""
        originals = await originals_of(view, self._crosswalk, target)
        if originals is None:
            return []
        found = await view.upstream.instances(
            originals["study"], originals.get("series", ""), originals.get("instance", "")
        )
        if len(found) > MOST_INSTANCES:
            raise TooBroad(f"more than {MOST_INSTANCES} instances: ask for a series")
        inside = [one for one in dict.fromkeys(found) if _within(one, originals)]
        return sorted(inside, key=lambda one: (view.uid(one.series), view.uid(one.instance)))

    async def _all(self, view: View, references: list[Reference], peer: Peer) -> list[Path]:
        """Their files, several made at once; the first trouble ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._fetch.get(view, one, peer)) for one in references]
        except BaseExceptionGroup as several:
            del (
                group,
                tasks,
            )  # they know the error, and the error this frame: the files would be kept until a collection
            raise several.exceptions[0] from None
        return [path for task in tasks if (path := task.result()) is not None]


def _by_series(targets: Sequence[Target]) -> list[tuple[Target, frozenset[str]]]:
    """``targets``, but several instances of one series as that series, with their UIDs: it is asked for once."""
    several: defaultdict[Target, list[Target]] = defaultdict(list)
    for target in dict.fromkeys(targets):
        several[replace(target, instance="") if target.instance else target].append(target)
    return [
        (each[0], frozenset()) if len(each) == 1 else (whole, frozenset(target.instance for target in each))
        for whole, each in several.items()
    ]


def _within(one: Reference, originals: dict[str, str]) -> bool:
    """A PACS that answers more than it was asked shows nothing of it."""
    said = {"study": one.study, "series": one.series, "instance": one.instance}
    return all(said[kind] == uid for kind, uid in originals.items())
