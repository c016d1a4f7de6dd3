"""One association with a destination: opened with a set of presentation contexts, used for many C-STOREs, released.

A file is sent as it lies there, PDU by PDU: neither decoded nor read into memory as a whole, nor ever transcoded.
Blocking; every method belongs into a thread, and one thread at a time. Errors are those of the tables in `status`.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from proxy.dimse.contexts import IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION
from proxy.dimse.requestor import Destination, application_entity
from proxy.dimse.status import association_rejected, check_delivered
from proxy.errors import DeliveryError, DeliveryTransient, InstanceRejected
from proxy.service.ports import QueueRow

#: SOP class and transfer syntax: what one presentation context is about
Pair = tuple[str, str]

#: PS3.8 7.1.1.13 knows 128 presentation context IDs; one is taken by Verification.
MOST_PAIRS = 127
_LARGEST_PDU = 1 << 20  # for destinations that announce none, or an absurd one
_PDUS_AHEAD = 16  # queued in pynetdicom, whose queue has no limit


class LinkLost(DeliveryTransient):
    """The association ended under way; on a new one the same instance may well go through."""


class Link:
    """An established association. ``proposed``: the pairs that were asked for, accepted or not."""

    def __init__(self, association: Association, proposed: frozenset[Pair], seconds: float) -> None:
        self.proposed = proposed
        self._association, self._seconds = association, seconds
        self._contexts = {
            (str(cx.abstract_syntax), str(cx.transfer_syntax[0])): cx.context_id for cx in association.accepted_contexts
        }
        self._pdu = min(association.acceptor.maximum_length or _LARGEST_PDU, _LARGEST_PDU) & ~1
        self._socket = cast(Any, association.dul.socket).socket
        self._socket.settimeout(seconds)  # pynetdicom waits without end for a peer that has stopped reading
        # a C-STORE-RQ is two writes; without this the second waits for a delayed acknowledgement, 40 ms an instance
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _acknowledge_at_once(cast(AssociationSocket, association.dul.socket))
        self._messages = 0

    @property
    def usable(self) -> bool:
        """Whether the destination is still there, as far as we have heard."""
        association = self._association
        return association.is_established and association.dul.is_alive() and not association.acse.is_aborted()

    def store(self, row: QueueRow, path: Path) -> None:
        """C-STORE the Part 10 file at ``path``; returns when the destination has it."""
        context = self._contexts.get((row.sop_class_uid, row.transfer_syntax_uid))
        if context is None:
            raise InstanceRejected("no-context", "SOP class or transfer syntax not accepted in negotiation")
        request = C_STORE()
        self._messages += 1
        request.MessageID = self._messages % 0xFFFF + 1
        request.Priority = 0  # medium
        request.AffectedSOPClassUID = row.sop_class_uid
        request.AffectedSOPInstanceUID = row.sop_instance_uid
        request._dataset_path = (path, _data_set_offset(path))
        check_delivered(self._exchange(request, context))

    def close(self) -> None:
        """Release the association; abort it when the other side does not answer."""
        if self.usable:
            self._association.release()
        else:
            self._association.abort()
        self._socket.close()

    def _exchange(self, request: C_STORE, context: int) -> int:
        association = self._association
        message = C_STORE_RQ()
        message.primitive_to_message(request)
        self._pause()
        try:
            for fragment in message.encode_msg(context, self._pdu):
                self._wait_for_room()
                association.dul.send_pdu(_even(fragment))
            _, response = association.dimse.get_msg(block=True)
        except OSError as error:  # the spooled file; half a message is out, so the association cannot go on
            association.abort()
            raise DeliveryTransient("spool", error.strerror or "the spooled file cannot be read") from None
        finally:
            association._reactor_checkpoint.set()
        if isinstance(response, C_STORE) and response.Status is not None:
            return response.Status
        failure = self._lost() if response is None else DeliveryTransient("no-status", "not a C-STORE response")
        association.abort()  # a response that comes too late must not be taken for that of the next instance
        raise failure

    def _pause(self) -> None:
        """Stop pynetdicom's own reading of responses for the time of ours."""
        self._association._reactor_checkpoint.clear()
        while not self._association._is_paused:
            if not self._association.is_alive():
                raise self._lost()
            time.sleep(0.0001)

    def _wait_for_room(self) -> None:
        dul = self._association.dul
        while dul.to_provider_queue.qsize() >= _PDUS_AHEAD:
            if not dul.is_alive() or self._association.acse.is_aborted():
                raise self._lost()
            time.sleep(0.0005)

    def _lost(self) -> DeliveryError:
        if self.usable:
            return DeliveryTransient("timeout", "no response to C-STORE")
        return LinkLost("aborted", "the association ended before the response")


def connect(to: Destination, pairs: Iterable[Pair]) -> Link:
    """Associate, proposing Verification and one presentation context for each of ``pairs``."""
    ae = application_entity(to)
    proposed = frozenset(pairs)
    contexts = [build_context(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN)]
    contexts += [build_context(sop_class, syntax) for sop_class, syntax in sorted(proposed)]
    try:
        association = ae.associate(to.host, to.port, contexts=contexts, ae_title=to.called_ae, max_pdu=65536)
    except OSError as error:  # no such host
        raise DeliveryTransient("no-connection", error.strerror or "") from None
    if not association.is_established:
        raise _refusal(association)
    return Link(association, proposed, to.seconds)


def _refusal(association: Association) -> DeliveryError:
    answer = cast(Any, association.acceptor.primitive)
    if association.is_rejected and answer is not None:
        return association_rejected(answer.result, answer.result_source, answer.diagnostic)
    if association.rejected_contexts:
        return InstanceRejected("no-context", "no presentation context accepted in negotiation")
    return DeliveryTransient("no-association", "no connection, or no answer to it")


def _acknowledge_at_once(connection: AssociationSocket) -> None:
    """DCMTK's default is to send a PDU in two writes, the second when the first is acknowledged: not 40 ms late, then.

    The kernel forgets the option with each answer that it sends, so it is set again for each PDU.
    """
    receive = connection.recv

    def recv(nr_bytes: int) -> bytearray:
        if connection.socket is not None:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return receive(nr_bytes)

    connection.recv = recv  # type: ignore[method-assign]  # pynetdicom gives no other place to reach in


def _even(fragment: P_DATA) -> P_DATA:
    """Pad a deflated data set of odd length (PS3.5 A.5): fragments are even (PS3.8 E.2), and some peers insist."""
    (context, data), *_ = fragment.presentation_data_value_list
    if len(data) % 2 == 0:  # with the message control header, which is one byte
        fragment.presentation_data_value_list[0] = (context, data + b"\x00")
    return fragment


def _data_set_offset(path: Path) -> int:
    """Where the data set begins: behind the group that (0002,0000) measures (PS3.10 7.1)."""
    try:
        with path.open("rb") as file:
            head = file.read(144)
    except OSError as error:
        raise InstanceRejected("spool", error.strerror or "the spooled file cannot be read") from None
    if len(head) < 144 or head[128:140] != b"DICM\x02\x00\x00\x00UL\x04\x00":
        raise InstanceRejected("spool", "the spooled file is not Part 10")
    return 144 + int(struct.unpack("<I", head[140:144])[0])
