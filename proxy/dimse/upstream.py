"""A PACS that speaks only DIMSE as an upstream: C-FIND, and C-GET or C-MOVE to ourselves, in the Study Root model.

Blocking work runs in threads of its own, searches and retrievals apart. A task that is cancelled aborts its
association, and nothing is written into its arena any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pynetdicom import build_context

from proxy.dimse import contexts, silence
from proxy.dimse.asking import Associations, Call, Proposal
from proxy.dimse.finding import STUDY_ROOT_FIND, Level, TooBroad, descend, find, identifier
from proxy.dimse.getting import NotSent, get, ladder
from proxy.dimse.idle import IdleTimer
from proxy.dimse.moving import Arrivals, move, move_proposal
from proxy.dimse.requestor import Destination
from proxy.dimse.sink import Sink
from proxy.service.ports import Arena
from proxy.service.upstream import Question, Reference, UpstreamError, find_references
from proxy.wire.dicom_json import Json

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association

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
        contexts.register()
        self.name = name
        self._to, self._move_to, self._retrieve_seconds = to, move_to, retrieve_seconds
        self._searches = ThreadPoolExecutor(associations, thread_name_prefix=f"veil-find-{name}")
        self._retrievals = ThreadPoolExecutor(associations, thread_name_prefix=f"veil-retrieve-{name}")
        self._associations = Associations(name, to)
        self._timer = IdleTimer(self._searches, self._associations.release_idle)
        self._worked: dict[str, str] = {}
        self._calls: set[Call] = set()
        self._closed = False

    async def search(self, question: Question) -> list[dict[str, Any]]:
        """See `Upstream.search`."""

        def work(call: Call) -> list[Json]:
            def ask(level: Level, most: int) -> list[Json]:
                return self._find(call, identifier(level), most)

            try:
                return list(islice(descend(question, ask), question.offset, None))
            except TooBroad:
                raise UpstreamError(self.name, "too-broad") from None

        return await self._run(self._searches, work)

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
                return await self._retrieve(lambda call: self._move(call, wanted, to.ae_title, sink))
        try:
            return await self._retrieve(lambda call: self._get(call, reference, wanted, sink))
        finally:
            sink.detach()

    async def close(self) -> None:
        """End what is under way and give every association back."""
        self._closed = True
        self._timer.stop()
        for call in self._calls:
            call.end()
        for threads in (self._searches, self._retrievals):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._associations.close)

    def _move(self, call: Call, wanted: Dataset, destination: str, sink: Sink) -> bool:
        def work(association: Association) -> bool:
            association.dimse_timeout = self._retrieve_seconds
            return move(self.name, association, wanted, destination, sink)

        try:
            return self._associations.run(call, move_proposal(), work)
        except NotSent:
            if self._find(call, wanted, 1):
                raise
            return False

    def _get(self, call: Call, reference: Reference, wanted: Dataset, sink: Sink) -> bool:
        def work(association: Association) -> bool:
            association.dimse_timeout = self._retrieve_seconds
            return get(self.name, association, wanted, sink)

        proposals = ladder(reference.sop_class)
        known = self._worked.get(reference.series, "")  # what one instance of a series took will do for the next
        proposals.sort(key=lambda proposal: proposal.kind != known)
        failure: NotSent | None = None
        for proposal in proposals:
            try:
                there = self._associations.run(call, proposal, work)
            except NotSent as error:
                if failure is None and not self._find(call, wanted, 1):
                    return False  # some fail where they have nothing
                failure = failure or error
            else:
                self._remember(reference.series, proposal.kind)
                return there
        raise failure or UpstreamError(self.name, "no-context")

    def _find(self, call: Call, wanted: Dataset, most: int) -> list[Json]:
        proposal = Proposal("find", [build_context(STUDY_ROOT_FIND)])
        return self._associations.run(call, proposal, lambda a: find(self.name, a, wanted, most))

    def _remember(self, series: str, kind: str) -> None:
        if len(self._worked) >= _MOST_REMEMBERED:
            self._worked.clear()
        self._worked[series] = kind

    async def _retrieve(self, work: Callable[[Call], bool]) -> bool:
        return await self._run(self._retrievals, work)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[Call], _T]) -> _T:
        if self._closed:
            raise UpstreamError(self.name, "closed")
        call = Call()
        self._calls.add(call)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, call)
        except asyncio.CancelledError:
            call.end()
            raise
        finally:
            self._calls.discard(call)
            self._timer.arm()


def _instance(reference: Reference) -> Dataset:
    """The identifier of a C-GET or C-MOVE of one instance."""
    uids = (("StudyInstanceUID", reference.study), ("SeriesInstanceUID", reference.series))
    return identifier(Level("instance", dict(uids) | {"SOPInstanceUID": reference.instance}, ()))
