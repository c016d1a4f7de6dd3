"""C-GET of one instance (PS3.4 C.4.3): it comes as a C-STORE over the same association, straight into the arena.

A context for each transfer syntax lets the PACS send what it stores without a transcoding.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from proxy.dimse.asking import SYNTAXES, Proposal, ask, lost
from proxy.dimse.association import Association
from proxy.dimse.contexts import COMMON_SOP_CLASSES, TRANSFER_SYNTAXES
from proxy.dimse.exchange import PENDING, AssociationLost
from proxy.dimse.finding import STUDY_ROOT_FIND
from proxy.dimse.message import Body, Message
from proxy.dimse.receiving import part10_header
from proxy.dimse.services import Service
from proxy.dimse.sink import Sink
from proxy.service.upstream import UpstreamError
from proxy.wire.command import C_GET_RQ, C_STORE_RQ, Command
from proxy.wire.negotiation import Context

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_STORED, _REFUSED = 0x0000, 0xA700
#: PS3.8 7.1.1.13: 128 contexts; two are for the query
_MOST_CLASSES = COMMON_SOP_CLASSES[:126]
_SYNTAX = "1.2.840.10008.1.2"
_UNCOMPRESSED = (f"{_SYNTAX}.1", _SYNTAX)
#: what is stored most first; big endian and deflated last, which a PACS may keep and not convert
_TAILS = ("4.70", "4.50", "4.90", "4.91", "5", "4.80", "4.81", "4.51", "4.57", "4.201", "2", "1.99")
_ONE_BY_ONE = [f"{_SYNTAX}.{tail}" for tail in _TAILS]
#: explicit first, for who takes the first that fits; implicit VR, which loses private VRs, last
_ALL_SYNTAXES = [f"{_SYNTAX}.1", *(syntax for syntax in TRANSFER_SYNTAXES if syntax not in _UNCOMPRESSED), _SYNTAX]


class NotSent(UpstreamError):
    """The PACS has it, and did not send it: perhaps for what was negotiated."""


def ladder(sop_class: str) -> list[Proposal]:
    """What to propose, one after the other, until the PACS sends.

    One class in every transfer syntax, or, where the PACS did not say which, most classes uncompressed; then most
    classes in one compressed syntax after the other: some PACSs use the first context of a class, whatever they store.
    """
    if sop_class:
        first = _proposal(f"get {sop_class}", [(sop_class, (syntax,)) for syntax in _ALL_SYNTAXES])
    else:
        first = _proposal("get", [(uid, _UNCOMPRESSED) for uid in _MOST_CLASSES])
    return [
        first,
        *(_proposal(f"get {syntax}", [(uid, (syntax,)) for uid in _MOST_CLASSES]) for syntax in _ONE_BY_ONE),
    ]


def _proposal(kind: str, storage: list[tuple[str, tuple[str, ...]]]) -> Proposal:
    query = [(STUDY_ROOT_FIND, SYNTAXES), (STUDY_ROOT_GET, SYNTAXES)]
    roles = {uid: (False, True) for uid, _ in storage}
    return Proposal(kind, [*query, *storage], roles, lambda: (Receiver(),))


async def get(name: str, association: Association, identifier: Dataset, sink: Sink) -> bool:
    """C-GET what ``identifier`` names into ``sink``; False where the PACS has nothing of it."""
    receiver = cast(Receiver, association.services[0])
    receiver.sink = sink
    try:
        return await outcome(name, ask(name, association, C_GET_RQ, STUDY_ROOT_GET, identifier), sink)
    finally:
        receiver.sink = None


async def outcome(name: str, responses: AsyncGenerator[Message, None], sink: Sink) -> bool:
    """What the responses to a C-GET or C-MOVE of one instance come to (PS3.4 C.4.2.1.5, C.4.3.1.4)."""
    last, failed = PENDING[0], 0
    gone: AssociationLost | None = None
    try:
        async with aclosing(responses):
            async for response in responses:
                last = response.command.status
                failed = response.command.number("NumberOfFailedSuboperations")
    except AssociationLost as error:
        gone = error
    if sink.error is not None:
        raise sink.error
    if sink.complete:
        return True
    if gone is not None:
        raise lost(name, gone, sink.begun)
    if last < 0:
        raise UpstreamError(name, "no-answer")
    if last != _STORED or failed:
        raise NotSent(name, f"{last:04X}")
    return False


class Incoming:
    """The data set of one C-STORE on its way into a sink, behind a Part 10 header; what is not wanted is dropped."""

    def __init__(self, sink: Sink | None, context: Context, command: Command) -> None:
        self._sink, self._instance = sink, command.text("AffectedSOPInstanceUID")
        header = part10_header(command.text("AffectedSOPClassUID"), self._instance, context.syntax)
        self.write(memoryview(header))

    def write(self, data: memoryview) -> None:
        """Append ``data``."""
        if self._sink is not None:
            self._sink.write(self, self._instance, data)

    def finish(self) -> bool:
        """Whether the instance is the one that was asked for, and in the arena."""
        return self._sink is not None and self._sink.finish(self)

    def discard(self) -> None:
        """The arena is somebody else's."""
        self._sink = None


class Receiver(Service):
    """Takes what comes over one association, for whoever asked for it there."""

    def __init__(self) -> None:
        self.sink: Sink | None = None

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        """What was agreed on: we have proposed it."""
        return _ALL_SYNTAXES

    def body(self, association: object, context: Context, command: Command) -> Body | None:
        """Into the sink."""
        return Incoming(self.sink, context, command) if command.field == C_STORE_RQ else None

    async def serve(self, message: Message) -> None:
        """Answer one C-STORE."""
        if not isinstance(message.body, Incoming):
            return await super().serve(message)
        return await message.respond(_STORED if message.body.finish() else _REFUSED)
