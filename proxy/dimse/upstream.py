"""A PACS that speaks only DIMSE as an upstream: C-FIND, and C-GET or C-MOVE to ourselves, in the Study Root model.

A task that is cancelled cancels its operation and aborts its association, and nothing is written into its arena any
more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from proxy.dimse import silence
from proxy.dimse.asking import Proposal, associate
from proxy.dimse.association import Association
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.finding import FIND, find
from proxy.dimse.getting import NotSent, get, ladder
from proxy.dimse.levels import Level, TooBroad, descend, identifier
from proxy.dimse.moving import MOVE, Arrivals, move
from proxy.dimse.pool import Pool
from proxy.dimse.requestor import Destination
from proxy.dimse.sink import Sink
from proxy.service.ports import Arena
from proxy.service.upstream import Question, Reference, UpstreamError, find_references
from proxy.wire.dicom_json import Json

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_T = TypeVar("_T")
#: series whose way of negotiation is remembered
_MOST_REMEMBERED = 10_000


class MoveTo:
    """C-MOVE: the AE title of ours that the PACS is told, and where what it sends there arrives."""

    def __init__(self, ae_title: str, key: str, arrivals: Arrivals) -> None:
        """``key``: what the Storage SCP calls this destination when it hands something to ``arrivals``."""
        self.ae_title, self.key, self.arrivals = ae_title, key, arrivals


class DimseUpstream:
    """A `proxy.service.upstream.Upstream` over one application entity."""

    def __init__(
        self, name: str, to: Destination, retrieve_seconds: float, associations: int = 4, move_to: MoveTo | None = None
    ) -> None:
        """C-GET, unless ``move_to`` is given. ``associations``: at once, for searches and for retrievals each."""
        silence()
        self.name = name
        self._to, self._move_to = to, move_to
        self._searches = Pool[Proposal](lambda proposal: associate(name, to, proposal, to.seconds), associations)
        self._retrievals = Pool[Proposal](
            lambda proposal: associate(name, to, proposal, retrieve_seconds), associations
        )
        self._worked: dict[str, str] = {}
        self._closed = False

    async def search(self, question: Question) -> list[dict[str, Any]]:
        """See `Upstream.search`."""

        async def ask(level: Level, most: int) -> list[Json]:
            return await self._find(identifier(level), most)

        try:
            return (await descend(question, ask))[question.offset :]
        except TooBroad:
            raise UpstreamError(self.name, "too-broad") from None

    async def instances(self, study: str, series: str = "", instance: str = "") -> list[Reference]:
        """See `Upstream.instances`."""
        return await find_references(self, study, series, instance)

    async def metadata(self, study: str, series: str = "", instance: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """Nothing: DIMSE gives whole instances only."""
        nothing: tuple[dict[str, Any], ...] = ()
        for each in nothing:
            yield each

    async def fetch(self, reference: Reference, arena: Arena) -> bool:
        """See `Upstream.fetch`."""
        sink, wanted = Sink(self.name, reference.instance, arena), _instance(reference)
        if self._move_to is not None:
            to = self._move_to
            async with to.arrivals.expect(to.key, sink):
                return await self._move(wanted, to.ae_title, sink)
        try:
            return await self._get(reference, wanted, sink)
        finally:
            sink.detach()

    async def close(self) -> None:
        """End what is under way and give every association back."""
        self._closed = True
        for pool in (self._searches, self._retrievals):
            await pool.close()

    async def _move(self, wanted: Dataset, destination: str, sink: Sink) -> bool:
        try:
            return await self._run(self._retrievals, MOVE, lambda a: move(self.name, a, wanted, destination, sink))
        except NotSent:
            if await self._find(wanted, 1):
                raise
            return False

    async def _get(self, reference: Reference, wanted: Dataset, sink: Sink) -> bool:
        proposals = ladder(reference.sop_class)
        known = self._worked.get(reference.series, "")  # what one instance of a series took will do for the next
        proposals.sort(key=lambda proposal: proposal.kind != known)
        failure: NotSent | None = None
        for proposal in proposals:
            try:
                there = await self._run(self._retrievals, proposal, lambda a: get(self.name, a, wanted, sink))
            except NotSent as error:
                if failure is None and not await self._find(wanted, 1):
                    return False  # some fail where they have nothing
                failure = failure or error
            else:
                self._remember(reference.series, proposal.kind)
                return there
        raise failure or UpstreamError(self.name, "no-context")

    async def _find(self, wanted: Dataset, most: int) -> list[Json]:
        return await self._run(self._searches, FIND, lambda a: find(self.name, a, wanted, most))

    def _remember(self, series: str, kind: str) -> None:
        if len(self._worked) >= _MOST_REMEMBERED:
            self._worked.clear()
        self._worked[series] = kind

    async def _run(self, pool: Pool[Proposal], proposal: Proposal, work: Callable[[Association], Awaitable[_T]]) -> _T:
        try:
            return await pool.run(proposal, work)
        except AssociationLost:
            raise UpstreamError(self.name, "closed" if self._closed else "no-answer") from None


def _instance(reference: Reference) -> Dataset:
    """The identifier of a C-GET or C-MOVE of one instance."""
    uids = (("StudyInstanceUID", reference.study), ("SeriesInstanceUID", reference.series))
    return identifier(Level("instance", dict(uids) | {"SOPInstanceUID": reference.instance}, ()))
