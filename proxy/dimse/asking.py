"""Associations with a PACS that is asked: few, kept open by what they were negotiated for, given back or ended.

All but `Call.end` blocks and belongs into a thread. Whatever goes wrong is an `UpstreamError`; no word of the PACS is
kept.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from proxy.dimse.requestor import Destination, application_entity
from proxy.dimse.waiting import Waiting
from proxy.service.upstream import UpstreamError

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
    from pynetdicom.presentation import PresentationContext

_T = TypeVar("_T")
_MAX_PDU = 131072
#: How long our A-ABORT may take to get out.
_ABORT_SECONDS = 0.2


class AssociationLost(UpstreamError):
    """The association ended before anything came over it: on a new one the same may well go through."""


def lost(name: str, association: Association, begun: bool = False) -> UpstreamError:
    """What it is that no answer came: too late, in the midst of it, or not even begun."""
    if isinstance(association.dimse, Waiting) and association.dimse.late:
        return UpstreamError(name, "timeout", late=True)
    return (UpstreamError if begun else AssociationLost)(name, "no-answer")


class Call:
    """One request under way in a thread. `end` is called from elsewhere and does not wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._association: Association | None = None
        self._ended = False

    def on(self, association: Association | None) -> None:
        """The call now works on this association, or on none. `Ended` where nobody wants it to."""
        with self._lock:
            self._association = association
            if self._ended and association is not None:
                raise Ended

    def end(self) -> None:
        """Nobody wants the answer any more: abort the association, which wakes the thread."""
        with self._lock:
            self._ended = True
            if self._association is not None:
                self._association.abort(block=False)


class Ended(Exception):
    """Nobody waits for the answer any more, so nobody sees this."""


class Proposal:
    """What an association is negotiated for. ``kind`` tells proposals apart: equal kinds can share associations."""

    def __init__(
        self,
        kind: str,
        contexts: Sequence[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        provider: type[Waiting] = Waiting,
    ) -> None:
        """``provider`` takes what comes over the association."""
        self.kind, self.contexts, self.roles, self.provider = kind, list(contexts), list(roles), provider


class Associations:
    """The associations with one upstream, idle ones among them. How many there are is up to who has the threads."""

    def __init__(self, name: str, to: Destination) -> None:
        self._name, self._to = name, to
        self._lock = threading.Lock()
        self._idle: dict[str, list[Association]] = {}
        self._closed = False

    def run(self, call: Call, proposal: Proposal, work: Callable[[Association], _T]) -> _T:
        """``work`` on an association; once more on a new one, where an idle one turns out to be lost."""
        association = self._take(proposal.kind)
        if association is not None:
            try:
                return self._on(association, call, proposal.kind, work)
            except AssociationLost:
                pass  # the PACS may hang up on who says nothing
        return self._on(self._open(proposal), call, proposal.kind, work)

    def release_idle(self) -> None:
        """Release what is not in use."""
        with self._lock:
            idle, self._idle = [each for several in self._idle.values() for each in several], {}
        for association in idle:
            if _usable(association):
                association.release()
            _end(association)

    def close(self) -> None:
        """Release what is not in use, now and from now on."""
        self._closed = True
        self.release_idle()

    def _on(self, association: Association, call: Call, kind: str, work: Callable[[Association], _T]) -> _T:
        done = False
        try:
            call.on(association)
            result = work(association)
            done = True
            return result
        except RuntimeError:  # pynetdicom: not established any more
            raise AssociationLost(self._name, "no-association") from None
        finally:
            call.on(None)
            if done and not self._closed and _usable(association):
                with self._lock:
                    self._idle.setdefault(kind, []).append(association)
            else:
                _end(association)

    def _take(self, kind: str) -> Association | None:
        """An idle association of this kind, or None; room is made for another kind where there is none."""
        taken, old = None, []
        with self._lock:
            mine = self._idle.get(kind, [])
            while mine and taken is None:
                association = mine.pop()
                if _usable(association):
                    taken = association
                else:
                    old.append(association)
            others = [several for other, several in self._idle.items() if other != kind and several]
            if taken is None and others:
                old.append(others[0].pop(0))
        for association in old:
            _end(association)
        return taken

    def _open(self, proposal: Proposal) -> Association:
        to, ae = self._to, application_entity(self._to)
        try:
            association = ae.associate(
                to.host, to.port, proposal.contexts, to.called_ae, _MAX_PDU, cast(Any, proposal.roles) or None
            )
        except OSError:  # no such host
            raise UpstreamError(self._name, "no-connection") from None
        if not association.is_established:
            raise UpstreamError(self._name, _refusal(association))
        association.dimse = proposal.provider(association)
        return association


def _refusal(association: Association) -> str:
    answer = cast(Any, association.acceptor.primitive)
    if association.is_rejected and answer is not None:
        return f"A-ASSOCIATE-RJ {answer.result}/{answer.result_source}/{answer.diagnostic}"
    return "no-context" if association.rejected_contexts else "no-association"


def _usable(association: Association) -> bool:
    return association.is_established and association.dul.is_alive() and not association.acse.is_aborted()


def _end(association: Association) -> None:
    """Give back socket and threads, after an A-ABORT where the association stands."""
    if association.is_established:
        association.abort(block=False)
    until = time.monotonic() + _ABORT_SECONDS
    while not association.dul.to_provider_queue.empty() and time.monotonic() < until:
        time.sleep(0.001)
    connection = cast(Any, association.dul.socket)
    client = connection.socket if connection is not None else None
    hang_up(association)
    association.kill()
    if client is not None:
        client.close()


def hang_up(association: Association) -> None:
    """Close the connection without a word; who waits for it is woken."""
    connection = association.dul.socket
    client = connection.socket if connection is not None else None
    if client is not None:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
