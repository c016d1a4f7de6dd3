"""A project whose readers see a PACS that holds de-identified data, as it is: search and retrieval without a crosswalk.

The same path as a view, in which every UID stands for itself: each instance is fetched whole, let pass by the gate and
read from the cache. What the gate does not let pass ends the answer and is recorded; it is never left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from proxy.archive.attributes import CODES, COMPUTED, MATCHABLE, shown
from proxy.archive.matching import holds
from proxy.deid.types import Claimed
from proxy.errors import VeilError
from proxy.service.ports import Arena, AuditTrail, Peer, Verdict
from proxy.service.search import Found, Search, searched
from proxy.service.upstream import Question, Reference, Upstream, UpstreamError
from proxy.service.view import View
from proxy.service.view_fetch import ViewFetch
from proxy.service.view_retrieve import ViewRetrieve
from proxy.store.crosswalk import Key
from proxy.wire.dicom_json import Json
from proxy.wire.uri import Query

#: `UpstreamError.code` where part of an answer may not leave, or has gone meanwhile
WITHHELD = "withheld"


class Passes(Protocol):
    """The gate, in a worker."""

    async def let_pass(self, project: str, arena: Arena, claimed: Claimed, check: bool) -> Verdict:
        """As `Deidentifier.run`, for an instance that is de-identified; see `Gate.let_pass`."""
        ...


class Admission:
    """A `Deidentifier` that changes nothing: what the gate lets pass is released as it came."""

    def __init__(self, gate: Passes, checked: Callable[[str], bool]) -> None:
        """``checked``: whether instances of a project have to show that they are de-identified."""
        self._gate, self._checked = gate, checked

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """See `Deidentifier.run`."""
        return await self._gate.let_pass(project, arena, claimed, self._checked(project))


class Unmapped:
    """In the place of a crosswalk: every UID is its own original, and nothing is remembered."""

    async def get(self, keys: Iterable[Key]) -> dict[Key, str]:
        """Everything is known."""
        return {key: key.pseudonym for key in keys}

    async def put(self, originals: Mapping[Key, str]) -> None:
        """There is nothing to remember."""


@dataclass(frozen=True, slots=True)
class Passing(View):
    """A `View` of what is de-identified already."""

    @classmethod
    def of(cls, view: View) -> Passing:
        """The same project, upstream and policy."""
        return cls(view.project, view.upstream, view.policy)

    def uid(self, original: str) -> str:
        """Itself."""
        return original


class PassSearch(Search):
    """The search of the embedded archive, over upstreams."""

    def __init__(self, upstreams: Callable[[str], Upstream], audit: AuditTrail) -> None:
        """``upstreams``: project → its upstream."""
        super().__init__(_Asked(upstreams), audit)

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        """See `Search.search`; raises `UpstreamError`."""
        try:
            return await super().search(project, level, within, query, peer)
        except VeilError as error:
            failed = searched(project, level, query, Found([], False, ()), peer)
            await self._audit.record(replace(failed, outcome="failure", reason=type(error).__name__))
            raise


class _Asked:
    """Upstreams as `Search` asks the archive."""

    def __init__(self, upstreams: Callable[[str], Upstream]) -> None:
        self._upstreams = upstreams

    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """See `Archive.search`; only attributes of the tables are answered."""
        upstream, wanted = self._upstreams(project), tuple(fields)
        question = Question(level, matches, wanted, limit, offset)
        page = (await upstream.search(question))[:limit]
        kept = [match for match in page if _is_wanted(match, matches)]
        if len(kept) < len(page):  # it does not know one of the keys, so it pages over more than was asked for
            every = await upstream.search(replace(question, limit=0, offset=0))
            kept = [match for match in every if _is_wanted(match, matches)][offset : offset + limit]
        return [_answer(level, wanted, match) for match in kept]


def _is_wanted(match: Json, matches: Mapping[str, str]) -> bool:
    """Whether a match is one, as far as it tells."""
    asked = ((MATCHABLE[key][1], match.get(CODES.get(key, ""), None), value) for key, value in matches.items())
    return all(holds(vr, element, value) for vr, element, value in asked if element is not None)


def _answer(level: str, fields: tuple[str, ...], match: Json) -> Json:
    answer = {tag: match[tag] for _, tag, _ in _computed(level, fields) if tag in match}
    for _, attribute in shown(level, fields):
        if attribute.tag in match:
            answer[attribute.tag] = match[attribute.tag]
        elif attribute.required:
            answer[attribute.tag] = {"vr": attribute.vr}
    return dict(sorted(answer.items()))


def _computed(level: str, fields: tuple[str, ...]) -> list[tuple[str, str, str]]:
    wanted = COMPUTED.items()
    return [row for keyword, row in wanted if row[0] == level or keyword in fields or "all" in fields]


class PassFetch(ViewFetch):
    """As of a view, but what is withheld is recorded by a pseudonym: it may be what it looks like."""

    async def _withheld(self, view: View, reference: Reference, peer: Peer, why: str) -> None:
        await super()._withheld(View(view.project, view.upstream, view.policy), reference, peer, why)


class PassRetrieve(ViewRetrieve):
    """The retrieval of a view, but nothing may be missing."""

    _required = True

    async def _all(self, view: View, references: list[Reference], peer: Peer) -> list[Path]:
        paths = await super()._all(view, references, peer)
        if len(paths) < len(references):
            raise UpstreamError(view.upstream.name, WITHHELD)
        return paths
