"""C-GET of one instance (PS3.4 C.4.3): it comes as a C-STORE over the same association, straight into the arena.

`Receiver` stands in for pynetdicom's DIMSE provider, which would keep a whole data set in memory. A context for each
transfer syntax lets the PACS send what it stores without a transcoding.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import StoragePresentationContexts, build_context, build_role, evt
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage

from proxy.dimse.asking import Proposal, lost
from proxy.dimse.contexts import TRANSFER_SYNTAXES
from proxy.dimse.finding import STUDY_ROOT_FIND
from proxy.dimse.receiving import part10_header
from proxy.dimse.sink import Sink
from proxy.dimse.waiting import Waiting
from proxy.service.upstream import UpstreamError
from proxy.wire.messages import COMMAND_SET_BYTES

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import P_DATA
    from pynetdicom.presentation import PresentationContext

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
#: an identifier with a list of failed UIDs, or a match
_ANSWER_BYTES = 4 << 20
_STORED, _REFUSED = 0x0000, 0xA700
#: PS3.8 7.1.1.13: 128 contexts; two are for the query
_MOST_CLASSES = [str(context.abstract_syntax) for context in StoragePresentationContexts[:126]]
_SYNTAX = "1.2.840.10008.1.2"
_UNCOMPRESSED = (f"{_SYNTAX}.1", _SYNTAX)
_COMPRESSED = [f"{_SYNTAX}.{n}" for n in ("4.70", "4.50", "4.90", "4.91", "5", "4.80", "4.81", "4.51", "4.57", "4.201")]
#: explicit first, for who takes the first that fits; implicit VR, which loses private VRs, last
_ALL_SYNTAXES = [f"{_SYNTAX}.1", *(syntax for syntax in TRANSFER_SYNTAXES if syntax not in _UNCOMPRESSED), _SYNTAX]
_PENDING = 0xFF00
_A_FEW = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90")


class NotSent(UpstreamError):
    """The PACS has it, and did not send it: perhaps for what was negotiated."""


def ladder(sop_class: str) -> list[Proposal]:
    """What to propose, one after the other, until the PACS sends.

    One class in every transfer syntax, or, where the PACS did not say which, most classes uncompressed; then most
    classes in one compressed syntax after the other: some PACSs use the first context of a class, whatever they store.
    """
    if sop_class:
        first = _proposal(f"get {sop_class}", [build_context(sop_class, syntax) for syntax in _ALL_SYNTAXES])
    else:
        first = _proposal("get", [build_context(uid, list(_UNCOMPRESSED)) for uid in _MOST_CLASSES])
    return [
        first,
        *(_proposal(f"get {syntax}", [build_context(uid, syntax) for uid in _MOST_CLASSES]) for syntax in _COMPRESSED),
    ]


def _proposal(kind: str, storage: list[PresentationContext]) -> Proposal:
    query = [build_context(STUDY_ROOT_FIND), build_context(STUDY_ROOT_GET)]
    classes = sorted({str(context.abstract_syntax) for context in storage})
    return Proposal(kind, [*query, *storage], [build_role(uid, scp_role=True) for uid in classes], Receiver)


def get(name: str, association: Association, identifier: Dataset, sink: Sink) -> bool:
    """C-GET what ``identifier`` names into ``sink``; False where the PACS has nothing of it."""
    receiver = cast(Receiver, association.dimse)
    receiver.sink = sink
    try:
        responses = association.send_c_get(identifier, STUDY_ROOT_GET)
        return outcome(name, association, responses, sink)
    except ValueError:
        raise UpstreamError(name, "no-context") from None
    finally:
        receiver.sink = None


def outcome(name: str, association: Association, responses: Any, sink: Sink) -> bool:
    """What the responses to a C-GET or C-MOVE of one instance come to (PS3.4 C.4.2.1.5, C.4.3.1.4)."""
    last: int | None = None
    failed = 0
    for status, _ in responses:
        last = status.Status if "Status" in status else None
        failed = int(status.get("NumberOfFailedSuboperations") or 0)
    if sink.error is not None:
        raise sink.error
    if sink.complete:
        return True
    if last is None or last == _PENDING:
        raise lost(name, association, sink.begun)
    if last != _STORED or failed:
        raise NotSent(name, f"{last:04X}")
    return False


def _stored(event: evt.Event) -> int:
    part = cast(Incoming, cast(Any, event.request).DataSet)
    return _STORED if part.finish() else _REFUSED


class Incoming(BytesIO):
    """The data set of one message: of a C-STORE into the receiver's sink, of anything else bounded in memory."""

    def __init__(self, receiver: Receiver, message: DIMSEMessage) -> None:
        super().__init__()
        self._receiver, self._message = receiver, message
        self._sink: Sink | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # pynetdicom writes bytes only
        """Append ``data``."""
        if not isinstance(self._message, C_STORE_RQ):
            if self.tell() + len(data) > _ANSWER_BYTES:
                raise ValueError("an answer that is too long")
            return super().write(data)
        instance = str(self._message.command_set.AffectedSOPInstanceUID)
        if self._sink is None and self._receiver.sink is not None:
            self._sink = self._receiver.sink
            self._sink.write(self, instance, self._header(instance))
        if self._sink is not None:
            self._sink.write(self, instance, data)
        return len(data)

    def finish(self) -> bool:
        """Whether the instance is the one that was asked for, and in the arena."""
        return self._sink is not None and self._sink.finish(self)

    def _header(self, instance: str) -> bytes:
        message = self._message
        context = self._receiver.assoc._accepted_cx[message.context_id or 0]
        return part10_header(str(message.command_set.AffectedSOPClassUID), instance, str(context.transfer_syntax[0]))


class Receiver(Waiting):
    """The DIMSE provider of an association that instances come back on."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self.sink: Sink | None = None
        assoc.bind(evt.EVT_C_STORE, _stored)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take fragments (PS3.8 E.2). Whatever is wrong with them ends the association, and only it."""
        try:
            if self.message is None:
                self.message = DIMSEMessage()
                self.message.data_set = Incoming(self, self.message)
            if self.message.encoded_command_set.tell() > COMMAND_SET_BYTES:
                raise ValueError("command set too long")
            super().receive_primitive(primitive)
        except Exception:  # noqa: BLE001  # nothing a peer sends may end pynetdicom's thread
            self.dul.event_queue.put("Evt19")  # PS3.8 9.2.3: invalid PDU; the state machine sends A-ABORT
