"""The Storage SCU for one destination: few associations, kept open between instances and shared by them.

An association can carry only what was negotiated at its start, so it is opened with every (SOP class, transfer syntax)
met so far, and replaced when a new one comes. Where the destination lets operations overlap (PS3.7 D.3.3.3), instances
follow each other without waiting. A file is sent as it lies there, unless the destination refuses its transfer syntax
and may have another (`rewriting`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

from proxy.dimse.association import Association
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed, connect
from proxy.dimse.contexts import IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.outgoing import Data, File, part10_offset
from proxy.dimse.pool import Link, Pool
from proxy.dimse.query_file import Stored
from proxy.dimse.requestor import Destination
from proxy.dimse.rewriting import SYNTAXES, Rewriting
from proxy.dimse.status import association_rejected, check_delivered
from proxy.errors import DeliveryError, DeliveryTransient, InstanceRejected
from proxy.service.ports import QueueRow
from proxy.wire.command import C_STORE_RQ, Command
from proxy.wire.negotiation import Context, ProposedContext

#: SOP class and transfer syntax: what one presentation context is about
Pair = tuple[str, str]

#: PS3.8 7.1.1.13 knows 128 presentation context IDs; one is taken by Verification.
MOST_PAIRS = 127
#: Operations under way at once that we propose; a destination that knows of none answers nothing, or 1.
WINDOW = 8


class DimseSender:
    """A `proxy.service.ports.Sender` for one PACS that takes C-STORE."""

    def __init__(self, to: Destination, associations: int = 4, rewriting: Rewriting | None = None) -> None:
        """``associations``: how many at once, at most; ``rewriting``: for what the destination refuses, if it may."""
        self._to, self._rewriting = to, rewriting
        self._pairs: OrderedDict[Pair, None] = OrderedDict()
        self._pool: Pool[Pair] = Pool(self._open, associations, harmless=(DeliveryError,))
        self._closed = False

    async def send(self, row: QueueRow, path: Path) -> None:
        """Returns when the destination has accepted the instance. Raises a `DeliveryError`."""
        if self._closed:
            raise DeliveryTransient("closed", "this sender is shut down")
        file = await _file(path)
        pair = (row.sop_class_uid, row.transfer_syntax_uid)
        try:
            await self._pool.run(pair, lambda association: self._store(association, row, file))
        except AssociationLost as lost:
            raise _lost(lost) from None
        except OSError as error:
            raise DeliveryTransient("spool", error.strerror or "the spooled file cannot be read") from None

    async def close(self) -> None:
        """Give every association back; what is under way fails."""
        self._closed = True
        await self._pool.close()

    async def _open(self, pair: Pair) -> Link[Pair]:
        """Associate, proposing Verification and one presentation context for each pair met so far."""
        sop_class, syntax = pair
        for wanted in (syntax, *(SYNTAXES if self._rewriting is not None else ())):
            self._pairs[sop_class, wanted] = None
            self._pairs.move_to_end((sop_class, wanted))
        while len(self._pairs) > MOST_PAIRS:
            self._pairs.popitem(last=False)
        pairs = sorted(self._pairs)
        proposed = [(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN), *pairs]
        contexts = [ProposedContext(2 * n + 1, uid, (syntax,)) for n, (uid, syntax) in enumerate(proposed)]
        try:
            association = await connect(self._to, contexts, window=(WINDOW, 1))
        except AssociationRejected as no:
            raise association_rejected(no.result, no.source, no.reason) from None
        except ConnectionFailed as failed:
            raise DeliveryTransient("no-association", failed.code) from None
        return Link(association, frozenset(pairs), _window(association))

    async def _store(self, association: Association, row: QueueRow, file: File) -> None:
        """As it is if the destination takes it so, else in what it takes."""
        context = association.context_for(row.sop_class_uid, row.transfer_syntax_uid)
        if context is not None:
            return await _sent(association, context, row, file)
        others = (association.context_for(row.sop_class_uid, syntax) for syntax in SYNTAXES)
        context = next((other for other in others if other is not None), None)
        if context is None or self._rewriting is None:
            raise InstanceRejected("no-context", "SOP class or transfer syntax not accepted in negotiation")
        instance = Stored(file.path, row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)
        async with self._rewriting.rewritten(row.project, instance, context.syntax) as data:
            return await _sent(association, context, row, data)


def _window(association: Association) -> int:
    """How many operations we may have under way (PS3.7 D.3.3.3): 0 stands for any number, silence for one."""
    acceptance = association.acceptance
    if acceptance is None or acceptance.window is None:
        return 1
    return min(acceptance.window[0] or WINDOW, WINDOW)


async def _sent(association: Association, context: Context, row: QueueRow, data: Data) -> None:
    """C-STORE; returns when the destination has it."""
    command = Command(
        C_STORE_RQ,
        MessageID=association.next_id(),
        Priority=0,  # medium
        AffectedSOPClassUID=row.sop_class_uid,
        AffectedSOPInstanceUID=row.sop_instance_uid,
    )
    answer = (await association.ask(context, command, data)).command
    if answer.field != command.response(0).field or answer.status < 0:
        association.abort()
        raise DeliveryTransient("no-status", "not a C-STORE response")
    check_delivered(answer.status)


def _lost(lost: AssociationLost) -> DeliveryError:
    if lost.how == "timeout":
        return DeliveryTransient("timeout", "no response to C-STORE")
    return DeliveryTransient("aborted", "the association ended before the response")


async def _file(path: Path) -> File:
    try:
        return File(path, await asyncio.to_thread(part10_offset, path))
    except OSError as error:
        raise InstanceRejected("spool", error.strerror or "the spooled file cannot be read") from None
    except ValueError:
        raise InstanceRejected("spool", "the spooled file is not Part 10") from None
