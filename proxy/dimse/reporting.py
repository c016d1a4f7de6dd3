"""Results of storage commitment on their way (PS3.4 J.3.3): N-EVENT-REPORT, type 1 all committed, type 2 some failed.

On the association of the request while it is there and the result is young, else on one of ours to the address that
is configured for the requester. There we ask for the role of the SCP and call ourselves what the requester called.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from proxy.dimse.association import Association, AssociationLost
from proxy.dimse.commitment_data import write_report
from proxy.dimse.errand import TROUBLE, associated, word_of
from proxy.dimse.requestor import Destination
from proxy.service.commitment import Committed
from proxy.service.reporting import NotReported
from proxy.store.commitment_reports import Owed
from proxy.wire.command import N_EVENT_REPORT_RQ, Command
from proxy.wire.negotiation import Context, ProposedContext
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE

SOP_CLASS, SOP_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
SYNTAXES = (EXPLICIT_LE, IMPLICIT_LE)
_ALL_COMMITTED, _SOME_FAILED = 1, 2
#: seconds after a request in which its result goes on its association, where there is another way
_YOUNG = 10.0
#: for the answer to a report on an association that a requester opened
_RESPONSE_SECONDS = 30.0
#: PS3.7 C: success, and the warnings that mean that the report was taken
_TAKEN = frozenset({0x0000, 0x0001, 0x0107, 0x0116})


@dataclass(slots=True, eq=False)
class Asked:
    """A request and where it came from. ``taken``: its result is owed."""

    association: weakref.ref[Association]
    context: Context
    taken: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Requesters:
    """The ways to those who asked: a `proxy.service.reporting.Messenger`."""

    def __init__(self, addresses: Mapping[str, Destination], clock: Callable[[], float] = time.time) -> None:
        """``addresses``: AE title of a requester → where it takes reports; whom we are there, its request says."""
        self._addresses, self._clock = dict(addresses), clock
        self._asked: dict[tuple[str, str], Asked] = {}  # project and transaction → what has not been reported

    @contextmanager
    def asking(self, association: Association, project: str, context: Context, transaction: str) -> Iterator[Asked]:
        """While a request is answered: its result waits until it is, so that no requester hears it first."""
        asked = Asked(weakref.ref(association), context)
        known = self._asked.setdefault((project, transaction), asked)
        try:
            yield asked
        finally:
            asked.answered.set()
            if known is asked and not asked.taken:
                del self._asked[project, transaction]

    async def report_here(self, owed: Owed, transaction: str, result: Committed) -> bool:
        """See `Messenger.report_here`."""
        key = (owed.project, transaction)
        asked = self._asked.get(key)
        if asked is None:
            return False
        await asked.answered.wait()
        self._asked.pop(key, None)
        association = asked.association()
        young = owed.requester not in self._addresses or self._clock() - owed.asked_at <= _YOUNG
        if association is None or not association.established or not young or not asked.context.scu:
            return False
        try:
            async with asyncio.timeout(_RESPONSE_SECONDS):
                await _send(association, asked.context, transaction, result)
        except (AssociationLost, TimeoutError):
            return False
        return True

    async def report(self, owed: Owed, transaction: str, result: Committed) -> None:
        """See `Messenger.report`."""
        to = self._addresses.get(owed.requester)
        if to is None:
            raise NotReported("no-address", nowhere=True)
        try:
            await self._report_to(dataclasses.replace(to, calling_ae=owed.provider), transaction, result)
        except TROUBLE as error:
            raise NotReported(word_of(error)) from None

    async def _report_to(self, to: Destination, transaction: str, result: Committed) -> None:
        proposed = [ProposedContext(1, SOP_CLASS, SYNTAXES)]
        async with associated(to, proposed, {SOP_CLASS: (False, True)}) as association:
            context, acceptance = association.context_for(SOP_CLASS), association.acceptance
            told = acceptance.roles.get(SOP_CLASS) if acceptance is not None else None
            # some take reports without a word on roles; those who say that we may not be the SCP are believed
            if context is None or (told is not None and not told[1]):
                raise NotReported("no-context")
            await _send(association, context, transaction, result)


async def _send(association: Association, context: Context, transaction: str, result: Committed) -> None:
    """One N-EVENT-REPORT and its answer; `NotReported` where the requester does not want it."""
    data = await asyncio.to_thread(write_report, transaction, result, context.syntax == IMPLICIT_LE)
    command = Command(
        N_EVENT_REPORT_RQ,
        MessageID=association.next_id(),
        AffectedSOPClassUID=SOP_CLASS,
        AffectedSOPInstanceUID=SOP_INSTANCE,
        EventTypeID=_SOME_FAILED if result.failed else _ALL_COMMITTED,
    )
    answer = await association.ask(context, command, data)
    if answer.command.status not in _TAKEN:
        raise NotReported(f"{answer.command.status & 0xFFFF:04X}", refused=True)
